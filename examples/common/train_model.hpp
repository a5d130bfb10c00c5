/// The training program of every kind of model.
#pragma once

#include <coldzoom/io/png.hpp>

#include "common/data.hpp"
#include "common/run_folder.hpp"
#include "common/sampling.hpp"

namespace programs {

struct training_settings {
  std::string data = "embedded", out = "out/run", decay = "constant";
  int epochs = 100, steps = 0, threads = 0, samples = 64;
  coldzoom::index_t batch_size = 128, limit = 0, warmup = 0;
  double learning_rate = 2e-4, ema = 0;
  std::uint64_t seed = 0;
  std::vector<coldzoom::index_t> widths{16, 32, 32, 16};
  bool resume = false, smoke = false;
};

inline void add_training_options(CLI::App& app, training_settings& s) {
  app.add_option("--data", s.data, data_help)->capture_default_str();
  app.add_option("--epochs", s.epochs, "epochs in all")->check(CLI::Range(1, 1000000))->capture_default_str();
  app.add_option("--batch-size", s.batch_size, "images an update")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--learning-rate", s.learning_rate, "of Adam")
      ->check(finite_above_zero)
      ->capture_default_str();
  app.add_option("--decay", s.decay, "of the learning rate: constant, or cosine to 0 over all epochs")
      ->check(CLI::IsMember({"constant", "cosine"}))
      ->capture_default_str();
  app.add_option("--warmup", s.warmup,
                 "updates in which the learning rate grows from 0 (with --decay cosine)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--ema", s.ema,
                 "decay of the running average of the weights, 0 for none; model.safetensors holds it")
      ->check(decay_below_one)
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
  app.add_option("--widths", s.widths, "hidden channels of the network, two or more")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--steps", s.steps, "T, 0 for the original's: 24 (nearest), 23 (bilinear), 1000 (ddpm)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--samples", s.samples, "images in the grid of each epoch, 0 for none")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  app.add_option("--out", s.out, "folder of the run")->capture_default_str();
  app.add_flag("--resume", s.resume,
               "continue the run in --out from its newest checkpoint, to the same bits");
  app.add_flag("--smoke", s.smoke, "two epochs on 512 images: shows that everything works, in seconds");
}

/// The settings of a run, cut down where it is but to show that everything works.
inline training_settings cut_down(training_settings s) {
  if (!s.smoke) return s;
  s.epochs = std::min(s.epochs, 2);
  s.limit = s.limit > 0 ? std::min<coldzoom::index_t>(s.limit, 512) : 512;
  s.warmup = std::min<coldzoom::index_t>(s.warmup, 2);
  s.samples = std::min(s.samples, 16);
  return s;
}

/// Trains the reconstructor to undo `degradation` at the levels of `schedule`; `method` says the same in
/// words.
template <class Target, class D, coldzoom::Schedule S>
void train_model(const model_method& method, D degradation, S schedule, const training_settings& wanted) {
  using namespace coldzoom;
  const training_settings s = cut_down(wanted);
  backend b(s.threads);
  split_pair data = load_data(s.data);
  const labelled_images train = first_images(std::move(data.train), s.limit);
  const labelled_images test = first_images(std::move(data.test), s.limit);
  const shape image = train.dims.with_n(1);
  require(method.adds_noise() || method.steps < std::min(image.h, image.w), "--steps", [&] {
    return "found " + std::to_string(method.steps) + ", wanted 1 to " +
           std::to_string(std::min(image.h, image.w) - 1) + " for images of " + to_string(image);
  });
  run_folder folder(s.out, s.resume);
  const dataset<backend, value_range> train_set(b, train.dims, train.pixels.data()),
      test_set(b, test.dims, test.pixels.data());

  trainer_options options;
  options.batch_size = s.batch_size;
  options.seed = s.seed;
  options.average_decay = s.ema;
  options.last_step = method.last_step;
  const reconstructor network(image, s.widths);
  trainer<backend, value_range, reconstructor, D, S, Target> t(b, network, std::move(degradation),
                                                               std::move(schedule), image, options);
  const index_t batches = t.batches(train_set);
  require(batches > 0, "--batch-size", [&] {
    return "found " + std::to_string(s.batch_size) + ", wanted at most the " + std::to_string(train.dims.n) +
           " training images";
  });
  const auto rate = [&,
                     cosine = warmup_cosine{s.learning_rate, s.warmup, batches * s.epochs, 0}](index_t step) {
    return s.decay == "cosine" ? cosine(step) : constant_rate{s.learning_rate}(step);
  };
  // What a checkpoint must have in common with this run beside what the trainer checks.
  std::map<std::string, std::string> must_agree{{"kind", method.kind},
                                                {"data", s.data},
                                                {"train_images", std::to_string(train.dims.n)},
                                                {"learning_rate", exact(s.learning_rate)},
                                                {"decay", s.decay}};
  if (s.decay == "cosine") {
    must_agree["epochs"] = std::to_string(s.epochs);
    must_agree["warmup"] = std::to_string(s.warmup);
  }
  if (method.adds_noise()) must_agree["beta_max"] = exact(method.beta_max);
  if (s.resume) load_checkpoint(folder.state_file(folder.last_epoch()), t, must_agree);

  const latent_source latents =
      make_latents(b, default_latent(method.kind), method.kind, method.steps, s.data, train);
  const draw_latents draw = drawing_of(b, latents);
  save_latents(folder.file("latents.safetensors"), latents);
  trained_model model{method, s.data, {}, network, {}};
  if (latents.policy == "histogram") model.histogram = latents.counts;
  std::printf("%s: %td training and %td test images of %s, %td parameters, %d threads, into %s\n",
              method.kind.c_str(), train.dims.n, test.dims.n, to_string(image).c_str(),
              network.parameter_count(), b.threads(), s.out.c_str());
  if (s.resume) std::printf("resumed after epoch %d\n", folder.last_epoch());

  for (int epoch = folder.last_epoch() + 1; epoch <= s.epochs; ++epoch) {
    char title[48], note[48];
    std::snprintf(title, sizeof title, "epoch %d/%d", epoch, s.epochs);
    double train_loss = 0, train_seconds = 0;
    const auto start = std::chrono::steady_clock::now();
    const auto seconds = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    {
      progress_bar bar(title, static_cast<double>(batches), "images", static_cast<double>(s.batch_size));
      train_loss = t.train_epoch(train_set, epoch, rate, [&](batch_progress p) {
        stop_if_requested();
        std::snprintf(note, sizeof note, "loss %.5f", p.loss);
        bar.update(static_cast<double>(p.batch), note);
      });
      train_seconds = bar.seconds();
    }
    const double test_loss = t.test_loss(test_set);
    model.parameters = to_host(b, t.best());

    if (s.samples > 0) {
      any_network<backend> current(predictor<backend, reconstructor>(b, network, image, model.parameters));
      const std::vector<float> unit =
          to_unit(draw_samples(b, current, model, draw, grid_sampling(method, s.samples, s.seed)));
      const auto columns = static_cast<index_t>(std::ceil(std::sqrt(s.samples)));
      save_png(folder.file("samples-" + std::to_string(epoch) + ".png"),
               image_grid(tensor_view<const float>(unit.data(), image.with_n(s.samples)), columns, 2, 2, 64));
    }
    const double images_per_second = static_cast<double>(batches * s.batch_size) / train_seconds;
    folder.append_log({{"epoch", epoch},
                       {"train_loss", train_loss},
                       {"test_loss", test_loss},
                       {"images_per_second", images_per_second},
                       {"seconds", seconds()}},
                      epoch - 1);
    folder.add_checkpoint(epoch, [&](const std::string& aside) {
      save_checkpoint(aside + "/state.safetensors", t, epoch, must_agree);
      save_model(aside + "/model.safetensors", model);
    });
    save_model(folder.file("model.safetensors"), model);
    std::printf("epoch %d/%d: train loss %.5f, test loss %.5f, %.0f images/s, %.1f s\n", epoch, s.epochs,
                train_loss, test_loss, images_per_second, seconds());
    std::fflush(stdout);
    stop_if_requested();
  }
}

/// Trains a zoom model; the interpolation is all in which they differ.
template <coldzoom::Interpolation I> void train_zoom(const char* kind, const training_settings& s) {
  const int steps = s.steps == 0 ? find_kind("train", kind).steps : s.steps;
  train_model<coldzoom::predict_x0>({kind, steps, steps, 0}, coldzoom::zoom<I>{{}, steps},
                                    coldzoom::linear_schedule(steps), s);
}

}  // namespace programs
