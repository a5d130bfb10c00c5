/// The progressive zoom-in, the degradation of Cold Zoom Diffusion.
#pragma once

#include <cmath>
#include <coldzoom/core/call.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/degradation/order.hpp>
#include <coldzoom/interpolation/interpolation.hpp>
#include <coldzoom/interpolation/nearest.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// A rectangle of an image.
struct image_window {
  index_t top = 0, left = 0, h = 0, w = 0;
};

/// The window of an h x w image that a zoom leaves at `step`.
COLDZOOM_HD constexpr image_window zoom_window(index_t step, index_t h, index_t w) {
  const index_t side = h < w ? h : w;
  const index_t s = step < 0 ? 0 : step < side ? step : side - 1;
  const index_t rows = s * h / side, cols = s * w / side;
  return {(rows + 1) / 2, (cols + 1) / 2, h - rows, w - cols};
}

/// The first step whose window of an h x w image is without pixel (y, x); min(h, w) where every window holds it.
COLDZOOM_HD constexpr index_t zoom_lost_step(index_t h, index_t w, index_t y, index_t x) {
  const index_t side = h < w ? h : w;
  // A row is gone where s h / side, rounded down, is at least the number of rows that must go first.
  const auto first = [side](index_t extent, index_t place) {
    const index_t above = 2 * place + 1, below = 2 * (extent - place);
    return ((above < below ? above : below) * side + extent - 1) / extent;
  };
  const index_t row = first(h, y), column = first(w, x), step = row < column ? row : column;
  return step < side ? step : side;
}

/// The order of `zoom`: from the border of the image to the window of step `last_step`, which is never lost.
/// An element is gone at the levels at which the window of a zoom with this last_step is without it; half-way
/// between two steps, where a zoom rounds, rounding may decide otherwise.
/// With last_step = 0 the window is a seventh of the shorter side: 24 steps of an image of 28 x 28.
struct zoom_order {
  int last_step = 24;

  COLDZOOM_HD float operator()(const shape& image, index_t, index_t y, index_t x) const {
    const index_t side = image.h < image.w ? image.h : image.w, step = zoom_lost_step(image.h, image.w, y, x),
                  last = last_step > 0 ? last_step : side * 6 / 7;
    // A zoom rounds level * last_step to the nearest step, and keeps a pixel whatever the step.
    return step > last || step == side ? 2.0f : (static_cast<float>(step) - 0.5f) / static_cast<float>(last);
  }
};
static_assert(LossOrder<zoom_order>);

namespace detail {

/// to[x] = the tap of column x between `upper` and `lower`, of which the weight of `lower` is given.
/// Contiguous, if `Contiguous`: compilers then use wide stores.
template <class I, bool Contiguous>
COLDZOOM_HD void resize_row(const axis_tap* column, index_t width, const float* upper, const float* lower,
                            float weight, index_t from_stride, float* to, index_t to_stride) {
  for (index_t x = 0; x < width; ++x) {
    float& out = to[Contiguous ? x : x * to_stride];
    const index_t first = column[x].first * (Contiguous ? 1 : from_stride);
    if constexpr (one_pixel<I>) {
      out = upper[first];
    } else {
      const index_t second = column[x].second * (Contiguous ? 1 : from_stride);
      const float top = upper[first] * (1 - column[x].weight) + upper[second] * column[x].weight;
      const float bottom = lower[first] * (1 - column[x].weight) + lower[second] * column[x].weight;
      out = top * (1 - weight) + bottom * weight;
    }
  }
}

/// One image, with the column taps computed once for all its rows. Index: [n].
template <class Zoom, class In, class Levels, class Out> struct zoom_image {
  Zoom zoom;
  In x0;
  Levels level;
  Out out;

  COLDZOOM_HD void operator()(index_t n) const {
    constexpr index_t chunk = 64;  // columns whose taps fit on the stack
    using interpolation = decltype(zoom.interpolation);
    const auto source = x0.image(n);
    const image_window at = zoom.window(zoom.step(level[n]), source.h, source.w);
    const auto crop = source.window(at.top, at.left, at.h, at.w);
    const auto target = out.image(n);
    const bool contiguous = crop.stride_x == 1 && target.stride_x == 1;
    axis_tap column[chunk];
    for (index_t begin = 0; begin < target.w; begin += chunk) {
      const index_t width = target.w - begin < chunk ? target.w - begin : chunk;
      for (index_t x = 0; x < width; ++x) column[x] = zoom.interpolation.tap(begin + x, crop.w, target.w);
      for (index_t c = 0; c < target.c; ++c) {
        const float* above = nullptr;  // the row of the crop that the last row of the target is made of
        for (index_t y = 0; y < target.h; ++y) {
          const axis_tap row = zoom.interpolation.tap(y, crop.h, target.h);
          const float* upper = &crop(c, row.first, 0);
          const float* lower = &crop(c, row.second, 0);
          float* to = &target(c, y, begin);
          const bool again = one_pixel<interpolation> && upper == above;  // of enlarged rows many are equal
          above = upper;
          if (again && contiguous) {
            const float* from = &target(c, y - 1, begin);
            for (index_t x = 0; x < width; ++x) to[x] = from[x];
          } else if (contiguous) {
            resize_row<interpolation, true>(column, width, upper, lower, row.weight, 1, to, 1);
          } else {
            resize_row<interpolation, false>(column, width, upper, lower, row.weight, crop.stride_x, to,
                                             target.stride_x);
          }
        }
      }
    }
  }
};

}  // namespace detail

/// D(x, level): crop the middle, resize the crop to the size of x. step = lround(level * last_step).
///
/// At step s a square image of side N loses (s + 1) / 2 rows and columns at the top and left and s / 2 at the
/// bottom and right (integer division), so step 0 is the identity. Of an image that is not square, both sides
/// lose the same share, s / min(H, W), rounded down. Steps are limited to 0 .. min(H, W) - 1. Any channel
/// count, size, strides, value range and level. Cost: about 0.5 ns a pixel on one core. Source: the Cold Zoom
/// Diffusion project (2024); the idea of deterministic degradations: Bansal et al. 2022.
template <class I> struct zoom {
  static_assert(check_interpolation<I>() || true);  // the check itself says what is missing

  I interpolation{};
  int last_step = 24;

  COLDZOOM_HD int step(float level) const {
    return static_cast<int>(std::lround(level * static_cast<float>(last_step)));
  }

  /// The window of an h x w image that is left at `step`.
  COLDZOOM_HD static constexpr image_window window(index_t step, index_t h, index_t w) {
    return zoom_window(step, h, w);
  }

  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x,
                               float level) const {
    const image_window at = window(step(level), x0.h, x0.w);
    return detail::call_in_kernel(interpolation, x0.window(at.top, at.left, at.h, at.w), c, y, x, x0.h, x0.w);
  }

  /// The frame of a nearest zoom (see frame.hpp): a mask, under which every pixel stays at its place.
  masked<zoom_order> frame() const requires std::same_as<I, nearest> { return {{last_step}}; }
  COLDZOOM_HD float at_its_place(image_view<const float> zoomed, index_t c, index_t y, index_t x,
                                 float level) const requires std::same_as<I, nearest> {
    const image_window at = window(step(level), zoomed.h, zoomed.w);
    if (y < at.top || y >= at.top + at.h || x < at.left || x >= at.left + at.w) return 0;
    return zoomed(c, nearest::first_with(y - at.top, at.h, zoomed.h),
                  nearest::first_with(x - at.left, at.w, zoomed.w));
  }

  /// The same for a batch, faster where the interpolation is separable and the backend runs on the host.
  template <Backend B>
    requires SeparableInterpolation<I> && std::same_as<typename B::space, host_space>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, image_tensor<B> out) const {
    using kernel = detail::zoom_image<zoom, const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
    b.for_each_index(x0.dims.n, kernel{*this, x0, level, out}, 2 * x0.dims.image());
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
