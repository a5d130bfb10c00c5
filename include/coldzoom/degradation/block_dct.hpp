/// The loss of JPEG: frequencies of blocks, rounded.
#pragma once

#include <cmath>
#include <coldzoom/degradation/degradation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// JPEG's step for luma at its quality 50 (ITU-T T.81, table K.1), for pixels 0 to 255; v down, u to the right.
COLDZOOM_HD constexpr float luma_step(index_t v, index_t u) {
  constexpr unsigned char steps[64] = {16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
                                       14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
                                       18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
                                       49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
  return static_cast<float>(steps[8 * v + u]);
}

/// The orthonormal cosines of eight points, wave[k][place].
struct eight_cosines {
  float wave[8][8];

  static eight_cosines make() {
    eight_cosines c;
    for (int k = 0; k < 8; ++k) {
      for (int place = 0; place < 8; ++place) {
        c.wave[k][place] = static_cast<float>((k == 0 ? std::sqrt(0.125) : 0.5) *
                                              std::cos(k * (2 * place + 1) * 3.14159265358979323846 / 16));
      }
    }
    return c;
  }
};

/// One block of 8 x 8 pixels; behind an edge the edge goes on. Index: [n][c][block of rows][block of columns].
template <class D, class In, class Levels, class Out> struct round_blocks {
  D d;
  eight_cosines cosines;
  In x0;
  Levels level;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const shape s = out.dims;
    const index_t across = (s.w + 7) / 8, down = (s.h + 7) / 8, left = i % across * 8,
                  top = i / across % down * 8, c = i / (across * down) % s.c, n = i / (across * down * s.c);
    const float at = level[n];
    float pixels[8][8], waves[8][8];
    for (index_t y = 0; y < 8; ++y) {
      const index_t from_y = top + y < s.h ? top + y : s.h - 1;
      for (index_t x = 0; x < 8; ++x) {
        pixels[y][x] = x0(n, c, from_y, left + x < s.w ? left + x : s.w - 1) - 0.5f;
      }
    }
    if (at > 0) {
      transform<true>(pixels, waves);
      for (index_t v = 0; v < 8; ++v) {
        for (index_t u = 0; u < 8; ++u) {
          const float step = d.step(at, v, u);
          waves[v][u] = std::floor(waves[v][u] / step + 0.5f) * step;
        }
      }
      transform<false>(waves, pixels);
    }
    for (index_t y = 0; y < 8 && top + y < s.h; ++y) {
      for (index_t x = 0; x < 8 && left + x < s.w; ++x) {
        const float pixel = pixels[y][x] + 0.5f, clipped = pixel < 0 ? 0 : pixel > 1 ? 1 : pixel;
        out(n, c, top + y, left + x) = at > 0 ? clipped : x0(n, c, top + y, left + x);
      }
    }
  }
  /// to = C from C^T, or C^T from C back.
  template <bool Forward> COLDZOOM_HD void transform(const float (&from)[8][8], float (&to)[8][8]) const {
    float between[8][8] = {};
    for (index_t v = 0; v < 8; ++v) {
      for (index_t y = 0; y < 8; ++y) {
        const float factor = Forward ? cosines.wave[v][y] : cosines.wave[y][v];
        for (index_t x = 0; x < 8; ++x) between[v][x] += factor * from[y][x];
      }
    }
    for (index_t v = 0; v < 8; ++v) {
      for (index_t u = 0; u < 8; ++u) to[v][u] = 0;
      for (index_t x = 0; x < 8; ++x) {
        for (index_t u = 0; u < 8; ++u)
          to[v][u] += between[v][x] * (Forward ? cosines.wave[u][x] : cosines.wave[x][u]);
      }
    }
  }
};

}  // namespace detail

/// D(x, level): the cosine coefficients of blocks of 8 x 8 pixels are rounded to multiples of `coarsest * level` times the steps
/// of JPEG's quality 50, and pixels are clipped to the range: the loss of a JPEG file whose quality falls, without chroma
/// subsampling and without rounding to bytes. In [0, 1]. Deterministic.
struct block_dct {
  using range = unit;

  float coarsest = 25;  // 50 is JPEG's quality 1

  COLDZOOM_HD float step(float level, index_t v, index_t u) const {
    return coarsest * level * detail::luma_step(v, u) / 255;
  }

  template <Backend B>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, image_tensor<B> out) const {
    using kernel = detail::round_blocks<block_dct, const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
    const index_t blocks = out.dims.n * out.dims.c * ((out.dims.h + 7) / 8) * ((out.dims.w + 7) / 8);
    b.for_each_index(blocks, kernel{*this, detail::eight_cosines::make(), x0, level, out}, 2500);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
