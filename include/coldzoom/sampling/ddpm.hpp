/// The ancestral sampler of denoising diffusion.
#pragma once

#include <coldzoom/sampling/denoising.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// z <- (z - beta / noise(t) e) / sqrt(1 - beta) + sqrt(beta) n, e from the network, n fresh noise except in
/// the last step (Ho, Jain, Abbeel 2020, algorithm 2, sigma^2 = beta). With fewer calls than steps, beta = 1
/// - (signal(t) / signal(next t))^2, the variance between the steps taken (Nichol and Dhariwal 2021, equation
///   19); with all of them it is the schedule's.
struct ddpm_sampler {
  static constexpr const char* name = "ddpm";

  /// Clips x0_hat to the range of the images in every step, by the same formula written with x0_hat (Ho et
  /// al. 2020, equation 7). Needed where beta comes close to 1: it divides what is wrong in e by sqrt(1 -
  /// beta).
  bool clip = true;

  /// `z` holds noise and becomes the samples; `keys` name the fresh noise. `predict` answers with the noise
  /// in z. `calls` network calls. Samples depend on z and the key of their place alone.
  template <Backend B, class Predict, class S, ValueRange R, class Observer = no_observer>
  void operator()(B& b, Predict& predict, const gaussian_noise&, const S& schedule, int calls,
                  key_sequence keys, image_batch<R, float, typename B::space> z,
                  Observer&& observer = {}) const {
    detail::denoise<B>(b, predict, schedule, calls, clip, keys, z, observer, [&](int t, int next) {
      const double ratio = schedule.signal(t) / schedule.signal(next), beta = 1 - ratio * ratio;
      const double noise = schedule.noise(t), before = schedule.noise(next);
      return detail::denoising_weights{ratio * before * before / (noise * noise),
                                       schedule.signal(next) * beta / (noise * noise),
                                       next > 0 ? std::sqrt(beta) : 0};
    });
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
