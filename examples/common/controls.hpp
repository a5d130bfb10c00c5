/// Real images spoilt in known ways: what the scores must see.
#pragma once

#include "common/image_set.hpp"

namespace programs {

/// Every pixel plus normal noise of this standard deviation, clamped to [0, 1]; from a fixed seed.
image_set with_noise(const coldzoom::labelled_images& images, coldzoom::index_t count, float deviation);

/// Every pixel the mean of the 3 x 3 around it, 0 beyond the edge.
image_set with_blur(const coldzoom::labelled_images& images, coldzoom::index_t count);

/// The first `count` images (fewer where there are fewer) of another class than `label`.
image_set without_class(const coldzoom::labelled_images& images, coldzoom::index_t count, int label);

/// The first `different` images, the whole set `times` times.
image_set repeated_images(const coldzoom::labelled_images& images, coldzoom::index_t different, int times);

}  // namespace programs
