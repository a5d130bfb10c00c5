/// The loss of a trained model on test images, at many steps of the degradation for each.

#include <coldzoom/core/file.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/data.hpp"
#include "common/model.hpp"
#include "common/program.hpp"

namespace {

using namespace coldzoom;

struct settings {
  std::string model, kind, data, json;
  index_t draws = 16, limit = 0;
  programs::machine_choice on;
};

void measure(programs::machine& m, const settings& s) {
  using namespace programs;
  const trained_model model = load_model(s.model, s.kind);
  const auto& [data, sets] = load_data_for(model, s.data);
  const labelled_images images = first_images(sets.test, s.limit);
  const double loss = model.method.on(m)->test_loss(model.network, model.parameters, images, s.draws);
  const nlohmann::ordered_json found{
      {"model", s.model}, {"data", data}, {"n", images.dims.n}, {"draws", s.draws}, {"test_loss", loss}};
  if (!s.json.empty()) write_file_atomically(s.json, found.dump(2) + "\n");
  std::printf("test loss %.5f: mean squared error of %s, %td images of %s at %td steps each\n", loss,
              model.method.entry->target().c_str(), images.dims.n, data.c_str(), s.draws);
}

void add_options(programs::options& o, settings& s) {
  o.add("--model", s.model, "safetensors file, ours or the original project's").required();
  o.add("--kind", s.kind, "what the model is, where the file does not say: " + programs::method_names());
  o.add("--data", s.data,
        std::string("whose test images: ") + programs::data_help +
            "; by default what the model was trained on, else embedded");
  o.add("--draws", s.draws, "steps for each image; 1 is the test loss of the training programs")
      .range(1, 1000);
  programs::add_limit(o, s.limit);
  programs::add_machine(o, s.on);
  o.add_output("--json", s.json, "file for the loss and what it is of", {".json"});
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "test_loss", "Measures the test loss of a trained model at many steps for each image.",
      add_options, measure);
}
