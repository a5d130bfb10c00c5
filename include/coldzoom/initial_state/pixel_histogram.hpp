/// Initial states of independent pixels.
#pragma once

#include <algorithm>
#include <array>
#include <coldzoom/core/error.hpp>
#include <coldzoom/initial_state/initial_state.hpp>
#include <cstdint>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Draws one small image a sample and repeats its pixels up to the output. Index: [n][c].
template <ValueRange R, class Out> struct draw_histogram_pixels {
  std::uint32_t below[256];  // share of the pixels in bins 0 .. k, in 2^-32
  index_t rows, cols;
  key_sequence keys;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / out.dims.c, c = i % out.dims.c, h = out.dims.h, w = out.dims.w;
    const sample_key key = keys[n];
    for (index_t row = 0; row < rows; ++row) {
      for (index_t col = 0; col < cols; ++col) {
        const std::uint32_t word =
            random_word(key, static_cast<std::uint64_t>((c * rows + row) * cols + col));
        int bin = 0;
        while (bin < 255 && below[bin] <= word) ++bin;
        const float value = R::low + static_cast<float>(bin) / 256.0f * (R::high - R::low);
        // The output pixels y with floor(y * rows / h) == row.
        for (index_t y = (row * h + rows - 1) / rows; y < ((row + 1) * h + rows - 1) / rows; ++y) {
          for (index_t x = (col * w + cols - 1) / cols; x < ((col + 1) * w + cols - 1) / cols; ++x) {
            out(n, c, y, x) = value;
          }
        }
      }
    }
  }
};

}  // namespace detail

/// rows x cols pixels an image and channel, each drawn on its own from one 256-bin histogram over the range
/// R, then resized to the image by the nearest rule. A drawn bin k gives its left edge, low + k / 256 (high -
/// low). The original Cold Zoom Diffusion project starts from these; they ignore that neighbouring pixels
/// agree.
template <ValueRange R> class pixel_histogram {
 public:
  using range = R;

  /// `counts`: how often each bin occurred. Throws `error` if all are zero or the grid is empty.
  pixel_histogram(const std::array<std::uint64_t, 256>& counts, index_t rows, index_t cols)
      : counts_(counts),
        rows_(rows),
        cols_(cols) {
    double total = 0, sum = 0;
    for (const std::uint64_t count : counts) total += static_cast<double>(count);
    require(total > 0, "pixel_histogram", "every count is zero; the histogram needs at least one pixel");
    require(rows > 0 && cols > 0, "pixel_histogram", [&] {
      return "the grid is " + std::to_string(rows) + " x " + std::to_string(cols) + "; both must be positive";
    });
    for (std::size_t k = 0; k < 256; ++k) {
      sum += static_cast<double>(counts[k]);
      below_[k] = static_cast<std::uint32_t>(std::min(4294967295.0, sum / total * 4294967296.0));
    }
  }

  /// Counts the pixels of `images`, fully degraded ones in host memory; values outside R fall into the end
  /// bins, NaN into the first.
  static std::array<std::uint64_t, 256> count(image_batch<R, const float> images) {
    std::array<std::uint64_t, 256> counts{};
    const shape d = images.dims;
    for (index_t n = 0; n < d.n; ++n) {
      for (index_t c = 0; c < d.c; ++c) {
        for (index_t y = 0; y < d.h; ++y) {
          for (index_t x = 0; x < d.w; ++x) {
            const float bin = (images(n, c, y, x) - R::low) / (R::high - R::low) * 256.0f;
            ++counts[static_cast<std::size_t>(bin > 0 ? std::min(bin, 255.0f) : 0.0f)];
          }
        }
      }
    }
    return counts;
  }

  const std::array<std::uint64_t, 256>& counts() const { return counts_; }
  index_t rows() const { return rows_; }
  index_t cols() const { return cols_; }

  template <Backend B>
  void draw(B& b, key_sequence keys, image_batch<R, float, typename B::space> out) const {
    using kernel = detail::draw_histogram_pixels<R, tensor_view<float, typename B::space>>;
    kernel draw_pixels{{}, rows_, cols_, keys, out};
    std::copy(below_.begin(), below_.end(), draw_pixels.below);
    b.for_each_index(out.dims.n * out.dims.c, draw_pixels, 4096);
  }

 private:
  std::array<std::uint64_t, 256> counts_;
  std::array<std::uint32_t, 256> below_{};
  index_t rows_, cols_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
