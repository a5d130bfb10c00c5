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

  /// As naive_sampler; the last step too adds D(x0_hat, 0) - D(x0_hat, t) to z.
  template <Backend B, class Predict, class D, class S, ValueRange R, class Observer = no_observer>
  void operator()(B& b, Predict& predict, const D& degradation, const S& schedule, int calls,
                  key_sequence keys, image_batch<R, float, typename B::space> z,
                  Observer&& observer = {}) const {
    using batch = image_batch<R, float, typename B::space>;
    using const_batch = image_batch<R, const float, typename B::space>;
    const index_t size = z.dims.size();
    auto from_memory = b.template allocate<float>(size), to_memory = b.template allocate<float>(size);
    const batch from(tensor_view<float, typename B::space>(from_memory.data(), z.dims));
    const batch to(tensor_view<float, typename B::space>(to_memory.data(), z.dims));
    detail::walk<B>(b, predict, schedule, calls, z, observer, [&](int t, int next, const auto& x0_hat) {
      detail::degrade_to(b, degradation, schedule, t, keys, const_batch(x0_hat), from);
      detail::degrade_to(b, degradation, schedule, next, keys, const_batch(x0_hat), to);
      b.for_each_index(size, detail::add_difference{from.data, to.data, z.data});
    });
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
