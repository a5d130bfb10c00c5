/// The discrete Fourier transform of pictures, for degradations of one's own.
#pragma once

#include <cmath>
#include <coldzoom/backend/backend.hpp>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/core/error.hpp>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

struct complex_planes {
  float *real, *imaginary;
};

/// Lines of a batch of dense planes: along x, or along y.
struct plane_lines {
  index_t h, w;
  bool along_x;

  COLDZOOM_HD index_t extent() const { return along_x ? w : h; }
  COLDZOOM_HD index_t stride() const { return along_x ? 1 : w; }
  COLDZOOM_HD index_t first(index_t line) const { return along_x ? line * w : line / w * h * w + line % w; }
};

/// A pass of Stockham's transform. Before it, place j + l k of a line holds coefficient j of the transform of the l elements
/// k, k + n / l, ... of the line; after it, the same for l p. Index: [line][place].
struct fourier_pass {
  plane_lines lines;
  complex_planes from, to;
  const float* cosines;  // of 2 pi i / n
  const float* sines;
  index_t l, p;
  float direction, factor;  // -1 or 1; of the results

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = lines.extent(), stride = lines.stride(), first = lines.first(i / n), at = i % n,
                  m = n / (l * p), coefficient = at % (l * p), k = at / (l * p), j = coefficient % l;
    float real = 0, imaginary = 0;
    for (index_t r = 0; r < p; ++r) {
      const index_t place = first + (j + l * (k + m * r)) * stride, angle = coefficient * r * m % n;
      const float c = cosines[angle], s = direction * sines[angle];
      real += from.real[place] * c - from.imaginary[place] * s;
      imaginary += from.real[place] * s + from.imaginary[place] * c;
    }
    to.real[first + at * stride] = factor * real;
    to.imaginary[first + at * stride] = factor * imaginary;
  }
};

}  // namespace detail

/// Transforms of dense h x w planes of any extents, real and imaginary parts apart, in place: coefficient (v, u) lies where pixel (v,
/// u) lay, and frequency v goes with h - v. Mixed radix (Stockham): cost h w times the sum of the prime factors of h and w, about
/// 10 us for 28 x 28 on one core; extents with large prime factors are slow. Float; the error is a few roundings a factor.
template <Backend B> class fft2d {
 public:
  /// Throws `error` for an extent below 1.
  fft2d(B& b, index_t h, index_t w) : rows_{h, w, true}, columns_{h, w, false} {
    require(h >= 1 && w >= 1, "fft2d", [&] {
      return "the planes are " + std::to_string(h) + " x " + std::to_string(w) + "; they must have pixels";
    });
    along_x_ = table(b, w);
    along_y_ = table(b, h);
  }

  /// sum over pixels of x exp(-2 pi i (v y / h + u x / w)), for `planes` planes one after the other.
  void forward(B& b, index_t planes, float* real, float* imaginary) const {
    transform(b, planes, {real, imaginary}, -1);
  }
  /// The inverse of `forward`.
  void backward(B& b, index_t planes, float* real, float* imaginary) const {
    transform(b, planes, {real, imaginary}, 1);
  }

 private:
  /// Cosines and then sines of 2 pi i / n.
  static auto table(B& b, index_t n) {
    std::vector<float> values(static_cast<std::size_t>(2 * n));
    for (index_t i = 0; i < n; ++i) {
      const double angle = 2 * 3.14159265358979323846 * static_cast<double>(i) / static_cast<double>(n);
      values[static_cast<std::size_t>(i)] = static_cast<float>(std::cos(angle));
      values[static_cast<std::size_t>(n + i)] = static_cast<float>(std::sin(angle));
    }
    return to_backend(b, values);
  }
  void transform(B& b, index_t planes, detail::complex_planes data, float direction) const {
    const index_t size = planes * rows_.h * rows_.w;
    auto scratch = b.template allocate<float>(2 * size);
    detail::complex_planes from = data, to{scratch.data(), scratch.data() + size};
    const auto along = [&](const detail::plane_lines& lines, const float* cosines) {
      const index_t n = lines.extent();
      for (index_t l = 1, p = 2; l < n; l *= p) {
        while (n / l % p != 0) ++p;
        const bool last = l * p == n;
        const float factor = last && direction > 0 ? 1 / static_cast<float>(n) : 1.0f;
        b.for_each_index(size,
                         detail::fourier_pass{lines, from, to, cosines, cosines + n, l, p, direction, factor},
                         10 * p);
        std::swap(from, to);
      }
    };
    along(rows_, along_x_.data());
    along(columns_, along_y_.data());
    if (from.real != data.real) {
      b.copy(from.real, data.real, size);
      b.copy(from.imaginary, data.imaginary, size);
    }
  }

  detail::plane_lines rows_, columns_;
  typename B::template buffer<float> along_x_, along_y_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
