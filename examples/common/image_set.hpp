/// Images in [0, 1] with their memory: of a data split, or read from a file.
#pragma once

#include <coldzoom/coldzoom.hpp>
#include <coldzoom/io/npy.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/data.hpp"

namespace programs {

using unit_images = coldzoom::image_batch<coldzoom::unit, const float>;

/// Images in [0, 1], N x C x H x W, with their memory.
struct image_set {
  coldzoom::shape dims;
  std::vector<float> pixels;

  unit_images view() const { return unit_images(coldzoom::tensor_view<const float>(pixels.data(), dims)); }
};

/// The first `count` images (0 for all) of a data split.
inline image_set to_image_set(const coldzoom::labelled_images& images, coldzoom::index_t count = 0) {
  const coldzoom::index_t n = count > 0 ? std::min(count, images.dims.n) : images.dims.n;
  image_set set{images.dims.with_n(n), {}};
  set.pixels.reserve(static_cast<std::size_t>(set.dims.size()));
  for (coldzoom::index_t i = 0; i < set.dims.size(); ++i)
    set.pixels.push_back(coldzoom::from_byte<coldzoom::unit>(images.pixels[static_cast<std::size_t>(i)]));
  return set;
}

/// Reads N x H x W or N x C x H x W float32 in [0, 1]; of these the first `count` (0 for all). Throws
/// coldzoom::error for another type or rank, images that are not of the shape `image`, and at the first pixel
/// that is NaN or outside [0, 1].
inline image_set load_samples(const std::string& path, coldzoom::shape image, coldzoom::index_t count = 0) {
  using coldzoom::index_t;
  coldzoom::npy_array<float> array = coldzoom::load_npy<float>(path);
  const std::size_t rank = array.shape.size();
  const bool known = rank == 3 || rank == 4;
  const coldzoom::shape found = known ? coldzoom::shape{array.shape[0], rank == 4 ? array.shape[1] : 1,
                                                        array.shape[rank - 2], array.shape[rank - 1]}
                                      : coldzoom::shape{};
  coldzoom::require(known && found.with_n(1) == image && found.n > 0, path.c_str(), [&] {
    return "found shape " + coldzoom::to_string(array.shape) + ", wanted [N, " + std::to_string(image.h) +
           ", " + std::to_string(image.w) + "] or [N, " + std::to_string(image.c) + ", " +
           std::to_string(image.h) + ", " + std::to_string(image.w) + "]";
  });
  image_set set{found.with_n(count > 0 ? std::min(count, found.n) : found.n), std::move(array.data)};
  set.pixels.resize(static_cast<std::size_t>(set.dims.size()));
  coldzoom::require_range(path, set.view());
  return set;
}

}  // namespace programs
