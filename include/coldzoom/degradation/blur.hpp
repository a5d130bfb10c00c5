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

/// D(x, level): the mean along a line that ends in the pixel, (level * dy, level * dx) pixels long, as the light of
/// a moving camera. The line is sampled once a pixel of its longer direction, by linear interpolation across it; behind
/// an edge the edge goes on. Any value range. Deterministic. Cost: about 1 ns a pixel and pixel of the line.
struct motion_blur {
  float dy = 6, dx = 10;  // at level 1

  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x,
                               float level) const {
    const float v = level * dy, u = level * dx, longer = std::fmax(std::fabs(v), std::fabs(u));
    const index_t count = static_cast<index_t>(std::lround(longer));
    if (count == 0) return x0(c, y, x);
    const bool steep = std::fabs(v) > std::fabs(u);
    const float across = (steep ? u : v) / longer;
    const index_t along = (steep ? v : u) > 0 ? -1 : 1;
    float sum = 0;
    for (index_t k = 0; k <= count; ++k) {
      const float off = -across * static_cast<float>(k), floor = std::floor(off), weight = off - floor;
      const index_t low = static_cast<index_t>(floor);
      const auto at = [&](index_t beside) {
        return steep ? x0(c, inside(y + along * k, x0.h), inside(x + beside, x0.w))
                     : x0(c, inside(y + beside, x0.h), inside(x + along * k, x0.w));
      };
      sum += weight > 0 ? at(low) * (1 - weight) + at(low + 1) * weight : at(low);
    }
    return sum / static_cast<float>(count + 1);
  }

 private:
  COLDZOOM_HD static index_t inside(index_t place, index_t extent) {
    return place < 0 ? 0 : place < extent ? place : extent - 1;
  }
};

static_assert(SeparableDegradation<gaussian_blur> && SeparableDegradation<heat_blur>);
static_assert(PixelDegradation<motion_blur>);

}  // namespace coldzoom::inline COLDZOOM_ISA
