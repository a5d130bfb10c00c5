/// Colours that fade.
#pragma once

#include <coldzoom/degradation/degradation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// D(x, level) = (1 - level) x + level colour, channel c of which goes to colour[c % 3]. Numbers of the value range; the
/// default is the middle of `centred` and `symmetric`. Deterministic.
struct fade {
  float colour[3] = {0, 0, 0};

  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x,
                               float level) const {
    return (1 - level) * x0(c, y, x) + level * colour[c % 3];
  }
};

/// D(x, level): colours lose a share `level` of their distance to the grey of the same luma (ITU-R BT.601: 0.299 R + 0.587 G
/// + 0.114 B). For three channels, any value range. Deterministic.
struct desaturation {
  static constexpr index_t channels = 3;

  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x,
                               float level) const {
    const float grey = 0.299f * x0(0, y, x) + 0.587f * x0(1, y, x) + 0.114f * x0(2, y, x);
    return (1 - level) * x0(c, y, x) + level * grey;
  }
};

static_assert(PixelDegradation<fade> && PixelDegradation<desaturation>);

}  // namespace coldzoom::inline COLDZOOM_ISA
