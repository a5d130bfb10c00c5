/// Sampling on any backend. draw_samples of sampling.hpp is this for the CPU, compiled once.
#pragma once

#include <algorithm>

#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/sampling.hpp"

namespace programs {

namespace detail {

/// Turns the latents z of one batch into samples. `keys` name its randomness, `watch` observes.
template <class B, class Watch>
void walk_to_samples(B& b, coldzoom::any_network<B>& network, const model_method& method,
                     const sampling_options& options, int calls, coldzoom::key_sequence keys, images_on<B> z,
                     Watch& watch) {
  using namespace coldzoom;
  const std::string sampler = fitting_sampler(method, options);
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
  const auto degradation = degradation_on<B>(method);
  if (sampler == "naive") {
    naive_sampler{}(b, network, degradation, schedule, calls, keys, z, watch);
  } else {
    tacos_sampler{}(b, network, degradation, schedule, calls, keys, z, watch);
  }
}

/// The images themselves where they lie in host memory, else a copy of them in `memory`.
template <class B> host_images seen_by_host(B& b, images_on<B> images, std::vector<float>& memory) {
  if constexpr (std::same_as<typename B::space, coldzoom::host_space>) {
    return images;
  } else {
    memory.resize(static_cast<std::size_t>(images.dims.size()));
    b.download(images.data, memory.data(), images.dims.size());
    return host_images(coldzoom::tensor_view<float>(memory.data(), images.dims));
  }
}

}  // namespace detail

template <class B>
std::vector<float> draw_samples(B& b, coldzoom::any_network<B>& network, const trained_model& model,
                                const draw_latents_on<B>& draw, const sampling_options& options,
                                const sampling_observer& observe = {}) {
  using namespace coldzoom;
  constexpr index_t batch = 256;
  const shape image = model.network.image();
  const int calls = options.calls == 0 ? model.method.steps : options.calls;
  std::vector<float> samples(static_cast<std::size_t>(options.count * image.image())), state_copy, x0_copy;
  auto memory = b.template allocate<float>(std::min(batch, options.count) * image.image());
  progress_bar bar("sampling", static_cast<double>(options.count * calls), "images", 1.0 / calls);
  for (index_t first = 0; first < options.count; first += batch) {
    const index_t n = std::min(batch, options.count - first);
    const images_on<B> z(tensor_view<float, typename B::space>(memory.data(), image.with_n(n)));
    draw(b, key_sequence{options.seed, stream::latent, static_cast<std::uint64_t>(first)}, z);
    index_t done = 0;
    auto watch = [&](int t, images_on<B> state, images_on<B> x0_hat) {
      stop_if_requested();
      if (observe) {
        observe(first, t, detail::seen_by_host(b, state, state_copy),
                detail::seen_by_host(b, x0_hat, x0_copy));
      }
      bar.update(static_cast<double>(first * calls + ++done * n));
    };
    detail::walk_to_samples(b, network, model.method, options, calls,
                            key_sequence{options.seed, stream::sampling, static_cast<std::uint64_t>(first)},
                            z, watch);
    b.download(z.data, samples.data() + first * image.image(), z.dims.size());
  }
  return samples;
}

}  // namespace programs
