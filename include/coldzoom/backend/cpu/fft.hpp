/// Two-dimensional real Fourier transforms of small tiles, one independent tile in each vector lane.
#pragma once

#include <algorithm>
#include <coldzoom/backend/cpu/simd.hpp>
#include <coldzoom/backend/twiddles.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// L complex numbers in two registers.
template <class T, index_t L> struct complex_vec {
  vec<T, L> re, im;

  friend COLDZOOM_INLINE complex_vec operator+(const complex_vec& a, const complex_vec& b) {
    return {a.re + b.re, a.im + b.im};
  }
  friend COLDZOOM_INLINE complex_vec operator-(const complex_vec& a, const complex_vec& b) {
    return {a.re - b.re, a.im - b.im};
  }
};

/// z exp(-2 pi i K / N); the multiples of an eighth of a turn cost fewer operations.
template <index_t N, index_t K, class T, index_t L>
COLDZOOM_INLINE complex_vec<T, L> rotate(const complex_vec<T, L>& z) {
  constexpr index_t k = K * (32 / N) % 32;
  constexpr T c = T(cosine_32(k)), s = T(cosine_32(k - 8));
  if constexpr (k == 0) {
    return z;
  } else if constexpr (k == 8) {
    return {z.im, -z.re};
  } else if constexpr (k == 16) {
    return {-z.re, -z.im};
  } else if constexpr (k == 24) {
    return {-z.im, z.re};
  } else if constexpr (k == 4) {
    return {(z.re + z.im) * c, (z.im - z.re) * c};
  } else if constexpr (k == 12) {
    return {(z.im - z.re) * s, (z.re + z.im) * c};
  } else {
    return {z.re * c + z.im * s, z.im * c - z.re * s};
  }
}

/// Complex transform of N points in straight-line code: out(k, sum over j of in(j) exp(-2 pi i j k / N)).
/// Each point is fetched where it is needed and handed out as soon as it is known, so that few registers are
/// live at a time. Cooley-Tukey: P transforms of N / P points, twiddles, N / P transforms of P points.
template <class T, index_t L, index_t N, class In, class Out> COLDZOOM_INLINE void fft(In&& in, Out&& out) {
  using value = complex_vec<T, L>;
  if constexpr (N == 2) {
    const value a = in(std::integral_constant<index_t, 0>{}), b = in(std::integral_constant<index_t, 1>{});
    out(std::integral_constant<index_t, 0>{}, a + b);
    out(std::integral_constant<index_t, 1>{}, a - b);
  } else if constexpr (N == 4) {
    const value a = in(std::integral_constant<index_t, 0>{}), b = in(std::integral_constant<index_t, 1>{});
    const value c = in(std::integral_constant<index_t, 2>{}), d = in(std::integral_constant<index_t, 3>{});
    const value s = a + c, t = a - c, u = b + d, v = rotate<4, 1>(b - d);
    out(std::integral_constant<index_t, 0>{}, s + u);
    out(std::integral_constant<index_t, 1>{}, t + v);
    out(std::integral_constant<index_t, 2>{}, s - u);
    out(std::integral_constant<index_t, 3>{}, t - v);
  } else {
    constexpr index_t P = N == 8 ? 2 : 4, Q = N / P;
    value t[static_cast<std::size_t>(N)];
    unroll<P>([&](auto j) COLDZOOM_INLINE_LAMBDA {
      fft<T, L, Q>(
          [&](auto i) COLDZOOM_INLINE_LAMBDA { return in(std::integral_constant<index_t, j + P * i>{}); },
          [&](auto k, const value& z) COLDZOOM_INLINE_LAMBDA { t[j * Q + k] = rotate<N, j * k>(z); });
    });
    unroll<Q>([&](auto k) COLDZOOM_INLINE_LAMBDA {
      fft<T, L, P>([&](auto j) COLDZOOM_INLINE_LAMBDA { return t[j * Q + k]; },
                   [&](auto m, const value& z)
                       COLDZOOM_INLINE_LAMBDA { out(std::integral_constant<index_t, k + Q * m>{}, z); });
    });
  }
}

}  // namespace detail

/// Rows top .. bottom - 1 and columns left .. right - 1 of a tile. Rows before `added_bottom` and columns before
/// `added_right` lie under earlier tiles too: who writes the window adds to its pixels there.
struct tile_window {
  index_t top, bottom, left, right;
  index_t added_bottom = 0, added_right = 0;

  /// The column before which pixels of row r are added to.
  index_t added(index_t r) const { return r < added_bottom ? right : added_right; }
};

/// Real two-dimensional transform of N x N tiles, N = 8, 16 or 32, and its inverse. L tiles at a time, one in
/// each lane: neither direction ever moves data between lanes.
///
/// A real tile has N * N / 2 + 2 unique frequencies. They are numbered: columns 1 .. N/2 - 1 of the transform
/// (each N long), then rows 0 .. N/2 of column 0, then rows 0 .. N/2 of column N/2. Frequency f lies at
/// spectrum + f * stride as [re x L][im x L]. `forward` returns twice the transform and `inverse` N * N times
/// the inverse; whoever multiplies spectra folds these powers of two into a factor that is there anyway.
///
/// About 1.5 N^2 log2(N^2) vector operations. Rows that hold zeros, and rows nobody wants, are skipped.
template <class T, index_t N> class tile_fft {
 public:
  static_assert(N == 8 || N == 16 || N == 32);
  static constexpr index_t lanes = native_lanes<T>;
  static constexpr index_t frequencies = N * N / 2 + 2;
  /// The frequency that is the sum over the tile.
  static constexpr index_t sum_frequency = (N / 2 - 1) * N;

  /// Transforms the tile that holds pixels in window w and zero elsewhere. `from` is the pixel at the
  /// window's top left; columns are L apart, rows `pitch`.
  static void forward(const tile_window& w, const T* from, index_t pitch, T* spectrum, index_t stride) {
    alignas(64) T rows[static_cast<std::size_t>(N * row_stride)];
    prefetch_column(spectrum, N, stride);
    std::fill(rows, rows + w.top * row_stride, T(0));
    for (index_t r = w.top; r < w.bottom; ++r) {
      row_forward(from + (r - w.top) * pitch, w.left, w.right, rows + r * row_stride);
    }
    std::fill(rows + w.bottom * row_stride, rows + N * row_stride, T(0));
    for (index_t c = 1; c < N / 2; ++c) {
      prefetch_column(spectrum + c * N * stride, c + 1 < N / 2 ? N : N + 2, stride);
      column<false>(rows + 2 * L * c, row_stride, spectrum + (c - 1) * N * stride, stride);
    }
    // Columns 0 and N/2 are real before this step, so one complex transform does both: G = A + i B.
    alignas(64) T packed[static_cast<std::size_t>(N * 2 * L)];
    column<false>(rows, row_stride, packed, 2 * L);
    T* a = spectrum + sum_frequency * stride;
    T* b = a + (N / 2 + 1) * stride;
    for (index_t k = 0; k <= N / 2; ++k) {
      const value p = get(packed + 2 * L * k), q = get(packed + 2 * L * ((N - k) % N));
      put(a + k * stride, {p.re + q.re, p.im - q.im});
      put(b + k * stride, {p.im + q.im, q.re - p.re});
    }
  }

  /// The inverse, for the pixels of window w only: to = inverse + offset or, where the window says so, to +=
  /// inverse + offset.
  static void inverse(const T* spectrum, index_t stride, const tile_window& w, const vec<T, lanes>& offset,
                      T* to, index_t pitch) {
    alignas(64) T rows[static_cast<std::size_t>(N * row_stride)];
    alignas(64) T packed[static_cast<std::size_t>(N * 2 * L)];
    const T* a = spectrum + sum_frequency * stride;
    const T* b = a + (N / 2 + 1) * stride;
    for (index_t k = 0; k <= N / 2; ++k) {
      const value p = get(a + k * stride), q = get(b + k * stride);
      if (k % (N / 2) != 0) put(packed + 2 * L * (N - k), {p.re + q.im, q.re - p.im});
      put(packed + 2 * L * k, {p.re - q.im, p.im + q.re});
    }
    prefetch_column(spectrum, N, stride);
    column<true>(packed, 2 * L, rows, row_stride);
    for (index_t c = 1; c < N / 2; ++c) {
      if (c + 1 < N / 2) prefetch_column(spectrum + c * N * stride, N, stride);
      column<true>(spectrum + (c - 1) * N * stride, stride, rows + 2 * L * c, row_stride);
    }
    for (index_t r = w.top; r < w.bottom; ++r) {
      row_inverse(rows + r * row_stride, w.left, w.right, w.added(r), offset, to + (r - w.top) * pitch);
    }
  }

 private:
  static constexpr index_t L = lanes;
  static constexpr index_t row_stride = (N + 2) * L;  // a power of two would map a column to few cache sets
  using value = detail::complex_vec<T, L>;

  static COLDZOOM_INLINE value get(const T* p) { return {load<L>(p), load<L>(p + L)}; }
  static COLDZOOM_INLINE void put(T* p, const value& z) {
    store<L>(p, z.re);
    store<L>(p + L, z.im);
  }

  // Consecutive frequencies lie pages apart, where no hardware prefetcher follows: the next column is fetched
  // while the present one is computed. Asking for ownership of lines to be written proved slower than this.
  static COLDZOOM_INLINE void prefetch_column(const T* p, index_t count, index_t stride) {
    for (index_t k = 0; k < count; ++k) prefetch(p + k * stride, 2 * L);
  }

  // The three straight-line codelets are spared the address sanitiser, which multiplies their compile time.

  // N real points as N/2 complex ones z[j] = x[2j] + i x[2j+1], then separated: with E = Z[k] + conj Z[N/2-k]
  // and D = Z[k] - conj Z[N/2-k], 2 X[k] = E - i w^k D and 2 X[N/2-k] = conj(E + i w^k D). Output k = 0 holds
  // X[0] and X[N/2], both real and not doubled: the caller's separation of the two doubles them.
  [[gnu::noinline, gnu::no_sanitize_address]] static void row_forward(const T* x, index_t left, index_t right,
                                                                      T* out) {
    constexpr index_t M = N / 2;
    const auto pixel = [&](index_t c) COLDZOOM_INLINE_LAMBDA {
      return c >= left && c < right ? load<L>(x + (c - left) * L) : zero<T, L>();
    };
    value z[static_cast<std::size_t>(M)];
    detail::fft<T, L, M>(
        [&](auto j) COLDZOOM_INLINE_LAMBDA {
          return value{pixel(2 * j), pixel(2 * j + 1)};
        },
        [&](auto k, const value& v) COLDZOOM_INLINE_LAMBDA { z[k] = v; });
    put(out, {z[0].re + z[0].im, z[0].re - z[0].im});
    put(out + L * M, {z[M / 2].re + z[M / 2].re, -z[M / 2].im - z[M / 2].im});
    unroll<M / 2 - 1>([&](auto i) COLDZOOM_INLINE_LAMBDA {
      constexpr index_t k = i + 1;
      const value p = z[k], q = z[M - k];
      const value e = {p.re + q.re, p.im - q.im};
      const value d = detail::rotate<N, k>(value{p.im + q.im, q.re - p.re});
      put(out + 2 * L * k, e + d);
      put(out + 2 * L * (M - k), {e.re - d.re, d.im - e.im});
    });
  }

  // The same steps backwards: Z[k] = E + i w^-k D with E = X[k] + conj X[N/2-k] and D = X[k] - conj X[N/2-k].
  // An inverse transform is the forward one with real and imaginary parts exchanged on both sides.
  [[gnu::noinline, gnu::no_sanitize_address]] static void row_inverse(const T* in, index_t left,
                                                                      index_t right, index_t added,
                                                                      const vec<T, L>& offset, T* x) {
    constexpr index_t M = N / 2;
    value z[static_cast<std::size_t>(M)];  // exchanged: re holds the imaginary part
    const value ends = get(in), middle = get(in + L * M);
    z[0] = {ends.re - ends.im, ends.re + ends.im};
    z[M / 2] = {-middle.im - middle.im, middle.re + middle.re};
    unroll<M / 2 - 1>([&](auto i) COLDZOOM_INLINE_LAMBDA {
      constexpr index_t k = i + 1;
      const value p = get(in + 2 * L * k), q = get(in + 2 * L * (M - k));
      const value e = {p.im - q.im, p.re + q.re};
      const value d = detail::rotate<N, k>(value{p.re - q.re, -p.im - q.im});
      z[k] = e + d;
      z[M - k] = {d.re - e.re, e.im - d.im};
    });
    const auto pixel = [&](index_t c, const vec<T, L>& v) COLDZOOM_INLINE_LAMBDA {
      if (c < left || c >= right) return;
      T* to = x + (c - left) * L;
      store<L>(to, c < added ? load<L>(to) + (v + offset) : v + offset);
    };
    detail::fft<T, L, M>([&](auto k) COLDZOOM_INLINE_LAMBDA { return z[k]; },
                         [&](auto j, const value& v) COLDZOOM_INLINE_LAMBDA {
                           pixel(2 * j, v.im);
                           pixel(2 * j + 1, v.re);
                         });
  }

  template <bool Inverse>
  [[gnu::noinline, gnu::no_sanitize_address]] static void column(const T* in, index_t in_stride, T* out,
                                                                 index_t out_stride) {
    detail::fft<T, L, N>(
        [&](auto j) COLDZOOM_INLINE_LAMBDA {
          const value z = get(in + j * in_stride);
          return Inverse ? value{z.im, z.re} : z;
        },
        [&](auto k, const value& z) COLDZOOM_INLINE_LAMBDA {
          put(out + k * out_stride, Inverse ? value{z.im, z.re} : z);
        });
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
