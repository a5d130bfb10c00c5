#include "common/train_model.hpp"

#include <chrono>
#include <cmath>
#include <coldzoom/training/checkpoint.hpp>
#include <cstdio>
#include <map>
#include <utility>

#include "common/any_backend.hpp"
#include "common/image_set.hpp"
#include "common/on_backend.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/run_folder.hpp"
#include "common/safetensors.hpp"

namespace programs {

namespace {

using namespace coldzoom;

/// What a checkpoint must have in common with a run beside what the trainer checks.
std::map<std::string, std::string> settings_to_keep(const model_method& method, const training_settings& s,
                                                    index_t images) {
  std::map<std::string, std::string> keep{{"kind", method.kind},
                                          {"data", s.data},
                                          {"train_images", std::to_string(images)},
                                          {"learning_rate", exact(s.learning_rate)},
                                          {"decay", s.decay}};
  if (s.decay == "cosine") {
    keep["epochs"] = std::to_string(s.epochs);
    keep["warmup"] = std::to_string(s.warmup);
  }
  if (method.adds_noise()) keep["beta_max"] = exact(method.beta_max);
  return keep;
}

void save_samples_of(any_backend& b, const trained_model& model, const latent_source& latents,
                     const training_settings& s, const std::string& path) {
  const std::vector<float> samples =
      b.run(model)->draw(latents, grid_sampling(model.method, s.samples, s.seed));
  save_grid(path, {model.network.image().with_n(s.samples), to_unit(samples)}, s.samples);
}

/// `degradation` and `schedule` are those of the method, `Target` is what it predicts.
template <class Target, class B, class D, Schedule S>
void train_to_undo(B& b, backend& host, const model_method& method, D degradation, S schedule,
                   const training_settings& s) {
  const split_pair data = load_run_data(s);
  const index_t images = data.train.dims.n;
  const shape image = data.train.dims.with_n(1);
  require(method.adds_noise() || method.steps < std::min(image.h, image.w), "--steps", [&] {
    return "found " + std::to_string(method.steps) + ", wanted 1 to " +
           std::to_string(std::min(image.h, image.w) - 1) + " for images of " + to_string(image);
  });
  run_folder folder(s.out, s.resume);
  const dataset<B, value_range> train_set(b, data.train.dims, data.train.pixels.data()),
      test_set(b, data.test.dims, data.test.pixels.data());

  trainer_options options;
  options.batch_size = s.batch_size;
  options.seed = s.seed;
  options.average_decay = s.ema;
  options.last_step = method.last_step;
  const reconstructor network(image, s.widths);
  trainer<B, value_range, reconstructor, D, S, Target> t(b, network, std::move(degradation),
                                                         std::move(schedule), image, options);
  const index_t batches = t.batches(train_set);
  const auto rate = [&,
                     cosine = warmup_cosine{s.learning_rate, s.warmup, batches * s.epochs, 0}](index_t step) {
    return s.decay == "cosine" ? cosine(step) : constant_rate{s.learning_rate}(step);
  };
  const std::map<std::string, std::string> keep = settings_to_keep(method, s, images);
  if (s.resume) load_checkpoint(folder.state_file(folder.last_epoch()), t, keep);

  const std::unique_ptr<any_backend> any = any_backend_on(b, host);
  const latent_source latents =
      make_latents(*any, default_latent(method.kind), method.kind, method.steps, s.data, data.train);
  save_latents(folder.file("latents.safetensors"), latents);
  trained_model model{method, s.data, {}, network, {}};
  if (latents.policy == "histogram") model.histogram = latents.counts;
  std::printf("%s: %td training and %td test images of %s, %td parameters, %s, into %s\n",
              method.kind.c_str(), images, data.test.dims.n, to_string(image).c_str(),
              parameter_count(network), describe(b).c_str(), s.out.c_str());
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
      save_samples_of(*any, model, latents, s, folder.file("samples-" + std::to_string(epoch) + ".png"));
    }
    const double images_per_second = static_cast<double>(batches * s.batch_size) / train_seconds;
    folder.append_log({{"epoch", epoch},
                       {"train_loss", train_loss},
                       {"test_loss", test_loss},
                       {"images_per_second", images_per_second},
                       {"seconds", seconds()}},
                      epoch - 1);
    folder.add_checkpoint(epoch, [&](const std::string& aside) {
      save_checkpoint(aside + "/state.safetensors", t, epoch, keep);
      save_model(aside + "/model.safetensors", model);
    });
    save_model(folder.file("model.safetensors"), model);
    std::printf("epoch %d/%d: train loss %.5f, test loss %.5f, %.0f images/s, %.1f s\n", epoch, s.epochs,
                train_loss, test_loss, images_per_second, seconds());
    std::fflush(stdout);
    stop_if_requested();
  }
}

}  // namespace

void add_training_options(options& o, training_settings& s) {
  add_run_options(o, s);
  o.add("--decay", s.decay, "of the learning rate: constant, or cosine to 0 over all epochs")
      .one_of({"constant", "cosine"});
  o.add("--widths", s.widths, "hidden channels of the network, two or more").separated_by(',').range(1, 4096);
  o.add("--steps", s.steps, "T, 0 for the original's: 24 (nearest), 23 (bilinear), 1000 (ddpm)").at_least_0();
  o.add("--samples", s.samples, "images in the grid of each epoch, 0 for none").range(0, 10000);
}

void train_model(const model_method& method, training_settings s) {
  apply_smoke(s);
  if (s.smoke) s.samples = std::min(s.samples, 16);
  // One trainer for every zoom: the interpolation is chosen once a batch.
  on_backend(s.on, [&]<class B>(B& b, backend& host) {
    if (method.adds_noise()) {
      train_to_undo<predict_noise>(b, host, method, gaussian_noise{}, noise_schedule(method), s);
    } else {
      train_to_undo<predict_x0>(b, host, method, degradation_on<B>(method), linear_schedule(method.steps), s);
    }
  });
}

double test_loss(const trained_model& model, const labelled_images& images, index_t draws,
                 const backend_choice& on) {
  const shape image = model.network.image();
  trainer_options options;
  options.last_step = model.method.last_step;
  double loss = 0;
  on_backend(on, [&]<class B>(B& b, backend&) {
    const dataset<B, value_range> set(b, images.dims, images.pixels.data());
    const auto measure = [&](auto&& t) {
      b.upload(model.parameters.data(), t.parameters().data(), t.parameters().size());
      loss = t.test_loss(set, draws);
    };
    if (model.method.adds_noise()) {
      measure(trainer<B, value_range, reconstructor, gaussian_noise, ddpm_schedule, predict_noise>(
          b, model.network, gaussian_noise{}, noise_schedule(model.method), image, options));
    } else {
      using degradation = any_degradation<B, value_range>;
      measure(trainer<B, value_range, reconstructor, degradation, linear_schedule, predict_x0>(
          b, model.network, degradation_on<B>(model.method), linear_schedule(model.method.steps), image,
          options));
    }
  });
  return loss;
}

void train_zoom(const char* kind, const training_settings& s) {
  const int steps = s.steps == 0 ? find_kind("train", kind).steps : s.steps;
  train_model({kind, steps, steps, 0}, s);
}

}  // namespace programs
