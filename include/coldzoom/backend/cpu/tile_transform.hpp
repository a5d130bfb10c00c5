/// The transforms by which a convolution of small tiles becomes one product of matrices for each frequency.
#pragma once

#include <coldzoom/backend/cpu/fft.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// A transform of a convolution y = g * d on tiles has six parts, of which the last three are the transposes of
/// the first three: those of the input d, the gradient of y and the kernel g into spectra, and from spectra
/// those of y, the gradient of d and the gradient of g. Spectra are multiplied frequency by frequency. `parts`:
/// vectors a frequency, 2 where it is complex. `scale` undoes the factor that the three transforms of a product
/// bring in. `for_sum(f)` calls f(frequency, weight): the weighted sum of these frequencies of the gradient of y
/// is its sum over the pixels.
template <class T, index_t N> struct fourier_transform {
  using fft = tile_fft<T, N>;
  static constexpr index_t size = N, parts = 2, frequencies = fft::frequencies;
  static constexpr T scale = T(1) / T(4 * N * N);

  template <class F> static void for_sum(F&& f) { f(fft::sum_frequency, T(0.5)); }

  static void input(const tile_window& w, const T* d, index_t pitch, T* to, index_t stride) {
    fft::forward(w, d, pitch, to, stride);
  }
  static void gradient(const tile_window& w, const T* dy, index_t pitch, T* to, index_t stride) {
    fft::forward(w, dy, pitch, to, stride);
  }
  static void kernel(const tile_window& w, const T* g, index_t pitch, T* to, index_t stride) {
    fft::forward(w, g, pitch, to, stride);
  }
  static void output(const T* from, index_t stride, const tile_window& w, const vec<T, native_lanes<T>>& bias,
                     T* y, index_t pitch) {
    fft::inverse(from, stride, w, bias, y, pitch);
  }
  static void input_gradient(const T* from, index_t stride, const tile_window& w, T* dx, index_t pitch) {
    fft::inverse(from, stride, w, zero<T, native_lanes<T>>(), dx, pitch);
  }
  static void kernel_gradient(const T* from, index_t stride, const tile_window& w, T* dg, index_t pitch) {
    fft::inverse(from, stride, w, zero<T, native_lanes<T>>(), dg, pitch);
  }
};

/// Winograd's F(4 x 4, 3 x 3) (Lavin and Gray 2016): 4 x 4 outputs of a 3 x 3 kernel by 36 multiplies in place
/// of 144, as Toom and Cook's product of polynomials at the points 0, a, -a, b, -b and infinity. With
/// a = 1 / b = sqrt(1/2) all numbers stay near one.
template <class T> class winograd_transform {
  static constexpr index_t L = native_lanes<T>;
  using V = vec<T, L>;

 public:
  static constexpr index_t size = 6, parts = 1, frequencies = 36;
  static constexpr T scale = T(1);

  /// In one dimension sum(y) is a sum over the points; here the product of two.
  template <class F> static void for_sum(F&& f) {
    constexpr T weight[6] = {
        1 - 1 / (a * a), 1 / (2 * a) + 1 / (2 * a * a), -1 / (2 * a) + 1 / (2 * a * a), 0, 0, 1 - a * a};
    for (index_t i = 0; i < 6; ++i) {
      for (index_t j = 0; j < 6; ++j) {
        if (weight[i] != 0 && weight[j] != 0) f(i * 6 + j, weight[i] * weight[j]);
      }
    }
  }

  static void input(const tile_window& w, const T* d, index_t pitch, T* to, index_t stride) {
    analyse<6, 6>(w, d, pitch, to, stride, [](const V* x, V* y) COLDZOOM_INLINE_LAMBDA {
      const V e = x[4] - bb * x[2], o = a * (x[3] - bb * x[1]);
      const V f = x[4] - aa * x[2], p = b * (x[3] - aa * x[1]);
      y[0] = x[4] - (aa + bb) * x[2] + x[0];
      y[1] = e + o;
      y[2] = e - o;
      y[3] = f + p;
      y[4] = f - p;
      y[5] = x[5] - (aa + bb) * x[3] + x[1];
    });
  }
  static void gradient(const tile_window& w, const T* dy, index_t pitch, T* to, index_t stride) {
    analyse<4, 6>(w, dy, pitch, to, stride, [](const V* x, V* y) COLDZOOM_INLINE_LAMBDA {
      const V e = x[0] + aa * x[2], o = a * (x[1] + aa * x[3]);
      const V f = x[0] + bb * x[2], p = b * (x[1] + bb * x[3]);
      y[0] = x[0];
      y[1] = e + o;
      y[2] = e - o;
      y[3] = f + p;
      y[4] = f - p;
      y[5] = x[3];
    });
  }
  static void kernel(const tile_window& w, const T* g, index_t pitch, T* to, index_t stride) {
    analyse<3, 6>(w, g, pitch, to, stride, [](const V* x, V* y) COLDZOOM_INLINE_LAMBDA {
      const V e = (x[0] + aa * x[2]) * of_a, o = x[1] * (a * of_a);
      const V f = (x[0] + bb * x[2]) * of_b, p = x[1] * (b * of_b);
      y[0] = x[0];
      y[1] = e + o;
      y[2] = e - o;
      y[3] = f + p;
      y[4] = f - p;
      y[5] = x[2];
    });
  }
  static void output(const T* from, index_t stride, const tile_window& w, const V& bias, T* y,
                     index_t pitch) {
    synthesise<4>(from, stride, w, bias, y, pitch, [](const V* x, V* t) COLDZOOM_INLINE_LAMBDA {
      const V e = x[1] + x[2], o = a * (x[1] - x[2]), f = x[3] + x[4], p = b * (x[3] - x[4]);
      t[0] = x[0] + e + f;
      t[1] = o + p;
      t[2] = aa * e + bb * f;
      t[3] = aa * o + bb * p + x[5];
    });
  }
  static void input_gradient(const T* from, index_t stride, const tile_window& w, T* dx, index_t pitch) {
    synthesise<6>(from, stride, w, V{}, dx, pitch, [](const V* x, V* t) COLDZOOM_INLINE_LAMBDA {
      const V e = x[1] + x[2], o = a * (x[1] - x[2]), f = x[3] + x[4], p = b * (x[3] - x[4]);
      t[0] = x[0];
      t[1] = x[5] - bb * o - aa * p;
      t[2] = -(aa + bb) * x[0] - bb * e - aa * f;
      t[3] = o + p - (aa + bb) * x[5];
      t[4] = x[0] + e + f;
      t[5] = x[5];
    });
  }
  static void kernel_gradient(const T* from, index_t stride, const tile_window& w, T* dg, index_t pitch) {
    synthesise<3>(from, stride, w, V{}, dg, pitch, [](const V* x, V* t) COLDZOOM_INLINE_LAMBDA {
      const V e = of_a * (x[1] + x[2]), f = of_b * (x[3] + x[4]);
      t[0] = x[0] + e + f;
      t[1] = (a * of_a) * (x[1] - x[2]) + (b * of_b) * (x[3] - x[4]);
      t[2] = aa * e + bb * f + x[5];
    });
  }

 private:
  static constexpr T a = T(0.70710678118654752440), b = T(1.4142135623730950488), aa = T(0.5), bb = T(2);
  // 1 / (a (a + a) (a^2 - b^2)) and the same of b.
  static constexpr T of_a = 1 / (2 * aa * (aa - bb)), of_b = 1 / (2 * bb * (bb - aa));

  /// to = M x M^T, where `line` makes M x of In numbers, zero outside the window.
  template <index_t In, index_t Out, class Line>
  static COLDZOOM_INLINE void analyse(const tile_window& w, const T* from, index_t pitch, T* to,
                                      index_t stride, const Line& line) {
    V rows[static_cast<std::size_t>(In * Out)] = {};
    for (index_t r = w.top; r < w.bottom; ++r) {
      V x[static_cast<std::size_t>(In)] = {};
      const T* const row = from + (r - w.top) * pitch;
      for (index_t c = w.left; c < w.right; ++c) x[c] = load<L>(row + (c - w.left) * L);
      line(x, rows + r * Out);
    }
    for (index_t c = 0; c < Out; ++c) {
      V x[static_cast<std::size_t>(In)], y[static_cast<std::size_t>(Out)];
      for (index_t r = 0; r < In; ++r) x[r] = rows[r * Out + c];
      line(x, y);
      for (index_t r = 0; r < Out; ++r) store<L>(to + (r * Out + c) * stride, y[r]);
    }
  }
  /// The window of M x M^T + offset, or that added to it, where `line` makes M x of six numbers.
  template <index_t Out, class Line>
  static COLDZOOM_INLINE void synthesise(const T* from, index_t stride, const tile_window& w, const V& offset,
                                         T* to, index_t pitch, const Line& line) {
    V rows[static_cast<std::size_t>(Out * 6)];
    for (index_t c = 0; c < 6; ++c) {
      V x[6], y[static_cast<std::size_t>(Out)];
      for (index_t r = 0; r < 6; ++r) x[r] = load<L>(from + (r * 6 + c) * stride);
      line(x, y);
      for (index_t r = 0; r < Out; ++r) rows[r * 6 + c] = y[r];
    }
    for (index_t r = w.top; r < w.bottom; ++r) {
      V y[static_cast<std::size_t>(Out)];
      line(rows + r * 6, y);
      T* const row = to + (r - w.top) * pitch;
      index_t c = w.left;
      for (; c < w.added(r); ++c) {
        T* const pixel = row + (c - w.left) * L;
        store<L>(pixel, load<L>(pixel) + (y[c] + offset));
      }
      for (; c < w.right; ++c) store<L>(row + (c - w.left) * L, y[c] + offset);
    }
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
