/// Latents and sampling on backend B, for any_backend_on.hpp.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/sampling.hpp"

namespace programs {

template <class B> using images_on = coldzoom::image_batch<value_range, float, typename B::space>;
template <class B> using draw_latents_on = std::function<void(B&, coldzoom::key_sequence, images_on<B>)>;

/// Draws from the source alone.
template <class B> draw_latents_on<B> drawing_of(B& b, const latent_source& source) {
  using namespace coldzoom;
  if (source.policy == "gaussian") {
    return
        [](B& on, key_sequence keys, images_on<B> out) { gaussian_state<value_range>{}.draw(on, keys, out); };
  }
  if (source.policy == "histogram") {
    const image_window at = source.window();
    return [latent = pixel_histogram<value_range>(source.counts, at.h, at.w)](
               B& on, key_sequence keys, images_on<B> out) { latent.draw(on, keys, out); };
  }
  std::vector<float> patches(source.patches.size());
  std::transform(source.patches.begin(), source.patches.end(), patches.begin(), from_byte<value_range>);
  return with_interpolation(source.kind, [&](auto interpolation) -> draw_latents_on<B> {
    using bank = patch_bank<value_range, decltype(interpolation), B>;
    const auto latent = std::make_shared<const bank>(b, source.patch_dims(), patches, interpolation);
    return [latent](B& on, key_sequence keys, images_on<B> out) { latent->draw(on, keys, out); };
  });
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

}  // namespace detail

/// draw of model_predictor.
template <class B>
std::vector<float> draw_samples(B& b, coldzoom::any_network<B>& network, const trained_model& model,
                                const draw_latents_on<B>& draw, const sampling_options& options,
                                const sampling_observer& observe) {
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
    draw(b, key_sequence{options.seed, stream::initial_state, static_cast<std::uint64_t>(first)}, z);
    index_t done = 0;
    auto watch = [&](int t, images_on<B> state, images_on<B> x0_hat) {
      stop_if_requested();
      if (observe) {
        observe(first, t, seen_by_host(b, state, state_copy), seen_by_host(b, x0_hat, x0_copy));
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
