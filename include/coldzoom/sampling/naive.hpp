/// Algorithm 1 of Cold Diffusion.
#pragma once

#include <coldzoom/sampling/sampler.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// z <- D(x0_hat(z, t), next t), down to x0_hat itself (Bansal et al. 2022, algorithm 1). The default for
/// degradations that move the picture, such as zoom.
struct naive_sampler {
  static constexpr const char* name = "naive";

  /// `z` holds D(x, T) and becomes the samples. `keys` name the randomness of the degradation. `calls`
  /// network calls.
  template <Backend B, class Predict, class D, class S, ValueRange R, class Observer = no_observer>
  void operator()(B& b, Predict& predict, const D& degradation, const S& schedule, int calls,
                  key_sequence keys, image_batch<R, float, typename B::space> z,
                  Observer&& observer = {}) const {
    using const_batch = image_batch<R, const float, typename B::space>;
    detail::walk<B>(b, predict, schedule, calls, z, observer, [&](int, int next, const auto& x0_hat) {
      if (next == 0) {
        b.copy(x0_hat.data, z.data, z.dims.size());
      } else {
        detail::degrade_to(b, degradation, schedule, next, keys, const_batch(x0_hat), z);
      }
    });
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
