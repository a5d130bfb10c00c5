/// Bilinear interpolation.
#pragma once

#include <coldzoom/interpolation/interpolation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// Half-pixel centres, source (i + 0.5) * in / out - 0.5 clamped to the crop, no antialiasing: PyTorch's mode
/// "bilinear" with align_corners = false.
struct bilinear {
  static constexpr const char* name = "bilinear";

  COLDZOOM_HD constexpr axis_tap tap(index_t i, index_t in, index_t out) const {
    const float scale = static_cast<float>(in) / static_cast<float>(out);
    const float at = (static_cast<float>(i) + 0.5f) * scale - 0.5f;
    const float clamped = at > 0 ? at : 0;
    index_t first = static_cast<index_t>(clamped);
    first = first < in - 1 ? first : in - 1;
    const float weight = first + 1 < in ? clamped - static_cast<float>(first) : 0.0f;
    // A pixel of weight 0 is not read: 0 times NaN is NaN.
    return {first, weight > 0 ? first + 1 : first, weight};
  }
  COLDZOOM_HD constexpr float operator()(image_view<const float> crop, index_t c, index_t y, index_t x,
                                         index_t out_h, index_t out_w) const {
    const axis_tap v = tap(y, crop.h, out_h), u = tap(x, crop.w, out_w);
    const float top = crop(c, v.first, u.first) * (1 - u.weight) + crop(c, v.first, u.second) * u.weight;
    const float bottom = crop(c, v.second, u.first) * (1 - u.weight) + crop(c, v.second, u.second) * u.weight;
    return top * (1 - v.weight) + bottom * v.weight;
  }
};

static_assert(SeparableInterpolation<bilinear>);

}  // namespace coldzoom::inline COLDZOOM_ISA
