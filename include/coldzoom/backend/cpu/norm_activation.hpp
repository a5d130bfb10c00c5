/// Normalisation and activation of one image in one sweep, for the tasks of a convolution.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/backend/cpu/activation_math.hpp>
#include <coldzoom/backend/cpu/simd.hpp>
#include <coldzoom/backend/generic/normalisation.hpp>
#include <coldzoom/core/view.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Neighbouring runs of Width lanes, those of a and then those of b, added in pairs. Lane by lane, which
/// compilers turn into shuffles: nvcc passes on no shuffle of a parameter pack.
template <index_t Width, class T, index_t L, index_t... I>
COLDZOOM_INLINE vec<T, L> add_neighbours(const vec<T, L>& a, const vec<T, L>& b,
                                         std::integer_sequence<index_t, I...>) {
  constexpr auto from = [](index_t i) { return i + i / Width * Width; };
  const vec<T, L> left = {(from(I) < L ? a[from(I) % L] : b[from(I) % L])...};
  const vec<T, L> right = {(from(I) + Width < L ? a[(from(I) + Width) % L] : b[(from(I) + Width) % L])...};
  return left + right;
}

/// Lanes r * L / Rows ... of the result add up to the lanes of rows[r], r < Rows; so with Rows = L lane r is
/// the sum of rows[r]. Rows share registers as soon as they are half summed: L sums take L - 1 additions.
template <class T, index_t L, index_t Rows = L> COLDZOOM_INLINE vec<T, L> sum_of_rows(const vec<T, L>* rows) {
  if constexpr (Rows == 1) {
    return rows[0];
  } else {
    const vec<T, L> a = sum_of_rows<T, L, Rows / 2>(rows), b = sum_of_rows<T, L, Rows / 2>(rows + Rows / 2);
    return add_neighbours<L / Rows, T, L>(a, b, std::make_integer_sequence<index_t, L>{});
  }
}

}  // namespace detail

/// y = activation(gamma * x_hat + beta) + addend, x_hat = (z - mean) / sqrt(variance + eps), for one image
/// [C / L][pixels][L], L = native_lanes<T>, and the gradients of it. The biased mean and variance are those
/// of a group of C / groups consecutive channels, wherever the group lies in the lanes: groups = C is
/// PyTorch's LayerNorm((H, W)), groups = 1 its LayerNorm((C, H, W)), else GroupNorm.
///
/// Affine and its gradients: `pixels` dense [pixels], shared by the channels; `channels` dense [C]; `image`
/// blocked like the image, with any finite padding. `statistics` is statistics_size() elements of the caller
/// per image: [blocks][L] values 1 / sqrt(variance + eps), kept from forward to backward, behind them
/// scratch. Activation is vector_gelu, vector_silu or vector_identity. Padding lanes of images are read but
/// have no influence; those written are finite.
///
/// One thread, no allocation, a trivially copyable value. Every sum has a fixed order.
template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
struct norm_activation {
  using affine_shape = generic::normalisation_geometry::affine_shape;
  static constexpr index_t L = native_lanes<T>;

  index_t channels = 1, pixels = 1, groups = 1;
  T eps = T(1e-5);
  const T* gamma = nullptr;
  const T* beta = nullptr;

  index_t lane_groups() const { return (channels + L - 1) / L; }
  index_t statistics_size() const { return 3 * lane_groups() * L; }
  /// Elements of gamma, beta and their gradients.
  index_t affine_size() const {
    return Affine == affine_shape::pixels  ? pixels
           : Affine == affine_shape::image ? lane_groups() * pixels * L
                                           : channels;
  }

  /// y of z, and x_hat is written; y may be z. addend [blocks][L] or null.
  void forward_image(const T* z, T* y, T* statistics, T* x_hat, const T* addend) const {
    measure(z, statistics);
    sweep(z, y, statistics, addend,
          [x_hat](index_t at, const vector& value) COLDZOOM_INLINE_LAMBDA { store<L>(x_hat + at, value); });
  }

  /// The same without x_hat.
  void predict_image(const T* z, T* y, T* statistics, const T* addend) const {
    measure(z, statistics);
    sweep(z, y, statistics, addend, [](index_t, const vector&) COLDZOOM_INLINE_LAMBDA {});
  }

  /// dz of dy, which is lost; dz may be dy. Adds to dgamma and dbeta, of affine_size(), what this image contributes. Writes the
  /// gradient of the addend, [blocks][L], unless null.
  void backward_image(const T* x_hat, T* statistics, T* dy, T* dz, T* dgamma, T* dbeta, T* daddend) const {
    const T* rstd = statistics;
    T* first = statistics + lane_groups() * L;  // per channel: sum of g, the gradient of x_hat ...
    T* second = first + lane_groups() * L;      // ... and sum of g * x_hat
    std::fill_n(first, 2 * lane_groups() * L, T(0));
    if (daddend) std::fill_n(daddend, lane_groups() * L, T(0));
    const typename Activation::template on<T, L> activation;
    // Tiles of L pixels, all blocks of a tile together: a `pixels` affine then sums the channels of a tile
    // once.
    for (index_t p = 0; p < pixels; p += L) {
      const index_t count = std::min(L, pixels - p);
      [[maybe_unused]] vector pixel_gamma[static_cast<std::size_t>(L)]{},
          pixel_beta[static_cast<std::size_t>(L)]{};
      for (index_t b = 0; b < lane_groups(); ++b) {
        const integers real = real_lanes(b);
        const channel_affine affine(*this, b);
        vector sum_g = load<L>(first + b * L), sum_gx = load<L>(second + b * L), sum_dy{};
        for (index_t i = 0; i < count; ++i) {
          const index_t at = (b * pixels + p + i) * L;
          const vector x = load<L>(x_hat + at), dy_here = load<L>(dy + at), scale = affine.gamma(p + i, at);
          const auto u = activation(scale * x + affine.beta(p + i, at));
          const vector du = reinterpret_cast<vector>(reinterpret_cast<integers>(dy_here * u.slope) & real);
          const vector dux = du * x, g = scale * du;
          if constexpr (Affine == affine_shape::pixels) {
            pixel_gamma[i] += dux;
            pixel_beta[i] += du;
          }
          if constexpr (Affine == affine_shape::image) {
            store<L>(dgamma + at, load<L>(dgamma + at) + dux);
            store<L>(dbeta + at, load<L>(dbeta + at) + du);
          }
          if constexpr (Affine == affine_shape::channels) {
            sum_g += du;
            sum_gx += dux;
          } else {
            sum_g += g;
            sum_gx += g * x;
          }
          sum_dy += dy_here;
          store<L>(dy + at, g);  // for the second sweep
        }
        store<L>(first + b * L, sum_g);
        store<L>(second + b * L, sum_gx);
        if (daddend) store<L>(daddend + b * L, load<L>(daddend + b * L) + sum_dy);
      }
      if constexpr (Affine == affine_shape::pixels) {
        add_first(dgamma + p, detail::sum_of_rows<T, L>(pixel_gamma), count);
        add_first(dbeta + p, detail::sum_of_rows<T, L>(pixel_beta), count);
      }
    }
    if constexpr (Affine == affine_shape::channels) {
      for (index_t c = 0; c < channels; ++c) {
        dbeta[c] += first[c];
        dgamma[c] += second[c];
        first[c] *= gamma[c];
        second[c] *= gamma[c];
      }
    }
    const index_t group = channels / groups;
    const T scale = T(1) / static_cast<T>(group * pixels);
    for (index_t c = 0; c < channels; c += group) {
      T total = 0, total_x = 0;
      for (index_t k = c; k < c + group; ++k) {
        total += first[k];
        total_x += second[k];
      }
      std::fill_n(first + c, group, total * scale);
      std::fill_n(second + c, group, total_x * scale);
    }
    for (index_t b = 0; b < lane_groups(); ++b) {
      const vector r = load<L>(rstd + b * L), mean_g = load<L>(first + b * L),
                   mean_gx = load<L>(second + b * L);
      for (index_t at = b * pixels * L; at < (b + 1) * pixels * L; at += L) {
        store<L>(dz + at, r * (load<L>(dy + at) - mean_g - load<L>(x_hat + at) * mean_gx));
      }
    }
  }

 private:
  using vector = vec<T, L>;
  using integers = vec<typename detail::math_constants<T>::bits, L>;

  // The affine of one block; `pixel` and `at` (its offset in the image) say where.
  struct channel_affine {
    channel_affine(const norm_activation& n, index_t block) : gamma_(n.gamma), beta_(n.beta) {
      if constexpr (Affine == affine_shape::channels) {
        T padded[2][static_cast<std::size_t>(L)]{};
        const index_t count = std::min(L, n.channels - block * L);
        std::copy_n(n.gamma + block * L, count, padded[0]);
        std::copy_n(n.beta + block * L, count, padded[1]);
        block_gamma_ = load<L>(padded[0]);
        block_beta_ = load<L>(padded[1]);
      }
    }
    COLDZOOM_INLINE vector gamma(index_t pixel, index_t at) const {
      return value(gamma_, block_gamma_, pixel, at);
    }
    COLDZOOM_INLINE vector beta(index_t pixel, index_t at) const {
      return value(beta_, block_beta_, pixel, at);
    }

   private:
    static COLDZOOM_INLINE vector value(const T* affine, const vector& block, index_t pixel, index_t at) {
      if constexpr (Affine == affine_shape::pixels) return broadcast<L>(affine[pixel]);
      if constexpr (Affine == affine_shape::image) return load<L>(affine + at);
      return block;
    }
    const T *gamma_, *beta_;
    vector block_gamma_{}, block_beta_{};
  };

  /// All bits in the lanes of a block that hold channels, none in its padding.
  integers real_lanes(index_t block) const {
    integers real{};
    for (index_t lane = 0; lane < std::min(L, channels - block * L); ++lane) real[lane] = -1;
    return real;
  }

  static void add_first(T* to, const vector& values, index_t count) {
    if (count == L) {
      store<L>(to, load<L>(to) + values);
    } else {
      for (index_t i = 0; i < count; ++i) to[i] += values[i];
    }
  }

  /// statistics = [blocks][L] 1 / sqrt(variance + eps), then [blocks][L] mean; both 0 in padding lanes.
  /// Two passes per channel, of which the second also corrects the rounding of the mean; then the channels of
  /// a group are combined (Chan, Golub and LeVeque 1983).
  void measure(const T* z, T* statistics) const {
    T* rstd = statistics;
    T* mean = statistics + lane_groups() * L;
    const T count = static_cast<T>(pixels);
    for (index_t b = 0; b < lane_groups(); ++b) {
      const T* from = z + b * pixels * L;
      constexpr index_t ways = 4;  // independent sums hide the latency of an addition
      vector total[ways]{};
      index_t p = 0;
      for (; p + ways <= pixels; p += ways) {
        unroll<ways>([&](auto i) COLDZOOM_INLINE_LAMBDA { total[i] += load<L>(from + (p + i) * L); });
      }
      for (; p < pixels; ++p) total[0] += load<L>(from + p * L);
      const vector centre = ((total[0] + total[1]) + (total[2] + total[3])) / count;
      vector rest[ways]{}, squares[ways]{};
      const auto add = [&](index_t pixel, index_t i) COLDZOOM_INLINE_LAMBDA {
        const vector d = load<L>(from + pixel * L) - centre;
        rest[i] += d;
        squares[i] += d * d;
      };
      for (p = 0; p + ways <= pixels; p += ways) {
        unroll<ways>([&](auto i) COLDZOOM_INLINE_LAMBDA { add(p + i, i); });
      }
      for (; p < pixels; ++p) add(p, 0);
      const vector correction = ((rest[0] + rest[1]) + (rest[2] + rest[3])) / count;
      store<L>(mean + b * L, centre + correction);
      store<L>(rstd + b * L,
               (squares[0] + squares[1]) + (squares[2] + squares[3]) - count * correction * correction);
    }
    const index_t group = channels / groups;
    for (index_t c = 0; c < channels; c += group) {
      T total = 0, squares = 0;
      for (index_t k = c; k < c + group; ++k) total += mean[k] - mean[c];
      const T centre = mean[c] + total / static_cast<T>(group);
      for (index_t k = c; k < c + group; ++k) {
        squares += rstd[k] + count * (mean[k] - centre) * (mean[k] - centre);
      }
      std::fill_n(mean + c, group, centre);
      std::fill_n(rstd + c, group, T(1) / std::sqrt(squares / (static_cast<T>(group) * count) + eps));
    }
    std::fill(mean + channels, mean + lane_groups() * L, T(0));
    std::fill(rstd + channels, rstd + lane_groups() * L, T(0));
  }

  template <class Keep>
  COLDZOOM_INLINE void sweep(const T* z, T* y, const T* statistics, const T* addend, const Keep& keep) const {
    const typename Activation::template on<T, L> activation;
    for (index_t b = 0; b < lane_groups(); ++b) {
      const vector rstd = load<L>(statistics + b * L), mean = load<L>(statistics + (lane_groups() + b) * L);
      const vector shift = addend ? load<L>(addend + b * L) : vector{};
      const channel_affine affine(*this, b);
      for (index_t p = 0; p < pixels; ++p) {
        const index_t at = (b * pixels + p) * L;
        const vector x_hat = (load<L>(z + at) - mean) * rstd;
        keep(at, x_hat);
        const vector u = affine.gamma(p, at) * x_hat + affine.beta(p, at);
        store<L>(y + at, activation(u).value + shift);
      }
    }
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
