/// Images in [0, 1] with their memory: of a data split, or read from a file.
#pragma once

#include <coldzoom/coldzoom.hpp>
#include <coldzoom/io/npy.hpp>
#include <functional>
#include <memory>
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
inline image_source source_of(const coldzoom::labelled_images& images, coldzoom::index_t count = 0) {
  return {images.dims, count, [&images](coldzoom::index_t first, coldzoom::index_t n, float* out) {
            const std::uint8_t* pixels = images.pixels.data() + first * images.dims.image();
            for (coldzoom::index_t i = 0; i < n * images.dims.image(); ++i)
              out[i] = coldzoom::from_byte<coldzoom::unit>(pixels[i]);
          }};
}

/// Images in memory, which must live as long.
inline image_source source_of(const image_set& images) {
  return {images.dims, 0, [&images](coldzoom::index_t first, coldzoom::index_t n, float* out) {
            const coldzoom::index_t size = images.dims.image();
            std::copy_n(images.pixels.data() + first * size, n * size, out);
          }};
}

/// The first `count` images (0 for all) of a data split.
inline image_set to_image_set(const coldzoom::labelled_images& images, coldzoom::index_t count = 0) {
  return source_of(images, count).read_all();
}

/// N x H x W or N x C x H x W float32 in [0, 1] in an .npy file; of these the first `count` (0 for all).
/// Throws coldzoom::error for another type or rank, images that are not of the shape `image`, and at the
/// first pixel that is NaN or outside [0, 1]: the file is looked through once.
inline image_source open_samples(const std::string& path, coldzoom::shape image,
                                 coldzoom::index_t count = 0) {
  using coldzoom::index_t;
  const auto file = std::make_shared<const coldzoom::npy_reader<float>>(path);
  const std::vector<index_t>& extents = file->shape();
  const std::size_t rank = extents.size();
  const bool known = rank == 3 || rank == 4;
  const coldzoom::shape found =
      known ? coldzoom::shape{extents[0], rank == 4 ? extents[1] : 1, extents[rank - 2], extents[rank - 1]}
            : coldzoom::shape{};
  coldzoom::require(known && found.with_n(1) == image && found.n > 0, path.c_str(), [&] {
    return "found shape " + coldzoom::to_string(extents) + ", wanted [N, " + std::to_string(image.h) + ", " +
           std::to_string(image.w) + "] or [N, " + std::to_string(image.c) + ", " + std::to_string(image.h) +
           ", " + std::to_string(image.w) + "]";
  });
  image_source source(found, count,
                      [file](index_t first, index_t n, float* out) { file->read(first, n, out); });
  source.for_each_part([&](index_t first, unit_images part) { coldzoom::require_range(path, part, first); });
  return source;
}

/// The same, taken into memory.
inline image_set load_samples(const std::string& path, coldzoom::shape image, coldzoom::index_t count = 0) {
  return open_samples(path, image, count).read_all();
}

}  // namespace programs
