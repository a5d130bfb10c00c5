#include "common/image_set.hpp"

#include <algorithm>
#include <cmath>
#include <coldzoom/io/npy.hpp>
#include <coldzoom/io/png.hpp>
#include <coldzoom/metrics/features.hpp>
#include <memory>

#include "common/finite.hpp"

namespace programs {

image_source source_of(const coldzoom::labelled_images& images, coldzoom::index_t count) {
  return {images.dims, count, [&images](coldzoom::index_t first, coldzoom::index_t n, float* out) {
            const std::uint8_t* pixels = images.pixels.data() + first * images.dims.image();
            for (coldzoom::index_t i = 0; i < n * images.dims.image(); ++i)
              out[i] = coldzoom::from_byte<coldzoom::unit>(pixels[i]);
          }};
}

image_source source_of(const image_set& images) {
  return {images.dims, 0, [&images](coldzoom::index_t first, coldzoom::index_t n, float* out) {
            const coldzoom::index_t size = images.dims.image();
            std::copy_n(images.pixels.data() + first * size, n * size, out);
          }};
}

image_set to_image_set(const coldzoom::labelled_images& images, coldzoom::index_t count) {
  return source_of(images, count).read_all();
}

image_source open_samples(const std::string& path, coldzoom::shape image, coldzoom::index_t count) {
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

image_set load_samples(const std::string& path, coldzoom::shape image, coldzoom::index_t count) {
  return open_samples(path, image, count).read_all();
}

void save_samples(const std::string& path, const image_set& images) {
  const coldzoom::shape& d = images.dims;
  coldzoom::index_t broken = 0;
  for (coldzoom::index_t n = 0; n < d.n; ++n) {
    broken += !all_finite({images.pixels.data() + n * d.image(), static_cast<std::size_t>(d.image())});
  }
  coldzoom::require(broken == 0, path.c_str(), [&] {
    return "found pixels that are not finite in " + std::to_string(broken) + " of " + std::to_string(d.n) +
           " samples, which are not saved; the model may have diverged in training";
  });
  coldzoom::save_npy(path, images.pixels,
                     d.c == 1 ? std::vector<coldzoom::index_t>{d.n, d.h, d.w}
                              : std::vector<coldzoom::index_t>{d.n, d.c, d.h, d.w});
}

void save_grid(const std::string& path, const image_set& images, coldzoom::index_t most,
               coldzoom::index_t columns) {
  const coldzoom::index_t n = std::min(images.dims.n, most);
  if (columns == 0) columns = static_cast<coldzoom::index_t>(std::ceil(std::sqrt(static_cast<double>(n))));
  coldzoom::save_png(path, coldzoom::image_grid(coldzoom::tensor_view<const float>(images.pixels.data(),
                                                                                   images.dims.with_n(n)),
                                                columns, 2, 2, 64));
}

void save_rows(const std::string& path, const std::vector<const image_set*>& sets,
               coldzoom::index_t columns) {
  const coldzoom::shape dims = sets.front()->dims;
  columns = std::min(columns, dims.n);
  const coldzoom::index_t size = columns * dims.image(), scale = std::max(dims.h, dims.w) <= 128 ? 2 : 1;
  std::vector<float> pixels;
  for (const image_set* set : sets)
    pixels.insert(pixels.end(), set->pixels.begin(), set->pixels.begin() + size);
  const coldzoom::shape all = dims.with_n(static_cast<coldzoom::index_t>(sets.size()) * columns);
  coldzoom::save_png(
      path, coldzoom::image_grid(coldzoom::tensor_view<const float>(pixels.data(), all), columns, scale));
}

}  // namespace programs
