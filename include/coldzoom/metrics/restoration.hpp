/// How near a restored image is to the original: RMSE, PSNR and SSIM.
#pragma once

#include <array>
#include <coldzoom/metrics/features.hpp>
#include <limits>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

inline void check_images(const char* where, image_batch<unit, const float> restored,
                         image_batch<unit, const float> original) {
  require(restored.dims == original.dims && original.dims.size() > 0, where, [&] {
    return "the restored images are " + to_string(restored.dims) + ", the originals " +
           to_string(original.dims) + "; the shapes must agree, with at least one pixel";
  });
  require_range(std::string(where) + ", restored", restored);
  require_range(std::string(where) + ", original", original);
}

/// Index: image.
struct root_mean_square {
  image_batch<unit, const float> x, y;
  double* out;

  void operator()(index_t n) const {
    const image_view<const float> a = x.image(n), b = y.image(n);
    double sum = 0;
    for (index_t c = 0; c < a.c; ++c) {
      for (index_t row = 0; row < a.h; ++row) {
        for (index_t col = 0; col < a.w; ++col) {
          const double difference = static_cast<double>(a(c, row, col)) - static_cast<double>(b(c, row, col));
          sum += difference * difference;
        }
      }
    }
    out[n] = std::sqrt(sum / static_cast<double>(x.dims.image()));
  }
};

inline constexpr index_t ssim_side = 11;

/// The weights of one side of the window: Gaussian with sigma 1.5, sum 1.
inline std::array<double, ssim_side> ssim_window() {
  std::array<double, ssim_side> weights;
  double sum = 0;
  for (index_t i = 0; i < ssim_side; ++i) {
    constexpr index_t middle = ssim_side / 2;
    const double off = static_cast<double>(i - middle);
    sum += weights[static_cast<std::size_t>(i)] = std::exp(-off * off / (2 * 1.5 * 1.5));
  }
  for (double& w : weights) w /= sum;
  return weights;
}

/// Weighted sums of x, y, x^2, y^2 and xy.
struct ssim_sums {
  double x = 0, y = 0, xx = 0, yy = 0, xy = 0;

  void add(double weight, const ssim_sums& s) {
    x += weight * s.x;
    y += weight * s.y;
    xx += weight * s.xx;
    yy += weight * s.yy;
    xy += weight * s.xy;
  }
  double index() const {
    constexpr double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03;
    const double products = x * y, squares = x * x + y * y;
    return (2 * products + c1) * (2 * (xy - products) + c2) / ((squares + c1) * (xx + yy - squares + c2));
  }
};

/// Mean over channels and window positions. Index: image.
struct structural_similarity {
  image_batch<unit, const float> x, y;
  std::array<double, ssim_side> window;
  double* out;

  void operator()(index_t n) const {
    const image_view<const float> a = x.image(n), b = y.image(n);
    const index_t h = a.h - ssim_side + 1, w = a.w - ssim_side + 1;
    std::vector<ssim_sums> along_rows(static_cast<std::size_t>(a.h * w));
    double sum = 0;
    for (index_t c = 0; c < a.c; ++c) {
      for (index_t i = 0; i < a.h * w; ++i)
        along_rows[static_cast<std::size_t>(i)] = row_sums(a, b, c, i / w, i % w);
      for (index_t i = 0; i < h * w; ++i) {
        ssim_sums sums;
        for (index_t l = 0; l < ssim_side; ++l) {
          sums.add(window[static_cast<std::size_t>(l)], along_rows[static_cast<std::size_t>(i + l * w)]);
        }
        sum += sums.index();
      }
    }
    out[n] = sum / static_cast<double>(a.c * h * w);
  }

 private:
  ssim_sums row_sums(const image_view<const float>& a, const image_view<const float>& b, index_t c,
                     index_t row, index_t col) const {
    ssim_sums sums;
    for (index_t l = 0; l < ssim_side; ++l) {
      const double p = static_cast<double>(a(c, row, col + l)), q = static_cast<double>(b(c, row, col + l));
      sums.add(window[static_cast<std::size_t>(l)], {p, q, p * p, q * q, p * q});
    }
    return sums;
  }
};

template <HostBackend B>
std::vector<double> root_mean_squares(B& b, const char* where, image_batch<unit, const float> restored,
                                      image_batch<unit, const float> original) {
  check_images(where, restored, original);
  std::vector<double> out(static_cast<std::size_t>(original.dims.n));
  b.for_each_index(original.dims.n, root_mean_square{restored, original, out.data()},
                   2 * original.dims.image());
  return out;
}

}  // namespace detail

/// Root of the mean squared difference of each image, over all its channels and pixels, in double; any
/// strides. Throws `error` where the shapes differ, there is no pixel, or one is outside [0, 1] (clamp what a
/// network made). Cost: one pass.
template <HostBackend B>
std::vector<double> rmse(B& b, image_batch<unit, const float> restored,
                         image_batch<unit, const float> original) {
  return detail::root_mean_squares(b, "rmse", restored, original);
}

/// Peak signal-to-noise ratio of each image in dB, -20 log10(rmse) for the data range 1; infinite for equal
/// images. Otherwise as `rmse`.
template <HostBackend B>
std::vector<double> psnr(B& b, image_batch<unit, const float> restored,
                         image_batch<unit, const float> original) {
  std::vector<double> values = detail::root_mean_squares(b, "psnr", restored, original);
  for (double& v : values) v = v > 0 ? -20 * std::log10(v) : std::numeric_limits<double>::infinity();
  return values;
}

/// Structural similarity of each image (Wang et al. 2004): window 11 x 11, Gaussian with sigma 1.5, K1 =
/// 0.01, K2 = 0.03, data range 1; mean over the positions where the whole window lies inside (the paper's
/// choice, "valid") and over channels. Variances are weighted sums, as in the paper, without the n / (n - 1)
/// of some programs. From -1 to 1, 1 for equal images; symmetric. Double, any strides.
///
/// Throws `error` as `rmse` does and for images smaller than the window. Cost: 220 operations a pixel, 0.3 s
/// for 10,000 digits.
template <HostBackend B>
std::vector<double> ssim(B& b, image_batch<unit, const float> restored,
                         image_batch<unit, const float> original) {
  const shape d = original.dims;
  detail::check_images("ssim", restored, original);
  require(std::min(d.h, d.w) >= detail::ssim_side, "ssim", [&] {
    return "the images are " + to_string(d) + "; height and width must be at least 11, the window";
  });
  std::vector<double> out(static_cast<std::size_t>(d.n));
  b.for_each_index(d.n, detail::structural_similarity{restored, original, detail::ssim_window(), out.data()},
                   220 * d.image());
  return out;
}

/// Arithmetic mean; infinite where a value is (the PSNR of equal images). Throws `error` for no values.
inline double mean(const std::vector<double>& values) {
  require(!values.empty(), "mean", "there are no values");
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

}  // namespace coldzoom::inline COLDZOOM_ISA
