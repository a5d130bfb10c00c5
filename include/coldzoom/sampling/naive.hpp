/// Algorithm 1 of Cold Diffusion.
#pragma once

#include <coldzoom/sampling/sampler.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// z <- D(x0_hat(z, t), next t), down to x0_hat itself (Bansal et al. 2022, algorithm 1). The default for
/// degradations that move the picture, such as zoom.
struct naive_sampler {
  static constexpr const char* name = "naive";
  static constexpr bool takes_estimates = false;  // x0_hat is all that it needs

  float noise = 0;  // deviation of what is added to each state but the last, in units of pixels

  template <Backend B> using state = detail::no_state;
  template <Backend B> state<B> make_state(B&, shape) const { return {}; }

  /// `z` holds D(x, T) and becomes the samples. `keys` name the randomness of the degradation: those that
  /// made z. `calls` calls of the model.
  template <Backend B, class M, class D, class S, class Z, class Observer = no_observer>
  void operator()(B& b, M& model, const D& degradation, const S& schedule, int calls, key_sequence keys,
                  const Z& z, Observer&& observer = {}) const {
    detail::sample(*this, b, model, degradation, schedule, calls, keys, z, observer);
  }

  template <Backend B, class Turn, class Batch>
  void advance(B& b, state<B>&, const Turn& turn, const Batch& z) const {
    if (turn.next == 0) {
      b.copy(turn.x0_hat.data, z.data, z.dims.size());
    } else {
      detail::degrade_to(b, turn.degradation, turn.schedule, turn.next, turn.keys, turn.levels, turn.x0_hat,
                         z);
      detail::add_step_noise(b, noise, turn, z);
    }
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
