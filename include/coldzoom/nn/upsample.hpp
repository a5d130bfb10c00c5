/// Up-sampling by an integer factor.
#pragma once

#include <coldzoom/nn/pooling.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// Every pixel becomes a square of factor x factor: (N, C, H, W) -> (N, C, factor * H, factor * W).
/// PyTorch's Upsample(scale_factor=factor, mode="nearest").
struct upsample_nearest : plain_layer {
  index_t factor;

  explicit upsample_nearest(index_t by) : factor(by) {
    require(factor > 0, "upsample_nearest",
            [&] { return "the factor is " + std::to_string(factor) + "; it must be at least 1"; });
  }
  shape output_shape(shape in) const { return {in.n, in.c, factor * in.h, factor * in.w}; }

  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               workspace<B>&) const {
    using kernel = detail::window_spread<const_activation<B>, activation<B>, real_t<B>>;
    b.for_each_index(x.size() / B::lanes, kernel{x, y, factor, factor, 1}, factor * factor * B::lanes);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B>, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>*, workspace<B>&) const {
    if (!dx.data) return;
    using kernel = detail::window_sum<const_activation<B>, activation<B>, real_t<B>>;
    b.for_each_index(dx.size() / B::lanes, kernel{dy, dx, factor, factor, 1}, factor * factor * B::lanes);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
