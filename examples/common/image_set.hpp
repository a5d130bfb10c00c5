/// Images in [0, 1] with their memory: of a data split, or read from a file.
#pragma once

#include <algorithm>
#include <coldzoom/core/range.hpp>
#include <coldzoom/core/view.hpp>
#include <functional>
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

/// Images in [0, 1] that are read in parts, so that their number is not bound by memory.
class image_source {
 public:
  /// Writes images first .. first + n - 1, dense.
  using reader = std::function<void(coldzoom::index_t first, coldzoom::index_t n, float* out)>;

  /// Of all images, of shape `all`, the first `count`; 0 for all of them.
  image_source(coldzoom::shape all, coldzoom::index_t count, reader read)
      : dims_(all.with_n(count > 0 ? std::min(count, all.n) : all.n)),
        read_(std::move(read)) {}

  coldzoom::shape dims() const { return dims_; }

  /// Images first .. first + n - 1; they live until the next call.
  unit_images read(coldzoom::index_t first, coldzoom::index_t n) {
    part_.resize(static_cast<std::size_t>(n * dims_.image()));
    read_(first, n, part_.data());
    return unit_images(coldzoom::tensor_view<const float>(part_.data(), dims_.with_n(n)));
  }

  /// visit(first, images) for one part after the other.
  template <class Visit> void for_each_part(const Visit& visit) {
    constexpr coldzoom::index_t part = 4096;
    for (coldzoom::index_t first = 0; first < dims_.n; first += part)
      visit(first, read(first, std::min(part, dims_.n - first)));
  }

  image_set read_all() const {
    image_set set{dims_, std::vector<float>(static_cast<std::size_t>(dims_.size()))};
    read_(0, dims_.n, set.pixels.data());
    return set;
  }

 private:
  coldzoom::shape dims_;
  reader read_;
  std::vector<float> part_;
};

/// The first `count` images (0 for all) of a data split, which must live as long.
image_source source_of(const coldzoom::labelled_images& images, coldzoom::index_t count = 0);

/// Images in memory, which must live as long.
image_source source_of(const image_set& images);

/// The first `count` images (0 for all) of a data split.
image_set to_image_set(const coldzoom::labelled_images& images, coldzoom::index_t count = 0);

/// N x H x W or N x C x H x W float32 in [0, 1] in an .npy file; of these the first `count` (0 for all).
/// Throws coldzoom::error for another type or rank, images that are not of the shape `image`, and at the
/// first pixel that is NaN or outside [0, 1]: the file is looked through once.
image_source open_samples(const std::string& path, coldzoom::shape image, coldzoom::index_t count = 0);

/// The same, taken into memory.
image_set load_samples(const std::string& path, coldzoom::shape image, coldzoom::index_t count = 0);

/// Writes N x H x W, or N x C x H x W where there are several channels, for numpy.
void save_samples(const std::string& path, const image_set& images);

/// The first `most` images as a PNG, in rows of `columns`, 0 for a square. There must be an image.
void save_grid(const std::string& path, const image_set& images, coldzoom::index_t most,
               coldzoom::index_t columns = 0);

/// The first `columns` images of each set, a row a set, as a PNG. Sets have as many images of one shape, small ones
/// are shown twice as large.
void save_rows(const std::string& path, const std::vector<const image_set*>& sets, coldzoom::index_t columns);

}  // namespace programs
