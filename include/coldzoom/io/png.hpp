/// Pictures as PNG files, and many images laid out in one picture. Needs libpng 1.6.
#pragma once

#include <png.h>

#include <algorithm>
#include <coldzoom/core/config.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <coldzoom/core/view.hpp>
#include <coldzoom/io/picture.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

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

namespace detail {

/// The file without what libpng would convert pixels by (gamma, colour profiles) and other things beside them.
inline std::vector<std::byte> png_pixels_alone(std::span<const std::byte> file) {
  constexpr std::size_t signature = 8, around = 12;  // a chunk's length before, type and checksum after it
  const auto start = file.first(std::min(signature, file.size()));
  std::vector<std::byte> kept(start.begin(), start.end());
  for (std::size_t at = signature; at < file.size();) {
    std::size_t length = 0;
    for (std::size_t i = at; i < std::min(at + 4, file.size()); ++i)
      length = length << 8 | std::to_integer<std::size_t>(file[i]);
    const auto chunk = file.subspan(at, std::min(length + around, file.size() - at));
    const std::string_view name(reinterpret_cast<const char*>(chunk.data()),
                                std::min<std::size_t>(chunk.size(), 8));
    for (const std::string_view type : {"IHDR", "PLTE", "tRNS", "IDAT", "IEND"}) {
      if (name.ends_with(type)) kept.insert(kept.end(), chunk.begin(), chunk.end());
    }
    at += chunk.size();
  }
  return kept;
}

}  // namespace detail

/// The picture that the bytes of a PNG file hold, grey or RGB; `name` stands in errors. The stored values: no
/// gamma, no colour profile is applied. Palettes become RGB; fewer bits than 8 are spread over 0 to 255, 16 bits
/// rounded to 8; what is transparent is mixed with `background`, of the stored values, not of light. Throws `error`
/// with the name, what was found and what was wanted.
inline picture decode_png(const std::string& name, std::span<const std::byte> bytes,
                          std::uint8_t background = 0) {
  const std::vector<std::byte> pixels = detail::png_pixels_alone(bytes);
  detail::png_guard png;
  if (!png_image_begin_read_from_memory(&png, pixels.data(), pixels.size())) {
    throw error(name, std::string("cannot read the PNG: ") + png.message);
  }
  detail::require_picture_size(name, png.height, png.width);
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // 16 bits count as 8 do, not as amounts of light
  const bool alpha = (png.format & PNG_FORMAT_FLAG_ALPHA) != 0;
  const index_t channels = png.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1, stored = channels + (alpha ? 1 : 0);
  const index_t count = index_t{png.height} * png.width;
  picture image{png.height, png.width, channels,
                std::vector<std::uint8_t>(static_cast<std::size_t>(count * stored))};
  png.format = (channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY) | (alpha ? PNG_FORMAT_FLAG_ALPHA : 0u);
  if (!png_image_finish_read(&png, nullptr, image.pixels.data(), 0, nullptr)) {
    throw error(name, std::string("cannot read the PNG: ") + png.message);
  }
  if (alpha) {
    std::uint8_t* out = image.pixels.data();
    for (const std::uint8_t* in = out; out != image.pixels.data() + count * channels; ++in) {
      for (index_t c = channels; c > 0; --c, ++in)
        *out++ = static_cast<std::uint8_t>((*in * in[c] + background * (255 - in[c]) + 127) / 255);
    }
    image.pixels.resize(static_cast<std::size_t>(count * channels));
  }
  return image;
}

/// Reads a PNG file as decode_png does.
inline picture load_png(const std::string& path) { return decode_png(path, read_file(path)); }

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
