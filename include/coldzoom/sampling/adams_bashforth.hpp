/// A multistep sampler for noise that fades along straight lines.
#pragma once

#include <coldzoom/sampling/denoising.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Index: element. `clean` and `noise` are those of the turn before, and become those of this one.
template <class Estimate, class Before, class To> struct take_multistep {
  Estimate estimate;
  Before before;
  To to;
  double extrapolate;  // 0 in the first turn
  bool last;           // to the clean image, whatever noise a schedule leaves at step 0
  index_t image;
  const float* y;
  float* z;
  float* clean;
  float* noise;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t element = i % image;
    const amplitudes a = estimate.amplitude(element), next = last ? amplitudes{} : to(element);
    const double x0_hat = estimate(element, z[i], y[i]);
    // The noise that leads from x0_hat to z; where there is none in z it plays no part.
    const double e = a.noise > 0 ? (static_cast<double>(z[i]) - a.signal * x0_hat) / a.noise : 0;
    double x0 = x0_hat, e_hat = e;
    // An element that sets out now has no step before.
    if (extrapolate > 0 && a.noise > 0 && before(element).noise > a.noise) {
      x0 += extrapolate * (x0_hat - static_cast<double>(clean[i]));
      e_hat += extrapolate * (e - static_cast<double>(noise[i]));
    }
    clean[i] = static_cast<float>(x0_hat);
    noise[i] = static_cast<float>(e);
    z[i] = static_cast<float>(static_cast<double>(z[i]) + (next.signal - a.signal) * x0 +
                              (next.noise - a.noise) * e_hat);
  }
};

}  // namespace detail

/// The method of Adams and Bashforth of second order (Hairer, Norsett, Wanner 1993, section III.1):
///
///   z <- z + (signal(next) - signal(t)) X + (noise(next) - noise(t)) E,
///
/// X and E being x0_hat and the noise, extrapolated by half a step from those of the turn before; elements
/// that set out in this step take one of Euler's. With flow_noise or a soft_frontier this is the
/// integration of dz / dlevel with a step of second order that costs one call of the model, and 8 to 12 calls
/// do the work of some dozens of ddim_sampler. Deterministic.
struct adams_bashforth_sampler {
  static constexpr const char* name = "adams_bashforth";
  static constexpr bool takes_estimates = true;

  /// Clips x0_hat to the range of the images in every step.
  bool clip = false;
  /// Where the calls are spent, see sampling_steps: above 1 more of them early.
  double spacing = 1;

  /// x0_hat and the noise of the turn before.
  template <Backend B> struct state {
    typename B::template buffer<float> clean, noise;
    template <class F> void for_each_buffer(F&& f) {
      f("clean", clean);
      f("noise", noise);
    }
  };
  template <Backend B> state<B> make_state(B& b, shape z) const {
    return {b.template allocate<float>(z.size()), b.template allocate<float>(z.size())};
  }

  /// As ddim_sampler with eta = 0, for any additive degradation and any schedule.
  template <Backend B, class M, class D, class S, class Z, class Observer = no_observer>
  void operator()(B& b, M& model, const D& degradation, const S& schedule, int calls, key_sequence keys,
                  const Z& z, Observer&& observer = {}) const {
    if constexpr (detail::check_additive<D>()) {
      detail::sample(*this, b, model, degradation, schedule, calls, keys, z, observer);
    }
  }

  template <Backend B, class Turn, class Estimate, class Batch>
  void advance(B& b, state<B>& s, const Turn& turn, const Estimate& estimate, const Batch& z) const {
    using D = std::remove_cvref_t<decltype(turn.degradation)>;
    static_assert(detail::check_additive<D>() || true);  // the check itself says what is missing
    const auto at = [&](int t) {
      return detail::amplitudes_at(turn.degradation, turn.schedule, t, z.dims.with_n(1));
    };
    const auto before = at(turn.before), to = at(turn.next);
    double extrapolate = 0;
    if (turn.before > 0) {
      const double level = turn.schedule.level(turn.t),
                   past = level - static_cast<double>(turn.schedule.level(turn.before));
      const double now = static_cast<double>(turn.schedule.level(turn.next)) - level;
      if (past < 0) extrapolate = now / (2 * past);
    }
    using kernel = detail::take_multistep<Estimate, std::remove_const_t<decltype(before)>,
                                          std::remove_const_t<decltype(to)>>;
    b.for_each_index(z.dims.size(),
                     kernel{estimate, before, to, extrapolate, turn.next == 0, z.dims.image(), turn.y.data,
                            z.data, s.clean.data(), s.noise.data()},
                     20);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
