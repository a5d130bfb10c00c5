/// Pictures in memory: their channels, their size, their order of bytes. Sizes and channels change by arithmetic of integers,
/// so the bits are the same on every machine.
#pragma once

#include <algorithm>
#include <coldzoom/core/config.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/view.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
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

/// Throws `error`, blaming `where`, unless there are pixels and no more of them than a picture may have.
inline void require_picture_size(const std::string& where, index_t height, index_t width) {
  require(height > 0 && width > 0 && height <= largest_picture / width, where.c_str(), [&] {
    return "found " + std::to_string(height) + " x " + std::to_string(width) +
           " pixels, wanted 1 to 2^28 of them";
  });
}

/// Of one element of a line that is resized: the elements first, first + 1, ... of the old line, by weights.
struct resize_taps {
  index_t first;
  std::vector<std::int64_t> weights;
};
/// The weights of each element add up to `total`.
struct resize_line {
  std::int64_t total;
  std::vector<resize_taps> taps;
};

/// Shrinking takes the mean over the length that an element covers; enlarging interpolates between the two
/// centres around its own, and the outer elements reach to the edge.
inline resize_line resize_weights(index_t from, index_t to) {
  resize_line line{to <= from ? from : 2 * to, {}};
  for (index_t i = 0; i < to; ++i) {
    if (to <= from) {  // in units of 1 / to of an old element: [i from, (i + 1) from) of [k to, (k + 1) to)
      resize_taps tap{i * from / to, {}};
      for (index_t k = tap.first; k * to < (i + 1) * from; ++k)
        tap.weights.push_back(std::min((k + 1) * to, (i + 1) * from) - std::max(k * to, i * from));
      line.taps.push_back(std::move(tap));
    } else {  // the centre (i + 1/2) from / to - 1/2, in units of 1 / (2 to)
      const index_t centre = std::clamp<index_t>((2 * i + 1) * from - to, 0, 2 * to * (from - 1));
      const index_t behind = centre % (2 * to);
      line.taps.push_back({centre / (2 * to), {2 * to - behind}});
      if (behind > 0) line.taps.back().weights.push_back(behind);
    }
  }
  return line;
}

}  // namespace detail

/// The picture at another size. Along a side that becomes shorter a pixel is the mean of the area that it covers
/// (an area filter, which leaves no moire), along one that becomes longer the picture is interpolated linearly.
/// Rounded to the nearest once, at the end. Throws `error` for a size without pixels or above 2^28 of them.
inline picture resized(const picture& from, index_t height, index_t width) {
  detail::require_picture_size("resized", height, width);
  detail::require_picture_size("resized: the picture", from.height, from.width);
  if (height == from.height && width == from.width) return from;
  const detail::resize_line rows = detail::resize_weights(from.height, height),
                            columns = detail::resize_weights(from.width, width);
  const std::int64_t total = rows.total * columns.total;
  const index_t c = from.channels;
  picture to{height, width, c, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * c))};
  std::uint8_t* out = to.pixels.data();
  std::vector<std::int64_t> row(static_cast<std::size_t>(from.width * c));  // of the old width, new height
  for (const auto& [top, vertical] : rows.taps) {
    std::fill(row.begin(), row.end(), 0);
    const std::uint8_t* in = from.pixels.data() + top * from.width * c;
    for (const std::int64_t weight : vertical) {
      for (std::int64_t& sum : row) sum += weight * *in++;
    }
    for (const auto& [left, horizontal] : columns.taps) {
      for (index_t channel = 0; channel < c; ++channel) {
        const std::int64_t* element = row.data() + left * c + channel;
        std::int64_t sum = total / 2;
        for (std::size_t k = 0; k < horizontal.size(); ++k)
          sum += horizontal[k] * element[static_cast<index_t>(k) * c];
        *out++ = static_cast<std::uint8_t>(sum / total);
      }
    }
  }
  return to;
}

/// The largest part about the centre whose height is to its width as `height` to `width`, of at least one pixel.
/// Where an odd number of rows or columns goes, one more goes at the bottom or on the right.
inline picture centre_cropped(const picture& from, index_t height, index_t width) {
  detail::require_picture_size("centre_cropped", height, width);
  const bool too_high = from.height * width > from.width * height;
  const index_t h = too_high ? std::max<index_t>(1, (from.width * height + width / 2) / width) : from.height;
  const index_t w = too_high ? from.width : std::max<index_t>(1, (from.height * width + height / 2) / height);
  picture to{h, w, from.channels, {}};
  const index_t top = (from.height - h) / 2, left = (from.width - w) / 2;
  for (index_t y = top; y < top + h; ++y) {
    const auto first = from.pixels.begin() + (y * from.width + left) * from.channels;
    to.pixels.insert(to.pixels.end(), first, first + w * from.channels);
  }
  return to;
}

/// The picture in grey (channels = 1) or red, green and blue (3). Grey of colours is the luma of Rec. 601, 0.299 R +
/// 0.587 G + 0.114 B of the stored values, rounded to the nearest, as most programs take it. Throws `error` for
/// another number of channels.
inline picture with_channels(picture from, index_t channels) {
  require(channels == 1 || channels == 3, "with_channels",
          [&] { return "found " + std::to_string(channels) + " channels, wanted 1 or 3"; });
  if (channels == from.channels) return from;
  picture to{from.height, from.width, channels, {}};
  to.pixels.reserve(static_cast<std::size_t>(to.height * to.width * channels));
  for (auto p = from.pixels.begin(); p != from.pixels.end(); p += from.channels) {
    if (channels == 3) {
      to.pixels.insert(to.pixels.end(), 3, p[0]);
    } else {
      to.pixels.push_back(static_cast<std::uint8_t>((299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000));
    }
  }
  return to;
}

/// Its bytes plane after plane, channels x height x width: the order of images in a data set.
inline std::vector<std::uint8_t> to_planes(const picture& from) {
  std::vector<std::uint8_t> planes;
  planes.reserve(from.pixels.size());
  for (index_t c = 0; c < from.channels; ++c) {
    for (index_t i = 0; i < from.height * from.width; ++i)
      planes.push_back(from.pixels[static_cast<std::size_t>(i * from.channels + c)]);
  }
  return planes;
}

/// The byte of a pixel in [0, 1], rounded to the nearest; others are clamped, NaN is 0.
inline std::uint8_t to_byte(float pixel) {
  return static_cast<std::uint8_t>(pixel > 0 ? std::min(pixel, 1.0f) * 255.0f + 0.5f : 0.0f);
}

/// The inverse of to_planes: the picture of an image of a data set, 1 x C x H x W.
inline picture from_planes(shape image, const std::uint8_t* planes) {
  picture to{image.h, image.w, image.c, {}};
  to.pixels.reserve(static_cast<std::size_t>(image.image()));
  for (index_t i = 0; i < image.pixels(); ++i) {
    for (index_t c = 0; c < image.c; ++c) to.pixels.push_back(planes[c * image.pixels() + i]);
  }
  return to;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
