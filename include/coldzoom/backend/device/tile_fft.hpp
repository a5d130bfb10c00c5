/// Two-dimensional real Fourier transforms of small tiles, by blocks.
#pragma once

#include <coldzoom/backend/device/handing.hpp>
#include <coldzoom/backend/twiddles.hpp>

namespace coldzoom::inline COLDZOOM_ISA::device {

/// z exp(-2 pi i k / 32) for a k that is known once loops are unrolled.
template <class T> COLDZOOM_HD constexpr complex<T> rotate(const complex<T>& z, int k) {
  const T c = static_cast<T>(detail::cosine_32(k)), s = static_cast<T>(detail::cosine_32(k - 8));
  if (k == 0) return z;
  if (k == 4) return {(z.re + z.im) * c, (z.im - z.re) * c};
  if (k == 8) return {z.im, -z.re};
  if (k == 12) return {(z.im - z.re) * s, -(z.re + z.im) * s};
  return {z.re * c + z.im * s, z.im * c - z.re * s};
}

/// z[k] becomes the sum over j of z[j] exp(-2 pi i j k / N), N = 2, 4 .. 32: by halves, in registers.
template <class T, std::size_t Size> COLDZOOM_HD constexpr void fft(complex<T> (&z)[Size]) {
  constexpr int N = static_cast<int>(Size);
  if constexpr (N > 1) {
    complex<T> even[static_cast<std::size_t>(N / 2)], odd[static_cast<std::size_t>(N / 2)];
    COLDZOOM_UNROLL
    for (int i = 0; i < N / 2; ++i) {
      even[i] = z[2 * i];
      odd[i] = z[2 * i + 1];
    }
    fft(even);
    fft(odd);
    COLDZOOM_UNROLL
    for (int k = 0; k < N / 2; ++k) {
      const complex<T> turned = rotate(odd[k], k * (32 / N));
      z[k] = even[k] + turned;
      z[k + N / 2] = even[k] - turned;
    }
  }
}

/// How one axis of a picture lies on tiles: points begin .. end - 1 of tile t hold positions first + t * step
/// + point, or those of a kernel, turned about position `first` and around the tile. Other points are zero,
/// as are positions outside the picture.
struct tile_axis {
  int size;  // of the picture
  int tiles, step, first;
  int begin, end;
  int around;  // 0, or the points of a tile that a kernel lies on

  /// -1 where there is none.
  COLDZOOM_HD constexpr int position(int tile, int point) const {
    if (point < begin || point >= end) return -1;
    int at = first + tile * step + (around > 0 ? -point : point);
    if (around > 0 && at < 0) at += around;
    return at >= 0 && at < size ? at : -1;
  }
};

/// Planes of pictures, plane (n, c) at n * image_stride + c * channel_stride, and the tiles they lie on.
struct tiled_planes {
  tile_axis rows, cols;
  int channels;
  index_t image_stride, channel_stride;

  COLDZOOM_HD constexpr int tiles() const { return rows.tiles * cols.tiles; }
  /// Where the pixel of a tile's point lies, beside the plane's first; -1 for none.
  COLDZOOM_HD constexpr index_t pixel(int tile, int row, int col) const {
    const int y = rows.position(tile / cols.tiles, row), x = cols.position(tile % cols.tiles, col);
    return y < 0 || x < 0 ? -1 : static_cast<index_t>(y) * cols.size + x;
  }
};

/// The steps of a kernel that works on tiles of N x N points, N = 8, 16 or 32: those between memory, the
/// points in shared memory and their spectra. A real tile has N * N / 2 + 2 frequencies, numbered as those of
/// the host's tile_fft: columns 1 .. N/2 - 1 of the transform (each N long), then rows 0 .. N/2 of column 0,
/// then rows 0 .. N/2 of column N/2. Frequency f of tile t of plane (n, c) is element [f][n][t][c] of the
/// spectrum.
///
/// A block takes one tile of some channels. A thread transforms two rows as one complex row, in place, and
/// then a column; the two real columns, 0 and N/2, are one complex column too. Block: [n][tile][channels].
template <class Real, int N> struct tile_block {
  static_assert(N == 8 || N == 16 || N == 32);
  using value = complex<Real>;
  static constexpr int points = N, half = N / 2;
  static constexpr int width = 1024 / (N * static_cast<int>(sizeof(Real)));  // channels of a block
  static constexpr int most_threads = width * half;

  tiled_planes planes;

  COLDZOOM_HD int groups() const { return (planes.channels + width - 1) / width; }
  index_t blocks(index_t images) const { return images * planes.tiles() * groups(); }

  /// What a block has in hand: a tile of up to `width` channels.
  struct tile {
    index_t image;
    int number, first_channel, channels;
    value* rows;  // in shared memory

    COLDZOOM_HD value* row(int channel, int row) const {
      return rows + channel * plane_pitch + row * row_pitch;
    }
    COLDZOOM_HD Real& at(int channel, int row, int col) const {
      return reinterpret_cast<Real*>(this->row(channel, row))[col];
    }
  };
  static constexpr index_t tile_bytes() {
    return index_t(width) * plane_pitch * static_cast<index_t>(sizeof(value));
  }
  template <Block K> COLDZOOM_HD tile make_tile(K& block) const {
    const int tiles = planes.tiles(), group = static_cast<int>(block.index() % groups());
    const index_t plane = block.index() / groups();
    const int rest = planes.channels - group * width;
    return {plane / tiles, static_cast<int>(plane % tiles), group * width, rest < width ? rest : width,
            block.template shared<value>(index_t(width) * plane_pitch)};
  }
  /// The first pixel of a channel in hand.
  COLDZOOM_HD index_t plane_of(const tile& t, int channel) const {
    return t.image * planes.image_stride + (t.first_channel + channel) * planes.channel_stride;
  }

  /// Points from memory.
  template <Block K> COLDZOOM_HD void load(K& block, const tile& t, const Real* from) const {
    for_each_point(block, t, [&](int channel, index_t pixel, Real& point) {
      point = pixel < 0 ? Real(0) : from[plane_of(t, channel) + pixel];
    });
  }
  /// Points to memory; with `add` they are added to what is there.
  template <Block K> COLDZOOM_HD void store(K& block, const tile& t, Real* to, bool add) const {
    for_each_point(block, t, [&](int channel, index_t pixel, const Real& point) {
      if (pixel < 0) return;
      Real& y = to[plane_of(t, channel) + pixel];
      y = add ? y + point : point;
    });
  }
  /// spectrum = transform of the points, which are lost. `stride`: from one frequency to the next.
  template <Block K>
  COLDZOOM_HD void analyse(K& block, const tile& t, value* spectrum, index_t stride) const {
    block.for_each_thread([&](int thread) {
      if (thread % width < t.channels) transform_rows(t.row(thread % width, thread / width));
    });
    block.for_each_thread([&](int thread) {
      const int channel = thread % width, col = thread / width;
      if (channel >= t.channels) return;
      value z[static_cast<std::size_t>(N)];
      const value* column = t.row(channel, 0) + col;
      COLDZOOM_UNROLL
      for (int row = 0; row < N; ++row) z[row] = column[row * row_pitch];
      fft(z);
      store_column(z, col, spectrum + spectrum_of(t, channel), stride);
    });
  }
  /// Points = inverse transform of the spectrum + bias (of each channel, or null).
  template <Block K>
  COLDZOOM_HD void synthesise(K& block, const tile& t, const value* spectrum, index_t stride,
                              const Real* bias) const {
    block.for_each_thread([&](int thread) {
      const int channel = thread % width, col = thread / width;
      if (channel >= t.channels) return;
      value z[static_cast<std::size_t>(N)];
      load_column(spectrum + spectrum_of(t, channel), stride, col, z);
      fft(z);
      value* column = t.row(channel, 0) + col;
      COLDZOOM_UNROLL
      for (int row = 0; row < N; ++row) column[row * row_pitch] = {z[row].im, z[row].re};
    });
    block.for_each_thread([&](int thread) {
      const int channel = thread % width;
      if (channel < t.channels)
        invert_rows(t.row(channel, thread / width), bias ? bias[t.first_channel + channel] : Real(0));
    });
  }

 private:
  // Rows of half + 1 numbers and planes an odd multiple of two from each other keep threads off each other's
  // banks.
  static constexpr index_t row_pitch = half + 1, plane_pitch = N * row_pitch + 2;

  COLDZOOM_HD index_t spectrum_of(const tile& t, int channel) const {
    return (t.image * planes.tiles() + t.number) * planes.channels + t.first_channel + channel;
  }
  /// A phase: f(channel, pixel or -1, point) for every point.
  template <Block K, class F> COLDZOOM_HD void for_each_point(K& block, const tile& t, const F& f) const {
    block.for_each_thread([&](int thread) {
      for (int i = thread; i < t.channels * N * N; i += most_threads) {
        const int channel = i / (N * N), row = i / N % N, col = i % N;
        f(channel, planes.pixel(t.number, row, col), t.at(channel, row, col));
      }
    });
  }
  /// Two rows of N pixels, half the tile from each other, become two of frequencies 0 and N/2 (both real, as
  /// one number), 1, 2 .. N/2 - 1.
  COLDZOOM_HD static void transform_rows(value* upper) {
    value* lower = upper + half * row_pitch;
    const Real *a = reinterpret_cast<const Real*>(upper), *b = reinterpret_cast<const Real*>(lower);
    value z[static_cast<std::size_t>(N)];
    COLDZOOM_UNROLL
    for (int j = 0; j < N; ++j) z[j] = {a[j], b[j]};
    fft(z);
    upper[0] = {z[0].re, z[half].re};
    lower[0] = {z[0].im, z[half].im};
    COLDZOOM_UNROLL
    for (int k = 1; k < half; ++k) separate(z[k], z[N - k], upper[k], lower[k]);
  }
  COLDZOOM_HD static void store_column(const value (&z)[static_cast<std::size_t>(N)], int col, value* to,
                                       index_t stride) {
    if (col > 0) {
      COLDZOOM_UNROLL
      for (int k = 0; k < N; ++k) to[((col - 1) * N + k) * stride] = z[k];
    } else {
      COLDZOOM_UNROLL
      for (int k = 0; k <= half; ++k) {
        separate(z[k], z[(N - k) % N], to[((half - 1) * N + k) * stride],
                 to[(half * N - half + 1 + k) * stride]);
      }
    }
  }
  /// Transforms of two real sequences, of which `p` and `q` are frequencies k and N - k as one complex.
  COLDZOOM_HD static void separate(const value& p, const value& q, value& first, value& second) {
    first = {(p.re + q.re) / 2, (p.im - q.im) / 2};
    second = {(p.im + q.im) / 2, (q.re - p.re) / 2};
  }
  // An inverse transform is the forward one with real and imaginary parts exchanged on both sides: what is
  // loaded here is exchanged.
  COLDZOOM_HD static void load_column(const value* from, index_t stride, int col,
                                      value (&z)[static_cast<std::size_t>(N)]) {
    if (col > 0) {
      COLDZOOM_UNROLL
      for (int k = 0; k < N; ++k) {
        const value found = from[((col - 1) * N + k) * stride];
        z[k] = {found.im, found.re};
      }
    } else {
      COLDZOOM_UNROLL
      for (int k = 0; k <= half; ++k) {
        join(from[((half - 1) * N + k) * stride], from[(half * N - half + 1 + k) * stride], z[k],
             z[(N - k) % N], k % half != 0);
      }
    }
  }
  /// The way back of transform_rows, divided by the points of a tile, and + bias.
  COLDZOOM_HD static void invert_rows(value* upper, Real bias) {
    value* lower = upper + half * row_pitch;
    value z[static_cast<std::size_t>(N)];
    z[0] = {lower[0].re, upper[0].re};
    z[half] = {lower[0].im, upper[0].im};
    COLDZOOM_UNROLL
    for (int k = 1; k < half; ++k) join(upper[k], lower[k], z[k], z[N - k], true);
    fft(z);
    Real *a = reinterpret_cast<Real*>(upper), *b = reinterpret_cast<Real*>(lower);
    COLDZOOM_UNROLL
    for (int j = 0; j < N; ++j) {
      a[j] = z[j].im / (N * N) + bias;
      b[j] = z[j].re / (N * N) + bias;
    }
  }
  /// Frequency k of two real sequences becomes frequencies k and, with `both`, N - k of one complex,
  /// exchanged.
  COLDZOOM_HD static void join(const value& first, const value& second, value& p, value& q, bool both) {
    if (both) q = {second.re - first.im, first.re + second.im};
    p = {first.im + second.re, first.re - second.im};
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA::device
