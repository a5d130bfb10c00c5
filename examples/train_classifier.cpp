/// Trains the digit classifier whose features and confidences the scores are made of.

#include <coldzoom/core/file.hpp>
#include <coldzoom/training/checkpoint.hpp>
#include <cstdio>
#include <map>

#include "common/classifier.hpp"
#include "common/data.hpp"
#include "common/on_backend.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/run_folder.hpp"
#include "common/run_settings.hpp"
#include "common/safetensors.hpp"

namespace {

using namespace coldzoom;

struct settings : programs::run_settings {
  index_t shift = 2;

  settings() {
    out = "out/classifier";
    epochs = 8;
    warmup = 200;
    learning_rate = 3e-3;  // falls to 0 as a cosine
    ema = 0.995;
  }
};

template <class B> void train_on(B& b, const std::string& where, const settings& s) {
  using namespace programs;
  const programs::data_sets data = load_run_data(s);
  require(!data.stream, "--data", [&] {
    return "found the stream " + s.data +
           "; the classifier takes images that fit into memory, such as a folder of pictures";
  });
  const labelled_images &train = data.train, &test = data.test;
  const shape image = train.dims.with_n(1);
  const digit_classifier network(image);
  run_folder folder(s.out, s.resume);
  dataset<B, classifier_range> train_set(b, train.dims, train.pixels.data()),
      test_set(b, test.dims, test.pixels.data());
  train_set.set_labels(b, train.labels, digit_classifier::classes);
  test_set.set_labels(b, test.labels, digit_classifier::classes);

  classifier_options options;
  options.batch_size = s.batch_size;
  options.seed = s.seed;
  if (s.ema > 0) options.average_decays = {s.ema};
  classifier_trainer t(b, classifier_range{}, network, image, options, random_shift{s.shift});
  const index_t batches = t.batches(train_set);
  const warmup_cosine rate{s.learning_rate, s.warmup, batches * s.epochs, 0};
  // What a checkpoint must have in common with this run beside what is checked for every trainer.
  const std::map<std::string, std::string> must_agree{{"kind", classifier_kind},
                                                      {"data_fingerprint", fingerprint(data)},
                                                      {"train_images", std::to_string(train.dims.n)},
                                                      {"learning_rate", exact_number(s.learning_rate)},
                                                      {"epochs", std::to_string(s.epochs)},
                                                      {"warmup", std::to_string(s.warmup)},
                                                      {"shift", std::to_string(s.shift)}};
  if (s.resume)
    folder.resume(s.epochs, [&](const std::string& state) { load_checkpoint(state, t, must_agree); });
  std::printf("%td training and %td test images of %s, %td parameters, %s, into %s\n", train.dims.n,
              test.dims.n, to_string(image).c_str(), parameter_count(network), where.c_str(), s.out.c_str());

  for (int epoch = folder.last_epoch() + 1; epoch <= s.epochs; ++epoch) {
    classification_score trained;
    double seconds = 0;
    {
      progress_bar bar("epoch " + std::to_string(epoch) + "/" + std::to_string(s.epochs),
                       static_cast<double>(batches), "images", static_cast<double>(s.batch_size));
      trained = t.train_epoch(train_set, epoch, rate, [&](batch_progress p) {
        stop_if_requested();
        bar.update(static_cast<double>(p.batch), "loss " + std::to_string(p.loss));
      });
      seconds = bar.seconds();
    }
    const classification_score tested = t.test(test_set);
    const double images_per_second = static_cast<double>(batches * s.batch_size) / seconds;
    const classifier_model model{network, to_host(b, t.best()), data.name, train.dims.n, tested.accuracy};
    check_finite_training(folder, epoch, trained.loss, tested.loss, model.parameters);
    folder.append_log({{"epoch", epoch},
                       {"train_loss", trained.loss},
                       {"train_accuracy", trained.accuracy},
                       {"test_loss", tested.loss},
                       {"test_accuracy", tested.accuracy},
                       {"images_per_second", images_per_second},
                       {"seconds", seconds}},
                      epoch - 1);
    folder.add_checkpoint(epoch, [&](const std::string& aside) {
      save_checkpoint(aside + "/state.safetensors", t, epoch, must_agree);
      save_classifier(aside + "/model.safetensors", model);
    });
    save_classifier(folder.file("model.safetensors"), model);
    std::printf(
        "epoch %d/%d: train loss %.5f, test loss %.5f, test accuracy %.2f %%, %.0f images/s, %.1f s\n", epoch,
        s.epochs, trained.loss, tested.loss, 100 * tested.accuracy, images_per_second, seconds);
    std::fflush(stdout);
    stop_if_requested();
  }
}

void train(programs::machine& m, settings s) {
  programs::apply_smoke(s);
  programs::on_backend(m, [&](auto& b) { train_on(b, m.description(), s); });
}

void add_options(programs::options& o, settings& s) {
  programs::add_run_options(o, s);
  o.add("--shift", s.shift, "training images are moved by up to so many pixels").range(0, 14);
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "train_classifier",
      "Trains the small classifier of digits that the scores rest on. The "
      "embedded weights were made by the defaults on full MNIST.",
      add_options, train);
}
