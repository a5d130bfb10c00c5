/// The step that the samplers of added noise share.
#pragma once

#include <cmath>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/sampling/sampler.hpp>
#include <limits>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Explains what is missing where these samplers cannot undo `D` with schedule `S`.
template <class D> consteval bool check_additive() {
  constexpr bool additive = Additive<D>;
  static_assert(
      additive,
      "coldzoom: this sampler undoes added noise: give it a degradation with `amplitudes(level)` and "
      "`noise(key, element)`, such as gaussian_noise, or take naive_sampler or tacos_sampler; see "
      "docs/concepts/sampler.md");
  return additive;
}
template <class D> consteval bool check_variance_preserving() {
  constexpr bool preserving = VariancePreserving<D>;
  static_assert(preserving || !Additive<D>,
                "coldzoom: this sampler goes by the signal and noise of the schedule: give it "
                "gaussian_noise, or a degradation of which signal^2 + noise^2 = 1 and that says `static "
                "constexpr bool variance_preserving = true`; for others take ddim_sampler or "
                "dpm_solver_sampler; see docs/concepts/sampler.md");
  return preserving;
}
template <class S> consteval bool check_noise_schedule() {
  constexpr bool noise = NoiseSchedule<S>;
  static_assert(noise,
                "coldzoom: this sampler undoes Gaussian noise: give it a schedule with `double beta(int t) "
                "const`, `signal` and `noise`, such as ddpm_schedule; see docs/concepts/schedule.md");
  return noise;
}

/// One step of every such sampler: z <- keep z + add x + spread (fresh noise), x = x0_hat + extrapolate
/// (x0_hat - x0_hat of the turn before).
struct denoising_weights {
  double keep = 0, add = 1, spread = 0, extrapolate = 0;
};

/// The weights that lead from amplitudes `a` to `next` along the straight line through x0_hat and the noise
/// in z; where there is no noise in z, z is kept.
COLDZOOM_HD inline denoising_weights straight_step(const amplitudes& a, const amplitudes& next) {
  const double keep = a.noise > 0 ? next.noise / a.noise : 1;
  return {keep, next.signal - keep * a.signal};
}

/// Index: [n][chunk of an image].
template <class Estimate, class Weights> struct take_denoising_step {
  Estimate estimate;
  Weights weights;  // weights(element)
  bool fresh;       // whether any of them spreads
  key_sequence keys;
  std::uint64_t first_normal;
  index_t image, chunk, chunks;
  const float* y;
  float* z;
  float* before;  // x0_hat of the turn before, which becomes that of this one; or null

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / chunks, begin = i % chunks * chunk,
                  count = begin + chunk < image ? chunk : image - begin;
    float normal[normals_at_once] = {};
    if (fresh) fill_normals(keys[n], first_normal + static_cast<std::uint64_t>(begin), count, normal);
    for (index_t j = 0; j < count; ++j) {
      const index_t element = begin + j, at = n * image + element;
      const denoising_weights w = weights(element);
      const double x0_hat = estimate(element, z[at], y[at]);
      double x = x0_hat;
      if (before) {
        if (w.extrapolate != 0) x += w.extrapolate * (x0_hat - static_cast<double>(before[at]));
        before[at] = static_cast<float>(x0_hat);
      }
      z[at] = static_cast<float>(w.keep * static_cast<double>(z[at]) + w.add * x +
                                 w.spread * static_cast<double>(normal[j]));
    }
  }
};

/// The same weights for every element.
struct uniform_weights {
  denoising_weights value;
  COLDZOOM_HD denoising_weights operator()(index_t) const { return value; }
};

/// The step of all images. The noise of step t is elements t * image .. of the sample's key (the image
/// rounded up to a multiple of 4).
template <class B, class Turn, class Estimate, class Batch, class Weights>
void denoise(B& b, const Turn& turn, const Estimate& estimate, const Batch& z, const Weights& weights,
             bool fresh, float* before = nullptr) {
  const index_t image = z.dims.image(), quads = (image + 3) / 4;
  require(quads < (index_t{1} << 32) / (turn.schedule.steps() + 1), "denoise", [&] {
    return "there are " + std::to_string(turn.schedule.steps()) + " steps of " + std::to_string(image) +
           " values each; a key has 2^34 random numbers";
  });
  const index_t chunk = normals_an_index<B>(), chunks = (image + chunk - 1) / chunk;
  using kernel = take_denoising_step<Estimate, Weights>;
  b.for_each_index(z.dims.n * chunks,
                   kernel{estimate, weights, fresh, turn.keys, static_cast<std::uint64_t>(turn.t * quads) * 4,
                          image, chunk, chunks, turn.y.data, z.data, before},
                   30 * chunk);
}

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
