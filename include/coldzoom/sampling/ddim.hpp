/// The deterministic sampler of denoising diffusion.
#pragma once

#include <coldzoom/sampling/denoising.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// z <- signal(next) x0_hat + sqrt(noise(next)^2 - sigma^2) e + sigma n, and x0_hat itself in the last step
/// (Song, Meng, Ermon 2021, equation 12), with x0_hat = (z - noise(t) e) / signal(t), e from the network and
/// n fresh noise. Good with few calls.
struct ddim_sampler {
  static constexpr const char* name = "ddim";

  /// Clips x0_hat to the range of the images in every step; e is then what leads from it to z.
  bool clip = true;
  /// sigma in parts of that of ancestral sampling, 0 to 1: 0 for a map from latent to sample without noise.
  double eta = 0;

  /// As ddpm_sampler. Throws `error` for eta out of range.
  template <Backend B, class Predict, class S, ValueRange R, class Observer = no_observer>
  void operator()(B& b, Predict& predict, const gaussian_noise&, const S& schedule, int calls,
                  key_sequence keys, image_batch<R, float, typename B::space> z,
                  Observer&& observer = {}) const {
    require(eta >= 0 && eta <= 1, "ddim_sampler",
            [&] { return "eta is " + std::to_string(eta) + "; it must be 0 to 1"; });
    detail::denoise<B>(b, predict, schedule, calls, clip, keys, z, observer, [&](int t, int next) {
      if (next == 0) return detail::denoising_weights{0, 1, 0};
      const double ratio = schedule.signal(t) / schedule.signal(next), beta = 1 - ratio * ratio;
      const double noise = schedule.noise(t), after = schedule.noise(next);
      const double sigma = eta * after / noise * std::sqrt(beta);
      const double keep = std::sqrt(after * after - sigma * sigma) / noise;
      return detail::denoising_weights{keep, schedule.signal(next) - keep * schedule.signal(t), sigma};
    });
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
