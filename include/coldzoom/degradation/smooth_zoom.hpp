/// A zoom into a window that shrinks without steps, about any point.
#pragma once

#include <cmath>
#include <coldzoom/degradation/separable.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// How a picture is read between its pixels.
enum class resampling {
  nearest,  // the pixel that holds the place
  area,     // the mean of what a pixel covers
  linear,   // between the two pixels beside it
  cubic     // Keys 1981, a = -0.5
};

/// D(x, level): the window that is left at a level, enlarged to the size of the picture. The window is a share
/// 1 - level (1 - remains) of each side and lies about the point (centre_y, centre_x), in shares of the sides, as near
/// as the picture allows. Unlike `zoom`, whose windows are whole pixels and alternate about the middle, it moves in no steps.
/// Behind the edge the edge goes on. Any value range; cubic reading may leave it. Deterministic.
struct smooth_zoom {
  resampling reading = resampling::cubic;
  float remains = 1.0f / 7;
  float centre_y = 0.5f, centre_x = 0.5f;

  COLDZOOM_HD float weight(float level, image_axis axis, index_t extent, index_t to, index_t from) const {
    const double n = static_cast<double>(extent), share = 1 - static_cast<double>(level * (1 - remains)),
                 size = share * n;
    const double wanted = static_cast<double>(axis == image_axis::y ? centre_y : centre_x) * n - size / 2,
                 first = wanted < 0          ? 0
                         : wanted < n - size ? wanted
                                             : n - size;
    const double low = first + static_cast<double>(to) * share, place = static_cast<double>(from);
    if (reading == resampling::nearest) {
      const double at = std::floor(low + share / 2);  // the last pixel's, where rounding leads behind it
      return place == (at < n - 1 ? at : n - 1) ? 1.0f : 0.0f;
    }
    if (reading == resampling::area) {
      const double high = low + share, begin = low > place ? low : place,
                   end = high < place + 1 ? high : place + 1;
      return end > begin ? static_cast<float>((end - begin) / share) : 0.0f;
    }
    // What falls to pixels behind the edge falls to the pixel at the edge.
    const double at = low + share / 2 - 0.5;
    double sum = kernel(at - place);
    if (from == 0) sum += kernel(at + 1) + kernel(at + 2);
    if (from == extent - 1) sum += kernel(at - n) + kernel(at - n - 1);
    return static_cast<float>(sum);
  }

 private:
  COLDZOOM_HD double kernel(double off) const {
    const double d = std::fabs(off);
    if (reading == resampling::linear) return d < 1 ? 1 - d : 0;
    if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
    return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
  }
};

static_assert(SeparableDegradation<smooth_zoom>);

}  // namespace coldzoom::inline COLDZOOM_ISA
