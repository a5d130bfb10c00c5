/// Sampling from a model of any kind, as `sample` and the training programs do it.
#pragma once

#include "common/latents.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"

namespace programs {

struct sampling_options {
  std::string sampler;  // empty for the first that fits the model
  int calls = 0;        // network calls; 0 for one per step of the model
  std::uint64_t seed = 0;
  coldzoom::index_t count = 64;
  bool clip = true;  // x0_hat, of ddpm and ddim
  double eta = 0;    // of ddim
};

/// The sampler to use. Throws coldzoom::error where the wanted one does not fit what the network predicts.
inline std::string fitting_sampler(const model_method& method, const std::string& wanted) {
  const bool noise = method.adds_noise();
  const std::string first = noise ? "ddpm" : "naive", second = noise ? "ddim" : "tacos";
  if (wanted.empty()) return first;
  coldzoom::require(wanted == first || wanted == second, "--sampler", [&] {
    return "found " + wanted + ", wanted " + first + " or " + second + ": a " + method.kind +
           " model predicts " + (noise ? "the noise" : "x0");
  });
  return wanted;
}

/// observe(first sample of the batch, t, state, x0_hat), before each step of each batch.
using sampling_observer = std::function<void(coldzoom::index_t, int, host_images, host_images)>;

/// Turns the latents z of one batch into samples. `keys` name its randomness, `watch` observes.
template <class Watch>
void walk_to_samples(backend& b, coldzoom::any_network<backend>& network, const model_method& method,
                     const sampling_options& options, int calls, coldzoom::key_sequence keys, host_images z,
                     Watch& watch) {
  using namespace coldzoom;
  const std::string sampler = fitting_sampler(method, options.sampler);
  if (method.adds_noise()) {
    const ddpm_schedule schedule = noise_schedule(method);
    if (sampler == "ddpm") {
      ddpm_sampler{options.clip}(b, network, gaussian_noise{}, schedule, calls, keys, z, watch);
    } else {
      ddim_sampler{options.clip, options.eta}(b, network, gaussian_noise{}, schedule, calls, keys, z, watch);
    }
    return;
  }
  const linear_schedule schedule(method.steps);
  const auto degradation = degradation_of(method);
  if (sampler == "naive") {
    naive_sampler{}(b, network, degradation, schedule, calls, keys, z, watch);
  } else {
    tacos_sampler{}(b, network, degradation, schedule, calls, keys, z, watch);
  }
}

/// `count` samples in [-0.5, 0.5], N x C x H x W. Sample i depends on the seed and i alone.
inline std::vector<float> draw_samples(backend& b, coldzoom::any_network<backend>& network,
                                       const trained_model& model, const draw_latents& draw,
                                       const sampling_options& options,
                                       const sampling_observer& observe = {}) {
  using namespace coldzoom;
  constexpr index_t batch = 256;
  const shape image = model.network.image();
  const int calls = options.calls == 0 ? model.method.steps : options.calls;
  std::vector<float> samples(static_cast<std::size_t>(options.count * image.image()));
  progress_bar bar("sampling", static_cast<double>(options.count * calls), "images", 1.0 / calls);
  for (index_t first = 0; first < options.count; first += batch) {
    const index_t n = std::min(batch, options.count - first);
    const host_images z(tensor_view<float>(samples.data() + first * image.image(), image.with_n(n)));
    draw(b, key_sequence{options.seed, stream::latent, static_cast<std::uint64_t>(first)}, z);
    index_t done = 0;
    auto watch = [&](int t, host_images state, host_images x0_hat) {
      stop_if_requested();
      if (observe) observe(first, t, state, x0_hat);
      bar.update(static_cast<double>(first * calls + ++done * n));
    };
    walk_to_samples(b, network, model.method, options, calls,
                    key_sequence{options.seed, stream::sampling, static_cast<std::uint64_t>(first)}, z,
                    watch);
  }
  return samples;
}

}  // namespace programs
