/// Blurs.
#pragma once

#include <cmath>
#include <coldzoom/degradation/degradation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// D(x, level): the picture is blurred round(level * times) times by one Gaussian kernel of 2 radius + 1 pixels a side
/// and standard deviation sigma, cut off there and scaled to the sum 1 (Bansal et al. 2022, section 5.1; their MNIST:
/// radius 5, sigma 7, times 20 = T, periodic). All at once, by the power of the kernel's frequencies: no step costs more
/// than another. Any value range, the mean of the picture stays. Deterministic.
struct gaussian_blur {
  int radius = 5;
  float sigma = 7;  // pixels
  int times = 20;
  picture_edge edge = picture_edge::mirrored;

  COLDZOOM_HD float gain(float level, image_axis, index_t extent, index_t k) const {
    const double omega = angular_frequency(edge, k, extent), s = static_cast<double>(sigma);
    double sum = 1, total = 1;
    for (int j = 1; j <= radius; ++j) {
      const double weight = 2 * std::exp(-0.5 * j * j / (s * s));
      total += weight;
      sum += weight * std::cos(omega * j);
    }
    double factor = sum / total, product = 1;
    for (long count = std::lround(level * static_cast<float>(times)); count > 0; count /= 2) {
      if (count % 2 == 1) product *= factor;
      factor *= factor;
    }
    return static_cast<float>(product);
  }
};

/// D(x, level): the picture after heat has flown in it, a blur of standard deviation sigma = level * sigma_max in pixels:
/// frequency omega is multiplied by exp(-omega^2 sigma^2 / 2) (Rissanen, Heinonen, Solin 2023, "Generative modelling
/// with inverse heat dissipation", equation 8; exponential_schedule spreads sigma as they do). Any value range, the mean of the
/// picture stays. Deterministic.
struct heat_blur {
  float sigma_max = 14;  // half of 28 pixels: little but the mean is left at level 1
  picture_edge edge = picture_edge::mirrored;

  COLDZOOM_HD float gain(float level, image_axis, index_t extent, index_t k) const {
    const double way = angular_frequency(edge, k, extent) * static_cast<double>(level * sigma_max);
    return way > 12 ? 0.0f : static_cast<float>(std::exp(-0.5 * way * way));  // below 1e-31 products are slow
  }
};

namespace detail {

/// The mean along the line of each pixel. Index: see row_part.
template <class In, class Levels, class Out> struct average_along_line {
  index_t columns;
  float dy, dx;
  In x0;
  Levels level;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, first, last] = row_part::at(i, out.dims, columns);
    const float v = level[n] * dy, u = level[n] * dx, longer = std::fmax(std::fabs(v), std::fabs(u));
    const index_t count = static_cast<index_t>(std::lround(longer));
    const bool steep = std::fabs(v) > std::fabs(u);
    const float across = count > 0 ? (steep ? u : v) / longer : 0;
    const index_t along = (steep ? v : u) > 0 ? -1 : 1;
    constexpr index_t most = 64;  // sums that are kept at a time
    for (index_t begin = first; begin < last; begin += most) {
      const index_t length = last - begin < most ? last - begin : most;
      float sums[most];
      for (index_t j = 0; j < length; ++j) sums[j] = 0;
      for (index_t k = 0; k <= count; ++k) {
        const float off = -across * static_cast<float>(k), floor = std::floor(off), weight = off - floor;
        const index_t low = static_cast<index_t>(floor);
        for (index_t side = 0; side <= (weight > 0 ? 1 : 0); ++side) {
          const index_t dy_k = steep ? along * k : low + side, dx_k = steep ? low + side : along * k;
          add(sums, length, side == 0 ? 1 - weight : weight, n, c, y + dy_k, begin + dx_k);
        }
      }
      const float share = 1 / static_cast<float>(count + 1);
      for (index_t j = 0; j < length; ++j) out(n, c, y, begin + j) = share * sums[j];
    }
  }
  /// sums[j] += factor times pixel (y, x + j); behind an edge the edge goes on.
  COLDZOOM_HD void add(float* sums, index_t length, float factor, index_t n, index_t c, index_t y,
                       index_t x) const {
    const index_t width = x0.dims.w, row = inside(y, x0.dims.h - 1), from = inside(-x, length),
                  to = inside(width - x, length);
    for (index_t j = 0; j < from; ++j) sums[j] += factor * x0(n, c, row, 0);
    if (from < to) add_scaled(sums + from, to - from, factor, &x0(n, c, row, x + from), x0.stride_x);
    for (index_t j = to; j < length; ++j) sums[j] += factor * x0(n, c, row, width - 1);
  }
  COLDZOOM_HD static index_t inside(index_t place, index_t most) {
    return place < 0 ? 0 : place < most ? place : most;
  }
};

}  // namespace detail

/// D(x, level): the mean along a line that ends in the pixel, (level * dy, level * dx) pixels long, as the light of
/// a moving camera. The line is sampled once a pixel of its longer direction, by linear interpolation across it; behind
/// an edge the edge goes on. Any value range. Deterministic. Cost: about 0.5 ns a pixel and pixel of the line.
struct motion_blur {
  float dy = 6, dx = 10;  // at level 1

  template <Backend B>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, image_tensor<B> out) const {
    using kernel = detail::average_along_line<const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
    const index_t columns = detail::columns_an_index<B>(out.dims.w);
    b.for_each_index(detail::row_part::count(out.dims, columns), kernel{columns, dy, dx, x0, level, out},
                     20 * columns);
  }
};

static_assert(SeparableDegradation<gaussian_blur> && SeparableDegradation<heat_blur>);

}  // namespace coldzoom::inline COLDZOOM_ISA
