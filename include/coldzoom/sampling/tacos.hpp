/// Algorithm 2 of Cold Diffusion.
#pragma once

#include <coldzoom/sampling/sampler.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// z += to - from. Index: element.
struct add_difference {
  const float* from;
  const float* to;
  float* z;

  COLDZOOM_HD void operator()(index_t i) const { z[i] += to[i] - from[i]; }
};

}  // namespace detail

/// z <- z - D(x0_hat, t) + D(x0_hat, next t): transformation-agnostic cold sampling (Bansal et al. 2022,
/// algorithm 2). It cancels the errors of the reconstruction to first order where the degradation leaves the
/// picture in place; for zoom it keeps the residual at fixed pixels while the picture moves, and is worse
/// than `naive_sampler`.
struct tacos_sampler {
  static constexpr const char* name = "tacos";
  static constexpr bool takes_estimates = false;  // x0_hat is all that it needs

  float noise = 0;  // deviation of what is added to each state but the last, in units of pixels

  template <Backend B> struct state {
    typename B::template buffer<float> from, to;  // scratch: nothing in them lives from turn to turn
    template <class F> void for_each_buffer(F&&) {}
  };
  template <Backend B> state<B> make_state(B& b, shape z) const {
    return {b.template allocate<float>(z.size()), b.template allocate<float>(z.size())};
  }

  /// As naive_sampler; the last step too adds D(x0_hat, 0) - D(x0_hat, t) to z. A random degradation must be
  /// given the keys that made z, for otherwise D(x0_hat, t) cancels nothing.
  template <Backend B, class M, class D, class S, class Z, class Observer = no_observer>
  void operator()(B& b, M& model, const D& degradation, const S& schedule, int calls, key_sequence keys,
                  const Z& z, Observer&& observer = {}) const {
    detail::sample(*this, b, model, degradation, schedule, calls, keys, z, observer);
  }

  template <Backend B, class Turn, class Batch>
  void advance(B& b, state<B>& s, const Turn& turn, const Batch& z) const {
    const auto degraded = [&](int t, float* memory) {
      detail::degrade_to(b, turn.degradation, turn.schedule, t, turn.keys, turn.levels, turn.x0_hat,
                         Batch(tensor_view<float, typename B::space>(memory, z.dims)));
      return memory;
    };
    const float* const from = degraded(turn.t, s.from.data());
    const float* const to = degraded(turn.next, s.to.data());
    b.for_each_index(z.dims.size(), detail::add_difference{from, to, z.data});
    detail::add_step_noise(b, noise, turn, z);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
