/// Holes that grow and darken, for inpainting.
#pragma once

#include <cmath>
#include <coldzoom/core/random.hpp>
#include <coldzoom/degradation/degradation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// The fall of a Gaussian of each step at each distance, [step][distance + reach]. Index: the same.
struct fill_falls {
  float sigma_first, sigma_step;
  index_t reach;
  float* falls;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t columns = 2 * reach + 1, step = i / columns;
    const float sigma = sigma_first + sigma_step * static_cast<float>(step),
                off = static_cast<float>(i % columns - reach) / sigma;
    falls[i] = std::exp(-0.5f * off * off);
  }
};

/// Index: see row_part.
template <class D, class In, class Levels, class Out> struct fade_holes {
  index_t columns;
  D d;
  In x0;
  Levels level;
  key_sequence keys;
  index_t reach;
  const float* falls;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, first, last] = row_part::at(i, out.dims, columns);
    const index_t steps = d.step(level[n]), stride = 2 * reach + 1;
    const auto [centre_y, centre_x] = d.centre(keys[n], out.dims.h, out.dims.w);
    constexpr index_t most = 64;  // factors that are kept at a time
    for (index_t begin = first; begin < last; begin += most) {
      const index_t count = last - begin < most ? last - begin : most;
      float left[most];
      for (index_t j = 0; j < count; ++j) left[j] = 1;
      for (index_t s = 0; s < steps; ++s) {
        const float* fall = falls + s * stride + reach;
        const float across = fall[y - centre_y];
        const float* along = fall + begin - centre_x;
        for (index_t j = 0; j < count; ++j) left[j] *= 1 - across * along[j];
      }
      for (index_t j = 0; j < count; ++j) {
        const float clean = x0(n, c, y, begin + j);
        out(n, c, y, begin + j) = steps > 0 ? d.fill + (clean - d.fill) * left[j] : clean;
      }
    }
  }
};

}  // namespace detail

/// D(x, level): x fades to `fill` around a centre: the distance to `fill` is multiplied by 1 - exp(-r^2 / (2 sigma_i^2)) for
/// i = 1 .. round(level * times), sigma_i = sigma_first + (i - 1) sigma_step, r in pixels (Bansal et al. 2022, section
/// 5.2; their 32 x 32 pictures: times = T = 50, sigma from 1.1 in steps of 0.1, a random centre). The centre is the pixel of a
/// key, anywhere in the picture, or the middle. Random with `anywhere`, else deterministic; any value range.
struct fading_mask {
  int times = 50;
  float sigma_first = 1.1f, sigma_step = 0.1f;
  float fill = 0;
  bool anywhere = true;

  struct place {
    index_t y, x;
  };
  COLDZOOM_HD index_t step(float level) const {
    return static_cast<index_t>(std::lround(level * static_cast<float>(times)));
  }
  COLDZOOM_HD place centre(const sample_key& key, index_t h, index_t w) const {
    if (!anywhere) return {h / 2, w / 2};
    return {random_below(key, 0, h), random_below(key, 1, w)};
  }

  template <Backend B>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
             image_tensor<B> out) const {
    const index_t reach = out.dims.h > out.dims.w ? out.dims.h : out.dims.w, count = times * (2 * reach + 1);
    auto falls = b.template allocate<float>(count);
    b.for_each_index(count, detail::fill_falls{sigma_first, sigma_step, reach, falls.data()}, 20);
    using kernel = detail::fade_holes<fading_mask, const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
    const index_t columns = detail::columns_an_index<B>(out.dims.w);
    b.for_each_index(detail::row_part::count(out.dims, columns),
                     kernel{columns, *this, x0, level, keys, reach, falls.data(), out}, times * columns);
  }
};

/// D(x, level): a square hole, `fill`, grows about a centre until nothing is left at level 1; at level s it holds the pixels
/// whose distance from the centre, the larger of rows and columns, is less than the share s of the farthest pixel's. The
/// centre is the pixel of a key, anywhere in the picture. Random; any value range. A hole about the middle that needs no key is
/// masked<inpainting_order>.
struct square_hole {
  float fill = 0;

  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               sample_key key) const {
    const auto larger = [](index_t a, index_t b) { return a > b ? a : b; };
    const index_t row = random_below(key, 0, x0.h), column = random_below(key, 1, x0.w);
    const index_t farthest = larger(larger(row, x0.h - 1 - row), larger(column, x0.w - 1 - column)),
                  off = larger(y > row ? y - row : row - y, x > column ? x - column : column - x);
    return static_cast<float>(off) < level * static_cast<float>(farthest + 1) ? fill : x0(c, y, x);
  }
};
static_assert(PixelDegradation<square_hole>);

}  // namespace coldzoom::inline COLDZOOM_ISA
