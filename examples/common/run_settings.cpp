#include "common/run_settings.hpp"

#include <algorithm>
#include <utility>

#include "common/data.hpp"

namespace programs {

void add_run_options(options& o, run_settings& s) {
  add_data(o, s.data, s.pictures);
  o.add("--epochs", s.epochs, "epochs in all").range(1, 1000000);
  o.add("--batch-size", s.batch_size, "images an update").range(1, 100000);
  o.add("--learning-rate", s.learning_rate, "of the optimiser, at its highest").finite_above_0();
  o.add("--warmup", s.warmup, "updates in which the learning rate grows from 0, where it decays as a cosine")
      .at_least_0();
  o.add("--ema", s.ema, "decay of the running average of the weights, 0 for none; model.safetensors holds it")
      .from_0_to_below_1();
  add_seed(o, s.seed);
  add_machine(o, s.on);
  add_limit(o, s.limit);
  o.add_output_folder("--out", s.out, "folder of the run; the weights are its model.safetensors");
  o.add_flag("--resume", s.resume, "continue the run in --out from its newest checkpoint, to the same bits");
  o.add_flag("--smoke", s.smoke, "two epochs on 512 images: shows that everything works, in seconds");
}

void apply_smoke(run_settings& s) {
  if (!s.smoke) return;
  s.epochs = std::min(s.epochs, 2);
  s.limit = s.limit > 0 ? std::min<coldzoom::index_t>(s.limit, 512) : 512;
  s.warmup = std::min<coldzoom::index_t>(s.warmup, 2);
}

data_sets load_run_data(const run_settings& s) {
  data_sets data = load_data(s.data, s.pictures, s.limit);
  data.train = first_images(std::move(data.train), s.limit);
  data.test = first_images(std::move(data.test), s.limit);
  coldzoom::require(data.training_images() >= s.batch_size, "--batch-size", [&] {
    return "found " + std::to_string(s.batch_size) + ", wanted at most the " +
           std::to_string(data.training_images()) + " training images";
  });
  return data;
}

}  // namespace programs
