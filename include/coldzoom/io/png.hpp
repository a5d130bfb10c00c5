/// Pictures as PNG files, and many images laid out in one picture. Needs libpng 1.6.
#pragma once

#include <png.h>

#include <algorithm>
#include <coldzoom/core/config.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <coldzoom/core/view.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Pixels 0 to 255 in the order of a PNG: height x width x channels, channels 1 (grey) or 3 (red, green,
/// blue).
struct picture {
  index_t height = 0, width = 0, channels = 1;
  std::vector<std::uint8_t> pixels;
};

namespace detail {

/// The largest number of pixels of a picture; a damaged file cannot ask for more memory than this allows.
inline constexpr index_t largest_picture = index_t{1} << 28;

/// libpng's simplified interface reports errors by value, where the full one would jump past destructors.
struct png_guard : png_image {
  png_guard() : png_image{} { version = PNG_IMAGE_VERSION; }
  png_guard(const png_guard&) = delete;
  png_guard& operator=(const png_guard&) = delete;
  ~png_guard() { png_image_free(this); }
};

}  // namespace detail

/// Writes an 8-bit PNG, replacing an old file entirely or not at all. Throws `error` for an empty or
/// inconsistent picture, other channels than 1 or 3, or where the file cannot be written.
inline void save_png(const std::string& path, const picture& image) {
  const auto& [height, width, channels, pixels] = image;
  const bool known = (channels == 1 || channels == 3) && height > 0 && width > 0;
  if (!known || height > detail::largest_picture / width ||
      pixels.size() != static_cast<std::size_t>(height * width * channels)) {
    throw error(path, "found a picture of " + std::to_string(height) + " x " + std::to_string(width) +
                          " pixels, " + std::to_string(channels) + " channels and " +
                          std::to_string(pixels.size()) +
                          " bytes, wanted 1 or 3 channels, one byte for each and at most 2^28 pixels");
  }
  detail::png_guard png;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::vector<std::byte> bytes(size);
  if (!png_image_write_to_memory(&png, bytes.data(), &size, 0, pixels.data(), 0, nullptr)) {
    throw error(path, std::string("cannot encode the PNG: ") + png.message);
  }
  write_file_atomically(path, std::span(bytes).first(size));
}

/// Reads a PNG without transparency, at most 8 bits a channel; palettes become RGB, fewer bits 8. Throws
/// `error` with the path, what was found and what was wanted.
inline picture load_png(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  detail::png_guard png;
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) {
    throw error(path, std::string("cannot read the PNG: ") + png.message);
  }
  if (png.format & (PNG_FORMAT_FLAG_ALPHA | PNG_FORMAT_FLAG_LINEAR)) {
    throw error(path, "found a PNG with transparency or 16-bit channels, wanted 8-bit grey or RGB");
  }
  const index_t height = png.height, width = png.width, channels = png.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1;
  if (height > detail::largest_picture / width) {
    throw error(path, "found " + std::to_string(height) + " x " + std::to_string(width) +
                          " pixels, wanted at most 2^28");
  }
  picture image{height, width, channels,
                std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * channels))};
  png.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  if (!png_image_finish_read(&png, nullptr, image.pixels.data(), 0, nullptr)) {
    throw error(path, std::string("cannot read the PNG: ") + png.message);
  }
  return image;
}

/// Lays out images of unit range [0, 1] row by row, `columns` side by side (fewer where there are fewer
/// images), `gap` pixels between neighbours, every pixel enlarged to `scale` x `scale`. Values are clamped to
/// [0, 1] and rounded to the nearest of 0 to 255; NaN is drawn as 0. Gaps and the cells after the last image
/// have the grey value `background`. Throws `error` for no images, other channels than 1 or 3, columns or
/// scale below 1, a negative gap, or a picture of more than 2^28 pixels.
inline picture image_grid(tensor_view<const float> images, index_t columns, index_t scale = 1,
                          index_t gap = 1, std::uint8_t background = 255) {
  const auto [n, c, h, w] = images.dims;
  if ((c != 1 && c != 3) || n < 1 || h < 1 || w < 1) {
    throw error("image_grid",
                "found images " + to_string(images.dims) + ", wanted N x 1 x H x W or N x 3 x H x W");
  }
  constexpr index_t most = detail::largest_picture;
  columns = std::min(columns, n);
  const bool small = std::max({n, h, w}) <= most && scale <= most && gap <= most;
  if (columns < 1 || scale < 1 || gap < 0 || !small || h > most / scale || w > most / scale) {
    throw error("image_grid", "found " + std::to_string(columns) + " columns, scale " +
                                  std::to_string(scale) + " and gap " + std::to_string(gap) +
                                  ", wanted columns and scale from 1, gap from 0, all to 2^28 pixels");
  }
  const index_t rows = (n + columns - 1) / columns;
  const index_t step_y = h * scale + gap, step_x = w * scale + gap;
  picture grid{rows * step_y - gap, columns * step_x - gap, c, {}};
  if (grid.height > most / grid.width) {
    throw error("image_grid", "found a picture of " + std::to_string(grid.height) + " x " +
                                  std::to_string(grid.width) + " pixels, wanted at most 2^28");
  }
  grid.pixels.assign(static_cast<std::size_t>(grid.height * grid.width * c), background);
  const auto to_byte = [](float v) {  // NaN is not greater than 0
    return static_cast<std::uint8_t>(v > 0 ? std::min(v, 1.0f) * 255.0f + 0.5f : 0.0f);
  };
  for (index_t i = 0; i < n; ++i) {
    const image_view<const float> image = images.image(i);
    const index_t top = i / columns * step_y, left = i % columns * step_x;
    for (index_t y = 0; y < h * scale; ++y) {
      std::uint8_t* out = grid.pixels.data() + ((top + y) * grid.width + left) * c;
      for (index_t x = 0; x < w * scale; ++x) {
        for (index_t channel = 0; channel < c; ++channel)
          *out++ = to_byte(image(channel, y / scale, x / scale));
      }
    }
  }
  return grid;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
