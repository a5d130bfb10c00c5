/// Nearest-neighbour interpolation.
#pragma once

#include <coldzoom/interpolation/interpolation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// Source index floor(i * in / out), in exact integers: PyTorch's mode "nearest".
struct nearest {
  static constexpr const char* name = "nearest";
  static constexpr bool one_pixel = true;  // the second pixel of a tap never counts

  COLDZOOM_HD constexpr axis_tap tap(index_t i, index_t in, index_t out) const {
    const index_t source = i * in / out;
    return {source, source, 0.0f};
  }
  /// The first of the pixels that show `source`, of an axis that is not made shorter: out >= in.
  COLDZOOM_HD static constexpr index_t first_with(index_t source, index_t in, index_t out) {
    return (source * out + in - 1) / in;
  }
  COLDZOOM_HD constexpr float operator()(image_view<const float> crop, index_t c, index_t y, index_t x,
                                         index_t out_h, index_t out_w) const {
    return crop(c, tap(y, crop.h, out_h).first, tap(x, crop.w, out_w).first);
  }
};

static_assert(SeparableInterpolation<nearest>);

}  // namespace coldzoom::inline COLDZOOM_ISA
