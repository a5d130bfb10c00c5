/// A degradation with a noise level of its own for each pixel.
#pragma once

#include <coldzoom/degradation/soft_frontier.hpp>

/// From the middle of the picture outwards, in half diagonals: at level 1 all is lost.
struct from_the_middle {
  COLDZOOM_HD float operator()(const coldzoom::shape& image, coldzoom::index_t, coldzoom::index_t y,
                               coldzoom::index_t x) const {
    const double dy = static_cast<double>(2 * y - image.h + 1) / static_cast<double>(image.h),
                 dx = static_cast<double>(2 * x - image.w + 1) / static_cast<double>(image.w);
    return static_cast<float>(std::sqrt((dx * dx + dy * dy) / 2));  // below 1
  }
};

using soft_frontier = coldzoom::soft_frontier<from_the_middle>;
static_assert(coldzoom::FieldAdditive<soft_frontier> && !coldzoom::UniformlyAdditive<soft_frontier>);
static_assert(coldzoom::PixelDegradation<soft_frontier>);
