/// Trains the digit classifier whose features and confidences the scores are made of.

#include "common/classifier.hpp"
#include "common/data.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/run_folder.hpp"

namespace {

using namespace coldzoom;

struct settings {
  std::string data = "embedded", out = "out/classifier";
  int epochs = 8, threads = 0;
  index_t batch_size = 128, limit = 0, warmup = 200, shift = 2;
  double learning_rate = 3e-3, ema = 0.995;
  std::uint64_t seed = 0;
  bool resume = false, smoke = false;
};

void train(settings s) {
  using namespace programs;
  if (s.smoke) {
    s.epochs = std::min(s.epochs, 2);
    s.limit = s.limit > 0 ? std::min<index_t>(s.limit, 512) : 512;
    s.warmup = 2;
  }
  backend b(s.threads);
  split_pair data = load_data(s.data);
  const labelled_images train = first_images(std::move(data.train), s.limit);
  const labelled_images test = first_images(std::move(data.test), s.limit);
  const shape image = train.dims.with_n(1);
  const digit_classifier network(image);
  run_folder folder(s.out, s.resume);
  const dataset<backend, classifier_range> train_set(b, train.dims, train.pixels.data()),
      test_set(b, test.dims, test.pixels.data());

  classifier_options options;
  options.batch_size = s.batch_size;
  options.seed = s.seed;
  options.average_decay = s.ema;
  classifier_trainer<backend, classifier_range, digit_classifier> t(b, network, random_shift{s.shift}, image,
                                                                    options);
  const index_t batches = t.batches(train_set);
  require(batches > 0, "--batch-size", [&] {
    return "found " + std::to_string(s.batch_size) + ", wanted at most the " + std::to_string(train.dims.n) +
           " training images";
  });
  const warmup_cosine rate{s.learning_rate, s.warmup, batches * s.epochs, 0};
  // What a checkpoint must have in common with this run beside what is checked for every trainer.
  const std::map<std::string, std::string> must_agree{{"kind", classifier_kind},
                                                      {"data", s.data},
                                                      {"train_images", std::to_string(train.dims.n)},
                                                      {"learning_rate", exact(s.learning_rate)},
                                                      {"epochs", std::to_string(s.epochs)},
                                                      {"warmup", std::to_string(s.warmup)},
                                                      {"shift", std::to_string(s.shift)}};
  if (s.resume) load_checkpoint(folder.state_file(folder.last_epoch()), t, must_agree);
  std::printf("%td training and %td test images of %s, %td parameters, %d threads, into %s\n", train.dims.n,
              test.dims.n, to_string(image).c_str(), network.parameter_count(), b.threads(), s.out.c_str());
  if (s.resume) std::printf("resumed after epoch %d\n", folder.last_epoch());

  for (int epoch = folder.last_epoch() + 1; epoch <= s.epochs; ++epoch) {
    classification_score trained;
    double seconds = 0;
    {
      progress_bar bar("epoch " + std::to_string(epoch) + "/" + std::to_string(s.epochs),
                       static_cast<double>(batches), "images", static_cast<double>(s.batch_size));
      trained = t.train_epoch(train_set, train.labels, epoch, rate, [&](batch_progress p) {
        stop_if_requested();
        bar.update(static_cast<double>(p.batch), "loss " + std::to_string(p.loss));
      });
      seconds = bar.seconds();
    }
    const classification_score tested = t.test(test_set, test.labels);
    const double images_per_second = static_cast<double>(batches * s.batch_size) / seconds;
    const classifier_model model{network, to_host(b, t.best()), data.name, train.dims.n, tested.accuracy};
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

void add_options(CLI::App& app, settings& s) {
  app.add_option("--data", s.data, programs::data_help)->capture_default_str();
  app.add_option("--epochs", s.epochs, "epochs in all")->check(CLI::Range(1, 1000000))->capture_default_str();
  app.add_option("--batch-size", s.batch_size, "images an update")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--learning-rate", s.learning_rate, "of Adam at its highest; falls to 0 as a cosine")
      ->check(programs::finite_above_zero)
      ->capture_default_str();
  app.add_option("--warmup", s.warmup, "updates in which the learning rate grows from 0")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--shift", s.shift, "training images are moved by up to so many pixels")
      ->check(CLI::Range(0, 14))
      ->capture_default_str();
  app.add_option("--ema", s.ema, "decay of the running average of the weights, 0 for none")
      ->check(programs::decay_below_one)
      ->capture_default_str();
  app.add_option("--seed", s.seed, "of everything random")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--threads", s.threads, "0 for all CPUs; no effect on results")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--limit", s.limit, "use the first N images of each split, 0 for all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--out", s.out, "folder of the run; the weights are its model.safetensors")
      ->capture_default_str();
  app.add_flag("--resume", s.resume,
               "continue the run in --out from its newest checkpoint, to the same bits");
  app.add_flag("--smoke", s.smoke, "two epochs on 512 images: shows that everything works, in seconds");
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run<settings>(argc, argv, "train_classifier",
                                 "Trains the small classifier of digits that the scores rest on. The "
                                 "embedded weights were made by the defaults on full MNIST.",
                                 add_options, train);
}
