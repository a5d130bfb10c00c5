/// Averages over parts of a picture.
#pragma once

#include <cmath>
#include <coldzoom/degradation/separable.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// D(x, level): each pixel becomes the mean of its square block, of 2^round(level * halvings) pixels a side: with as many
/// steps as halvings, each step halves the resolution (Bansal et al. 2022, section 5.3, super-resolution, with means
/// in place of their bicubic samples). The last blocks of an axis are smaller where it is no multiple. Any value range.
/// Deterministic.
struct pixelation {
  int halvings = 3;

  COLDZOOM_HD index_t side(float level) const {
    return index_t{1} << std::lround(level * static_cast<float>(halvings));
  }
  COLDZOOM_HD float weight(float level, image_axis, index_t extent, index_t to, index_t from) const {
    const index_t block = side(level), first = from / block * block,
                  last = first + block < extent ? first + block : extent;
    return to >= first && to < last ? 1 / static_cast<float>(last - first) : 0.0f;
  }
};

/// D(x, level) = (1 - level) x + level (mean along the axis): with `along` = image_axis::x rows become flat, with y columns.
/// Any value range. Deterministic.
struct axis_average {
  image_axis along = image_axis::x;

  bool acts(image_axis axis) const { return axis == along; }
  COLDZOOM_HD float weight(float level, image_axis, index_t extent, index_t to, index_t from) const {
    return (to == from ? 1 - level : 0.0f) + level / static_cast<float>(extent);
  }
};

static_assert(SeparableDegradation<pixelation> && SeparableDegradation<axis_average>);

}  // namespace coldzoom::inline COLDZOOM_ISA
