/// Random elements and stretches that are lost.
#pragma once

#include <coldzoom/core/random.hpp>
#include <coldzoom/degradation/degradation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// D(x, level): a share `level` of the pixels, in all channels, is black or white, one as often as the other. Pixels that are lost
/// at a level are lost at every higher one, with the same value. In [0, 1]. Random. Cost: about 20 ns an element.
struct salt_and_pepper {
  using range = unit;

  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               sample_key key) const {
    // The lowest bit of the number is left to choose the value.
    const std::uint32_t word = random_word(key, static_cast<std::uint64_t>(y * x0.w + x)) >> 8;
    if (static_cast<float>(word >> 1) * 0x1p-23f >= level) return x0(c, y, x);
    return word % 2 == 0 ? 0.0f : 1.0f;
  }
};

/// D(x, level): stretches of `length` columns fall out, in all rows and channels, and become `fill`: lost packets of
/// audio, radar sweeps without an echo, a C x 1 x W series with gaps. Each stretch is lost from a level of its own on, uniform in
/// (0, 1); they begin anywhere, other than in the image beside. Random.
struct gaps {
  index_t length = 4;
  float fill = 0;

  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               sample_key key) const {
    const index_t stretch = (x + random_below(key, 0, length)) / length;
    const float gone = random_uniform(key, static_cast<std::uint64_t>(1 + stretch));
    return gone < level ? fill : x0(c, y, x);
  }
};

static_assert(PixelDegradation<salt_and_pepper> && PixelDegradation<gaps>);

}  // namespace coldzoom::inline COLDZOOM_ISA
