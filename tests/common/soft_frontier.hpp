/// A degradation with a noise level of its own for each pixel.
#pragma once

#include <coldzoom/degradation/additive.hpp>

/// Noise that grows from the middle of the picture outwards behind a soft front: x_t = (1 - s) x0 + s e with
/// s = 0 ahead of the front, 1 behind it and a straight line of width `softness` between. At level 1 all is
/// noise.
struct soft_frontier {
  double softness = 0.5;  // in half diagonals

  COLDZOOM_HD coldzoom::amplitudes amplitudes(float level, const coldzoom::shape& image, coldzoom::index_t,
                                              coldzoom::index_t y, coldzoom::index_t x) const {
    const double dy = static_cast<double>(2 * y - image.h + 1) / static_cast<double>(image.h),
                 dx = static_cast<double>(2 * x - image.w + 1) / static_cast<double>(image.w);
    const double distance = std::sqrt((dx * dx + dy * dy) / 2);  // below 1
    const double s = (static_cast<double>(level) * (1 + softness) - distance) / softness;
    const double noise = s < 0 ? 0 : s > 1 ? 1 : s;
    return {1 - noise, noise};
  }
  COLDZOOM_HD float noise(const coldzoom::sample_key& key, coldzoom::index_t element) const {
    return coldzoom::random_normal(key, static_cast<std::uint64_t>(element));
  }
  COLDZOOM_HD float operator()(coldzoom::image_view<const float> x0, coldzoom::index_t c, coldzoom::index_t y,
                               coldzoom::index_t x, float level, coldzoom::sample_key key) const {
    const coldzoom::amplitudes a = amplitudes(level, {1, x0.c, x0.h, x0.w}, c, y, x);
    return static_cast<float>(a.signal * static_cast<double>(x0(c, y, x)) +
                              a.noise * static_cast<double>(noise(key, (c * x0.h + y) * x0.w + x)));
  }
};
static_assert(coldzoom::FieldAdditive<soft_frontier> && !coldzoom::UniformlyAdditive<soft_frontier>);
static_assert(coldzoom::PixelDegradation<soft_frontier>);
