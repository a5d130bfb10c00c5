/// What the samplers of denoising diffusion share: the walk with a network that predicts the noise.
#pragma once

#include <cmath>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/sampling/sampler.hpp>
#include <limits>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Explains what is missing where `S` is no schedule for these samplers.
template <class S> consteval bool check_noise_schedule() {
  constexpr bool noise = NoiseSchedule<S>;
  static_assert(noise,
                "coldzoom: this sampler undoes Gaussian noise: give it a schedule with `double beta(int t) "
                "const`, `signal` and `noise`, such as ddpm_schedule; see docs/concepts/schedule.md");
  return noise;
}

/// x0_hat = (z - noise e) / signal, clipped to [low, high]. In double: where little signal is left, float
/// would lose what the next step has to cancel.
struct clean_estimate {
  double signal, noise, low, high;

  COLDZOOM_HD double operator()(float z, float e) const {
    const double x0 = (static_cast<double>(z) - noise * static_cast<double>(e)) / signal;
    return x0 < low ? low : x0 > high ? high : x0;
  }
};

/// Index: element.
struct estimate_clean {
  clean_estimate estimate;
  const float* z;
  const float* e;
  float* x0_hat;

  COLDZOOM_HD void operator()(index_t i) const { x0_hat[i] = static_cast<float>(estimate(z[i], e[i])); }
};

/// One step of every such sampler: z <- keep z + add x0_hat + spread (fresh noise).
struct denoising_weights {
  double keep, add, spread;
};

/// Four elements of one image. Index: [n][quarter of an image, rounded up].
struct take_denoising_step {
  clean_estimate estimate;
  denoising_weights weights;
  key_sequence keys;
  index_t first_block, image, quads;
  const float* e;
  float* z;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / quads, quad = i % quads, first = n * image + 4 * quad;
    const four_normals fresh = weights.spread > 0
                                   ? random_normals(keys[n], static_cast<std::uint32_t>(first_block + quad))
                                   : four_normals{};
    for (index_t j = 0; j < 4 && 4 * quad + j < image; ++j) {
      const float before = z[first + j];
      z[first + j] = static_cast<float>(weights.keep * static_cast<double>(before) +
                                        weights.add * estimate(before, e[first + j]) +
                                        weights.spread * static_cast<double>(fresh.value[j]));
    }
  }
};

/// predict(z, t / T, e), x0_hat from it, observer(t, z, x0_hat), then the step that weights_of(t, next)
/// names. The noise of step t is elements t * image .. of the sample's key (the image rounded up to a
/// multiple of 4).
template <class B, class Predict, class S, ValueRange R, class Observer, class Weights>
void denoise(B& b, Predict& predict, const S& schedule, int calls, bool clip, key_sequence keys,
             image_batch<R, float, typename B::space> z, Observer& observer, Weights&& weights_of) {
  if constexpr (check_sampling<Predict, S, B>() && check_noise_schedule<S>()) {
    using batch = image_batch<R, float, typename B::space>;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const double low = clip ? static_cast<double>(R::low) : -infinity;
    const double high = clip ? static_cast<double>(R::high) : infinity;
    const index_t size = z.dims.size(), image = z.dims.image(), quads = (image + 3) / 4;
    require(quads < (index_t{1} << 32) / (schedule.steps() + 1), "denoise", [&] {
      return "there are " + std::to_string(schedule.steps()) + " steps of " + std::to_string(image) +
             " values each; a key has 2^34 random numbers";
    });
    auto memory = b.template allocate<float>(size), noise_memory = b.template allocate<float>(size);
    const batch x0_hat(tensor_view<float, typename B::space>(memory.data(), z.dims));
    const image_tensor<B> e(noise_memory.data(), z.dims);
    for_each_step(schedule, calls, [&](int t, int next, float time) {
      predict(const_image_tensor<B>(z), time, e);
      const clean_estimate estimate{schedule.signal(t), schedule.noise(t), low, high};
      b.for_each_index(size, estimate_clean{estimate, z.data, e.data, x0_hat.data}, 4);
      observer(t, z, x0_hat);
      b.for_each_index(
          z.dims.n * quads,
          take_denoising_step{estimate, weights_of(t, next), keys, t * quads, image, quads, e.data, z.data},
          120);
    });
  }
}

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
