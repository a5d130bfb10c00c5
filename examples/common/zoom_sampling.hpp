/// Sampling from a zoom model, as `sample` and the training programs do it.
#pragma once

#include <functional>

#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/zoom_model.hpp"

namespace programs {

using draw_latents = std::function<void(backend&, coldzoom::key_sequence, host_images)>;

/// The original's latents, independent pixels, from the counts of a model or of the data.
inline draw_latents histogram_latents(const zoom_model& model, const histogram_counts& counts) {
  const coldzoom::shape image = model.network.image();
  const auto at = coldzoom::zoom<coldzoom::nearest>{}.window(model.steps, image.h, image.w);
  return [latent = coldzoom::pixel_histogram<value_range>(counts, at.h, at.w)](
             backend& b, coldzoom::key_sequence keys, host_images out) { latent.draw(b, keys, out); };
}

/// Whole centres of images.
inline draw_latents patch_latents(backend& b, const zoom_model& model,
                                  const coldzoom::labelled_images& images) {
  const auto at = coldzoom::zoom<coldzoom::nearest>{}.window(model.steps, images.dims.h, images.dims.w);
  const coldzoom::shape dims{images.dims.n, images.dims.c, at.h, at.w};
  return with_interpolation(model.kind, [&](auto interpolation) -> draw_latents {
    using bank = coldzoom::patch_bank<value_range, decltype(interpolation), backend>;
    const auto latent = std::make_shared<const bank>(b, dims, centres(images, at), interpolation);
    return
        [latent](backend& on, coldzoom::key_sequence keys, host_images out) { latent->draw(on, keys, out); };
  });
}

struct sampling_options {
  std::string sampler = "naive";
  int calls = 0;  // network calls; 0 for one per step of the model
  std::uint64_t seed = 0;
  coldzoom::index_t count = 64;
};

/// observe(first sample of the batch, t, state, x0_hat), before each step of each batch.
using sampling_observer = std::function<void(coldzoom::index_t, int, host_images, host_images)>;

/// `count` samples in [-0.5, 0.5], N x C x H x W. Sample i depends on the seed and i alone.
inline std::vector<float> draw_samples(backend& b, coldzoom::any_network<backend>& network,
                                       const zoom_model& model, const draw_latents& draw,
                                       const sampling_options& options,
                                       const sampling_observer& observe = {}) {
  using namespace coldzoom;
  constexpr index_t batch = 256;
  const shape image = model.network.image();
  const linear_schedule schedule(model.steps);
  const int calls = options.calls == 0 ? model.steps : options.calls;
  const any_degradation<backend, value_range> degradation =
      with_interpolation(model.kind, [&](auto interpolation) {
        return any_degradation<backend, value_range>(
            zoom<decltype(interpolation)>{interpolation, model.steps});
      });
  std::vector<float> samples(static_cast<std::size_t>(options.count * image.image()));
  progress_bar bar("sampling", static_cast<double>(options.count * calls), "images", 1.0 / calls);
  for (index_t first = 0; first < options.count; first += batch) {
    const index_t n = std::min(batch, options.count - first);
    const host_images z(tensor_view<float>(samples.data() + first * image.image(), image.with_n(n)));
    draw(b, key_sequence{options.seed, stream::latent, static_cast<std::uint64_t>(first)}, z);
    const key_sequence keys{options.seed, stream::sampling, static_cast<std::uint64_t>(first)};
    index_t done = 0;
    const auto watch = [&](int t, host_images state, host_images x0_hat) {
      stop_if_requested();
      if (observe) observe(first, t, state, x0_hat);
      bar.update(static_cast<double>(first * calls + ++done * n));
    };
    if (options.sampler == "naive") {
      naive_sampler{}(b, network, degradation, schedule, calls, keys, z, watch);
    } else {
      require(options.sampler == "tacos", "sampler",
              [&] { return "found '" + options.sampler + "', wanted naive or tacos"; });
      tacos_sampler{}(b, network, degradation, schedule, calls, keys, z, watch);
    }
  }
  return samples;
}

}  // namespace programs
