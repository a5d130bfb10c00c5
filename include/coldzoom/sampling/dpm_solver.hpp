/// A sampler of second order that costs no more calls than one of first order.
#pragma once

#include <coldzoom/sampling/denoising.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// The weights of DPM-Solver++(2M): a straight step with x0_hat extrapolated from the turn before.
template <class Before, class From, class To> struct multistep_weights {
  Before before;
  From from;
  To to;
  bool first, last;

  COLDZOOM_HD denoising_weights operator()(index_t element) const {
    if (last) return {};
    const amplitudes b = before(element), a = from(element), next = to(element);
    denoising_weights w = straight_step(a, next);
    // lambda = log(signal / noise) must be finite at all three steps and must grow.
    const bool known = !first && b.noise > 0 && a.noise > 0 && next.noise > 0 && b.signal > 0 && a.signal > 0;
    if (known) {
      const double lambda = std::log(a.signal / a.noise);
      const double now = std::log(next.signal / next.noise) - lambda,
                   past = lambda - std::log(b.signal / b.noise);
      if (past > 0) w.extrapolate = now / (2 * past);
    }
    return w;
  }
};

}  // namespace detail

/// DPM-Solver++(2M) (Lu et al. 2022, "DPM-Solver++", algorithm 2): z <- noise(next) / noise(t) z +
/// (signal(next) - noise(next) / noise(t) signal(t)) D with D = x0_hat + h / (2 h_before) (x0_hat - x0_hat of
/// the step before), h the growth of log(signal / noise). Its first and last steps, and elements without
/// noise or signal, take a step of first order as ddim_sampler does. Deterministic; eight to twelve calls do
/// the work of some dozens of ddim_sampler.
struct dpm_solver_sampler {
  static constexpr const char* name = "dpm_solver";
  static constexpr bool takes_estimates = true;

  /// Clips x0_hat to the range of the images in every step.
  bool clip = true;

  /// x0_hat of the turn before.
  template <Backend B> struct state {
    typename B::template buffer<float> before;
    template <class F> void for_each_buffer(F&& f) { f("before", before); }
  };
  template <Backend B> state<B> make_state(B& b, shape z) const {
    return {b.template allocate<float>(z.size())};
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
    using weights = detail::multistep_weights<std::remove_const_t<decltype(before)>,
                                              std::remove_const_t<decltype(estimate.amplitude)>,
                                              std::remove_const_t<decltype(to)>>;
    detail::denoise(b, turn, estimate, z,
                    weights{before, estimate.amplitude, to, turn.before == 0, turn.next == 0}, false,
                    s.before.data());
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
