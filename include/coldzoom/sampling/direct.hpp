/// Restoration in one call.
#pragma once

#include <coldzoom/sampling/sampler.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// z <- x0_hat(z, T): one call of the model, whatever number is asked for. Nearest to the original on average, where the
/// model answers with the mean of all images that fit (Bansal et al. 2022, "direct" in tables 1 to 3); blurred where
/// many do.
struct direct_sampler {
  static constexpr const char* name = "direct";
  static constexpr bool takes_estimates = false;  // x0_hat is all that it needs

  template <Backend B> using state = detail::no_state;
  template <Backend B> state<B> make_state(B&, shape) const { return {}; }

  template <class D, class S> std::vector<int> steps(const D&, const S& schedule, int) const {
    return {schedule.steps()};
  }

  /// As naive_sampler.
  template <Backend B, class M, class D, class S, class Z, class Observer = no_observer>
  void operator()(B& b, M& model, const D& degradation, const S& schedule, int calls, key_sequence keys,
                  const Z& z, Observer&& observer = {}) const {
    detail::sample(*this, b, model, degradation, schedule, calls, keys, z, observer);
  }

  template <Backend B, class Turn, class Batch>
  void advance(B& b, state<B>&, const Turn& turn, const Batch& z) const {
    b.copy(turn.x0_hat.data, z.data, z.dims.size());
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
