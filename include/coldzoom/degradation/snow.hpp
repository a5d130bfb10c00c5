/// Snow.
#pragma once

#include <cmath>
#include <coldzoom/core/random.hpp>
#include <coldzoom/degradation/degradation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Four of a picture's numbers, uniform in [0, 1), one a pixel. Index: [n][quarter of a picture, rounded up].
struct draw_uniform_quads {
  key_sequence keys;
  index_t pixels, quads;
  float* out;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / quads, first = 4 * (i % quads);
    const random_words words = random_block(keys[n], static_cast<std::uint32_t>(i % quads));
    for (index_t j = 0; j < 4 && first + j < pixels; ++j)
      out[n * pixels + first + j] = static_cast<float>(words.word[j] >> 8) * 0x1p-24f;
  }
};

/// Index: see row_part.
template <class D, class In, class Levels, class Out> struct snow_rows {
  index_t columns;
  D d;
  In x0;
  Levels level;
  const float* flakes;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, first, last] = row_part::at(i, out.dims, columns);
    const float* field = flakes + n * out.dims.pixels();
    for (index_t x = first; x < last; ++x)
      out(n, c, y, x) = d.covered(x0(n, c, y, x), field, out.dims.h, out.dims.w, y, x, level[n]);
  }
};

}  // namespace detail

/// D(x, level): snow falls before the picture. From a share `density * level` of the pixels, a flake begins that leaves a fading
/// trail of `trail` pixels down to the right; flakes are white and add up. Haze brightens what is behind them by a share
/// `haze * level`. After the snow of ImageNet-C (Hendrycks and Dietterich 2019). A flake at a level is there at every higher
/// one. In [0, 1]. Random.
struct snow {
  using range = unit;

  float density = 0.25f;
  int trail = 4;
  float haze = 0.5f;

  /// A pixel behind the snow; `flakes`: a number a pixel, h x w.
  COLDZOOM_HD float covered(float clean, const float* flakes, index_t h, index_t w, index_t y, index_t x,
                            float level) const {
    float white = haze * level;
    for (index_t k = 0; k < trail; ++k) {
      const index_t from_y = y - k, from_x = x - k / 2;
      if (from_y < 0 || from_x < 0 || from_y >= h || from_x >= w) continue;
      const float strength = 1 - static_cast<float>(k) / static_cast<float>(trail);
      // A flake is as bright as its number is below the bound, so that it appears without a jump.
      const float bright = density * level - flakes[from_y * w + from_x];
      if (bright > 0) white += strength * std::fmin(1.0f, 10 * bright);
    }
    white = std::fmin(1.0f, white);
    return clean + (1 - clean) * white;
  }

  template <Backend B>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
             image_tensor<B> out) const {
    const index_t pixels = out.dims.pixels(), quads = (pixels + 3) / 4;
    auto flakes = b.template allocate<float>(out.dims.n * pixels);
    b.for_each_index(out.dims.n * quads, detail::draw_uniform_quads{keys, pixels, quads, flakes.data()}, 60);
    using kernel = detail::snow_rows<snow, const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
    const index_t columns = detail::columns_an_index<B>(out.dims.w);
    b.for_each_index(detail::row_part::count(out.dims, columns),
                     kernel{columns, *this, x0, level, flakes.data(), out}, 10 * columns * trail);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
