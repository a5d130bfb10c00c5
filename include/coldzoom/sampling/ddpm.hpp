/// The ancestral sampler of denoising diffusion.
#pragma once

#include <coldzoom/sampling/denoising.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// z <- (z - beta / noise(t) e) / sqrt(1 - beta) + sqrt(beta) n, e the noise that the model finds in z, n
/// fresh noise except in the last step (Ho, Jain, Abbeel 2020, algorithm 2, sigma^2 = beta). With fewer calls
/// than steps, beta = 1 - (signal(t) / signal(next t))^2, the variance between the steps taken (Nichol and
/// Dhariwal 2021, equation 19); with all of them it is the schedule's. Clipping x0_hat (equation 7 of Ho et
/// al.) is needed where beta comes close to 1: the error of e is divided by sqrt(1 - beta).
struct ddpm_sampler {
  static constexpr const char* name = "ddpm";
  static constexpr bool takes_estimates = true;

  /// Clips x0_hat to the range of the images in every step.
  bool clip = true;

  template <Backend B> using state = detail::no_state;
  template <Backend B> state<B> make_state(B&, shape) const { return {}; }

  /// `z` holds noise and becomes the samples; `keys` name the fresh noise. The degradation is
  /// VariancePreserving, the schedule a NoiseSchedule. `calls` calls of the model. Samples depend on z and
  /// the key of their place alone.
  template <Backend B, class M, class D, class S, class Z, class Observer = no_observer>
  void operator()(B& b, M& model, const D& degradation, const S& schedule, int calls, key_sequence keys,
                  const Z& z, Observer&& observer = {}) const {
    if constexpr (detail::check_additive<D>() && detail::check_variance_preserving<D>() &&
                  detail::check_noise_schedule<S>()) {
      detail::sample(*this, b, model, degradation, schedule, calls, keys, z, observer);
    }
  }

  template <Backend B, class Turn, class Estimate, class Batch>
  void advance(B& b, state<B>&, const Turn& turn, const Estimate& estimate, const Batch& z) const {
    using D = std::remove_cvref_t<decltype(turn.degradation)>;
    using S = std::remove_cvref_t<decltype(turn.schedule)>;
    // The checks themselves say what is missing.
    static_assert((detail::check_additive<D>() && detail::check_variance_preserving<D>() &&
                   detail::check_noise_schedule<S>()) ||
                  true);
    const double ratio = turn.schedule.signal(turn.t) / turn.schedule.signal(turn.next),
                 beta = 1 - ratio * ratio;
    const double noise = turn.schedule.noise(turn.t), before = turn.schedule.noise(turn.next);
    const detail::uniform_weights weights{{ratio * before * before / (noise * noise),
                                           turn.schedule.signal(turn.next) * beta / (noise * noise),
                                           turn.next > 0 ? std::sqrt(beta) : 0, 0}};
    detail::denoise(b, turn, estimate, z, weights, weights.value.spread > 0);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
