/// The laws that every interpolation must obey, for the tests of authors of interpolations.
#pragma once

#include <cmath>
#include <coldzoom/interpolation/interpolation.hpp>
#include <coldzoom/testing/transfer.hpp>
#include <limits>

namespace coldzoom::inline COLDZOOM_ISA::testing {

/// Throws `error` with the first law that `interpolation` breaks: a picture resized to its own size stays as
/// it is, to the bit; a constant picture stays constant, to 2^-20; nothing outside the crop is read; where it
/// is separable, its taps give the same pixels, to 2^-20. Tried for sizes 1 to 9, larger and smaller.
template <Interpolation I> void interpolation_laws(const I& interpolation) {
  const char* const where = "interpolation_laws";
  // Weights of a few taps in float: a handful of roundings of 2^-24 each.
  constexpr float tolerance = 0x1p-20f;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (index_t h = 1; h <= 9; h += 2) {
    for (index_t w = 2; w <= 8; w += 3) {
      // One channel, framed by NaN, with a step between neighbours of a row: a view, not a copy, is resized.
      const index_t row = 2 * (w + 2);
      std::vector<float> memory(static_cast<std::size_t>((h + 2) * row), nan);
      const image_view<float> crop{memory.data() + row + 2, 1, h, w, (h + 2) * row, row, 2};
      const auto pixel = [&](index_t y, index_t x, index_t out_h, index_t out_w) {
        const float value = interpolation(crop, 0, y, x, out_h, out_w);
        require(std::isfinite(value), where, [&] {
          return "from " + std::to_string(h) + " x " + std::to_string(w) + " to " + std::to_string(out_h) +
                 " x " + std::to_string(out_w) + ", pixel (" + std::to_string(y) + ", " + std::to_string(x) +
                 ") is not finite: it must read the crop alone";
        });
        return value;
      };
      const std::vector<float> values = random_values(h * w, 1, -1, 1);
      for (index_t i = 0; i < h * w; ++i) crop(0, i / w, i % w) = values[static_cast<std::size_t>(i)];
      for (index_t y = 0; y < h; ++y) {
        for (index_t x = 0; x < w; ++x) {
          require(pixel(y, x, h, w) == crop(0, y, x), where, [&] {
            return "resizing " + std::to_string(h) + " x " + std::to_string(w) +
                   " to its own size changes pixel (" + std::to_string(y) + ", " + std::to_string(x) +
                   ") from " + std::to_string(crop(0, y, x)) + " to " + std::to_string(pixel(y, x, h, w));
          });
        }
      }
      for (const index_t size : {1, 4, 7, 13}) {
        for (index_t i = 0; i < size * (size + 1); ++i) {
          const index_t y = i / (size + 1), x = i % (size + 1);
          const float value = pixel(y, x, size, size + 1);
          if constexpr (SeparableInterpolation<I>) {
            const axis_tap v = interpolation.tap(y, h, size), u = interpolation.tap(x, w, size + 1);
            const auto along = [&](index_t from) {
              return crop(0, from, u.first) * (1 - u.weight) + crop(0, from, u.second) * u.weight;
            };
            const float product = along(v.first) * (1 - v.weight) + along(v.second) * v.weight;
            require(std::abs(product - value) <= tolerance, where, [&] {
              return "the taps give " + std::to_string(product) + " where the interpolation gives " +
                     std::to_string(value);
            });
          }
        }
      }
      for (index_t i = 0; i < h * w; ++i) crop(0, i / w, i % w) = 0.75f;
      for (const index_t size : {1, 4, 7, 13}) {
        for (index_t i = 0; i < size * (size + 1); ++i) {
          const float value = pixel(i / (size + 1), i % (size + 1), size, size + 1);
          require(std::abs(value - 0.75f) <= tolerance, where, [&] {
            return "a picture of " + std::to_string(h) + " x " + std::to_string(w) +
                   " pixels of 0.75 becomes " + std::to_string(value) + " at " + std::to_string(size) +
                   " x " + std::to_string(size + 1);
          });
        }
      }
    }
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA::testing
