/// The deterministic sampler of added noise.
#pragma once

#include <algorithm>
#include <coldzoom/sampling/denoising.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// straight_step for each element, and x0_hat itself in the last turn.
template <class From, class To> struct straight_weights {
  From from;
  To to;
  bool last;

  COLDZOOM_HD denoising_weights operator()(index_t element) const {
    return last ? denoising_weights{} : straight_step(from(element), to(element));
  }
};

}  // namespace detail

/// z <- signal(next) x0_hat + sqrt(noise(next)^2 - sigma^2) e + sigma n, and x0_hat itself in the last step
/// (Song, Meng, Ermon 2021, equation 12), e the noise that leads from x0_hat to z, n fresh noise. Good with
/// few calls. With sigma = 0 it needs nothing but amplitudes, so it undoes any additive degradation, fields
/// among them, and is Euler's method for flow matching.
struct ddim_sampler {
  static constexpr const char* name = "ddim";
  static constexpr bool takes_estimates = true;

  /// Clips x0_hat to the range of the images in every step.
  bool clip = true;
  /// sigma in parts of that of ancestral sampling, 0 to 1: 0 for a map from initial state to sample without
  /// noise.
  double eta = 0;

  template <Backend B> using state = detail::no_state;
  template <Backend B> state<B> make_state(B&, shape) const { return {}; }

  /// As ddpm_sampler, with any additive degradation and schedule where eta is 0. Throws `error` for eta out
  /// of range, and for eta above 0 with a degradation that is not VariancePreserving or a schedule that is no
  /// NoiseSchedule.
  template <Backend B, class M, class D, class S, class Z, class Observer = no_observer>
  void operator()(B& b, M& model, const D& degradation, const S& schedule, int calls, key_sequence keys,
                  const Z& z, Observer&& observer = {}) const {
    if constexpr (detail::check_additive<D>()) {
      check_eta<D, S>();
      detail::sample(*this, b, model, degradation, schedule, calls, keys, z, observer);
    }
  }

  template <Backend B, class Turn, class Estimate, class Batch>
  void advance(B& b, state<B>&, const Turn& turn, const Estimate& estimate, const Batch& z) const {
    using D = std::remove_cvref_t<decltype(turn.degradation)>;
    using S = std::remove_cvref_t<decltype(turn.schedule)>;
    static_assert(detail::check_additive<D>() || true);  // the check itself says what is missing
    check_eta<D, S>();
    if constexpr (NoiseSchedule<S> && VariancePreserving<D>) {
      if (eta > 0 && turn.next > 0) {
        const auto& s = turn.schedule;
        const double ratio = s.signal(turn.t) / s.signal(turn.next), beta = 1 - ratio * ratio;
        const double noise = s.noise(turn.t), after = s.noise(turn.next);
        const double sigma = eta * after / noise * std::sqrt(beta);
        const double keep = std::sqrt(std::max(0.0, after * after - sigma * sigma)) / noise;
        const detail::uniform_weights weights{
            {keep, s.signal(turn.next) - keep * s.signal(turn.t), sigma, 0}};
        return detail::denoise(b, turn, estimate, z, weights, sigma > 0);
      }
    }
    const auto to = detail::amplitudes_at(turn.degradation, turn.schedule, turn.next, z.dims.with_n(1));
    using weights = detail::straight_weights<std::remove_const_t<decltype(estimate.amplitude)>, decltype(to)>;
    detail::denoise(b, turn, estimate, z, weights{estimate.amplitude, to, turn.next == 0}, false);
  }

 private:
  template <class D, class S> void check_eta() const {
    require(eta >= 0 && eta <= 1, "ddim_sampler",
            [&] { return "eta is " + std::to_string(eta) + "; it must be 0 to 1"; });
    require(eta == 0 || (NoiseSchedule<S> && VariancePreserving<D>), "ddim_sampler", [&] {
      return "eta is " + std::to_string(eta) +
             "; without variance-preserving noise and a schedule of it, such as gaussian_noise and "
             "ddpm_schedule, it must be 0";
    });
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
