/// Degradations that are one linear map of the columns of a picture and one of its rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/backend/dense_product.hpp>
#include <coldzoom/degradation/rows.hpp>
#include <concepts>

namespace coldzoom::inline COLDZOOM_ISA {

/// The two directions of a picture: along y go its columns, along x its rows.
enum class image_axis { y, x };

/// How a picture goes on behind its edges: mirrored, the last pixel twice, or from its other side.
enum class picture_edge { mirrored, periodic };

/// Frequency `k` of an axis of `extent` pixels, in radians a pixel, 0 to pi: pi k / extent for a mirrored picture, k < extent,
/// and 2 pi k / extent for a periodic one, k <= extent / 2.
COLDZOOM_HD inline double angular_frequency(picture_edge edge, index_t k, index_t extent) {
  return (edge == picture_edge::mirrored ? 1 : 2) * 3.14159265358979323846 * static_cast<double>(k) /
         static_cast<double>(extent);
}

/// d.weight(level, axis, extent, to, from): the weight of pixel `from` in pixel `to` of an axis of `extent`
/// pixels, at levels above 0. Level 0 is the identity. Optional: d.acts(axis) is false where the axis stays as it is.
template <class D>
concept WeighsPixels = std::is_trivially_copyable_v<D> &&
    requires(const D d, float level, image_axis axis, index_t i) {
  { d.weight(level, axis, i, i, i) } -> std::same_as<float>;
};
/// d.gain(level, axis, extent, k): the factor of frequency k, see angular_frequency. A member `edge` says how the
/// picture goes on. For filters with a kernel that looks the same from both sides; the rest as above.
template <class D>
concept WeighsFrequencies = std::is_trivially_copyable_v<D> &&
    requires(const D d, float level, image_axis axis, index_t i) {
  { d.gain(level, axis, i, i) } -> std::same_as<float>;
  { d.edge } -> std::convertible_to<picture_edge>;
};

/// The linear form of a degradation: D(x0, level) = A x0 B for matrices A and B of the level, one each for the
/// columns and the rows, given by their weights or by gains of frequencies. Cost: two products of matrices an
/// image, about 2 us for 28 x 28 on one core, and the two matrices of each level in a batch, about 10 us.
template <class D>
concept SeparableDegradation = WeighsPixels<D> || WeighsFrequencies<D>;

namespace detail {

template <class D> bool acts_along(const D& d, image_axis axis) {
  if constexpr (requires { d.acts(axis); }) return d.acts(axis);
  return true;
}

/// same[n]: the first image of the same level, whose matrices image n shares. Index: [n].
template <class Levels> struct find_same_level {
  Levels level;
  index_t* same;

  COLDZOOM_HD void operator()(index_t n) const {
    index_t m = 0;
    while (m < n && level[m] != level[n]) ++m;
    same[n] = m;
  }
};

/// Row k of the orthonormal waves of an axis: cosines of a mirrored picture, or cosines and sines in turn of a periodic
/// one. Index: [k][place].
struct fill_waves {
  picture_edge edge;
  index_t extent;
  float* waves;

  COLDZOOM_HD static index_t frequency(picture_edge edge, index_t k) {
    return edge == picture_edge::mirrored ? k : (k + 1) / 2;
  }
  COLDZOOM_HD void operator()(index_t i) const {
    const index_t k = i / extent, place = i % extent, f = frequency(edge, k);
    const double n = static_cast<double>(extent), omega = angular_frequency(edge, f, extent);
    const bool mirrored = edge == picture_edge::mirrored, alone = k == 0 || (!mirrored && 2 * f == extent);
    const double phase = omega * (static_cast<double>(place) + (mirrored ? 0.5 : 0.0));
    const double wave = mirrored || k % 2 == 1 || k == 0 ? std::cos(phase) : std::sin(phase);
    waves[i] = static_cast<float>(std::sqrt((alone ? 1 : 2) / n) * wave);
  }
};

/// The rows of an axis' matrices that an index of a kernel fills: all of a level where a loop runs over them, one where
/// neighbouring threads do.
struct matrix_rows {
  index_t extent, an_index;

  COLDZOOM_HD index_t image(index_t i) const { return i * an_index / extent; }
  COLDZOOM_HD index_t begin(index_t i) const { return i * an_index % extent; }
  COLDZOOM_HD index_t end(index_t i) const { return begin(i) + an_index; }
};

/// The gain of each wave at each new level. Index: see matrix_rows.
template <class D, class Levels> struct fill_gains {
  D d;
  Levels level;
  image_axis axis;
  matrix_rows rows;
  const index_t* same;
  float* gains;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = rows.image(i);
    if (same[n] != n) return;
    for (index_t k = rows.begin(i); k < rows.end(i); ++k) {
      gains[n * rows.extent + k] =
          level[n] > 0 ? d.gain(level[n], axis, rows.extent, fill_waves::frequency(d.edge, k)) : 1.0f;
    }
  }
};

/// matrix[from][to] of an axis at each new level, from waves and gains: sum over k of waves[k][from] gains[k] waves[k][to],
/// which is symmetric. Index: see matrix_rows.
struct combine_waves {
  matrix_rows rows;
  const index_t* same;
  const float* waves;
  const float* gains;
  float* matrices;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = rows.image(i), extent = rows.extent;
    if (same[n] != n) return;
    for (index_t from = rows.begin(i); from < rows.end(i); ++from) {
      float* row = matrices + (n * extent + from) * extent;
      for (index_t to = 0; to < extent; ++to) row[to] = 0;
      for (index_t k = 0; k < extent; ++k) {
        const float factor = gains[n * extent + k] * waves[k * extent + from];
        for (index_t to = 0; to < extent; ++to) row[to] += factor * waves[k * extent + to];
      }
    }
  }
};

/// matrix[from][to] of an axis at each new level, as the degradation gives it. Index: see matrix_rows.
template <class D, class Levels> struct fill_weights {
  D d;
  Levels level;
  image_axis axis;
  matrix_rows rows;
  const index_t* same;
  float* matrices;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = rows.image(i), extent = rows.extent;
    if (same[n] != n) return;
    for (index_t from = rows.begin(i); from < rows.end(i); ++from) {
      float* row = matrices + (n * extent + from) * extent;
      for (index_t to = 0; to < extent; ++to) {
        row[to] = level[n] > 0 ? d.weight(level[n], axis, extent, to, from) : static_cast<float>(to == from);
      }
    }
  }
};

/// out(n, c, y, x) = sum over k of weights(k) in(k): along y, weights are column y of the image's matrix and in(k) is
/// in(n, c, k, x); along x, in(k) is in(n, c, y, k), and the matrix has its weight for x. Index: see row_part.
template <class In, class Levels, class Out> struct multiply_axis {
  index_t columns;
  image_axis axis;
  In in;
  Levels level;
  const index_t* same;
  const float* matrices;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, first, last] = row_part::at(i, out.dims, columns);
    if (!(level[n] > 0)) {
      for (index_t x = first; x < last; ++x) out(n, c, y, x) = in(n, c, y, x);
      return;
    }
    constexpr index_t most = 64;  // sums that are kept at a time
    for (index_t begin = first; begin < last; begin += most) {
      const index_t count = last - begin < most ? last - begin : most;
      float sums[most];
      for (index_t j = 0; j < count; ++j) sums[j] = 0;
      if (axis == image_axis::y) {
        const index_t extent = in.dims.h;
        const float* weights = matrices + same[n] * extent * extent + y;
        for (index_t k = 0; k < extent; ++k) {
          add_scaled(sums, count, weights[k * extent], &in(n, c, k, begin), in.stride_x);
        }
      } else {
        const index_t extent = in.dims.w;
        const float* weights = matrices + same[n] * extent * extent + begin;
        for (index_t k = 0; k < extent; ++k) add_scaled(sums, count, in(n, c, y, k), weights + k * extent, 1);
      }
      for (index_t j = 0; j < count; ++j) out(n, c, y, begin + j) = sums[j];
    }
  }
};

/// The same of a whole plane, for backends that multiply matrices: planes whose rows have no gaps. Index: [n][c].
template <class In, class Levels, class Out> struct plane_product {
  image_axis axis;
  In in;
  Levels level;
  const index_t* same;
  const float* matrices;
  Out out;

  dense_product operator()(index_t i) const {
    const index_t n = i / out.dims.c, c = i % out.dims.c, h = out.dims.h, w = out.dims.w;
    const float* from = &in(n, c, 0, 0);
    float* to = &out(n, c, 0, 0);
    if (!(level[n] > 0)) {
      for (index_t y = 0; y < h; ++y) std::copy_n(from + y * in.stride_y, w, to + y * out.stride_y);
      return {};
    }
    if (axis == image_axis::y)
      return {h, w, h, matrices + same[n] * h * h, 1, h, from, in.stride_y, to, out.stride_y};
    return {h, w, w, from, in.stride_y, 1, matrices + same[n] * w * w, w, to, out.stride_y};
  }
};

/// The matrices of an axis, [n][from][to]; only those of images with same[n] = n hold values.
template <class B, class D>
auto axis_matrices(B& b, const D& d, const_levels<B> level, const index_t* same, image_axis axis,
                   index_t extent) {
  const matrix_rows rows{extent, BlockBackend<B> ? 1 : extent};
  const index_t count = level.size * extent, indices = count / rows.an_index;
  auto matrices = b.template allocate<float>(count * extent);
  if constexpr (WeighsFrequencies<D>) {
    auto waves = b.template allocate<float>(extent * extent), gains = b.template allocate<float>(count);
    b.for_each_index(extent * extent, fill_waves{d.edge, extent, waves.data()}, 60);
    b.for_each_index(indices, fill_gains<D, const_levels<B>>{d, level, axis, rows, same, gains.data()},
                     100 * rows.an_index);
    b.for_each_index(indices, combine_waves{rows, same, waves.data(), gains.data(), matrices.data()},
                     extent * extent * rows.an_index / 8);
  } else {
    b.for_each_index(indices, fill_weights<D, const_levels<B>>{d, level, axis, rows, same, matrices.data()},
                     20 * extent * rows.an_index);
  }
  return matrices;
}

/// As `degrade`, of views that agree.
template <class B, class D>
void degrade_separably(B& b, const D& d, const_image_tensor<B> x0, const_levels<B> level,
                       image_tensor<B> out) {
  auto same = b.template allocate<index_t>(level.size);
  b.for_each_index(level.size, find_same_level<const_levels<B>>{level, same.data()}, 20);
  const auto multiply = [&](image_axis axis, const_image_tensor<B> in, image_tensor<B> to) {
    const index_t extent = axis == image_axis::y ? in.dims.h : in.dims.w;
    const auto matrices = axis_matrices(b, d, level, same.data(), axis, extent);
    if constexpr (MultipliesMatrices<B>) {
      if (in.stride_x == 1 && to.stride_x == 1) {
        using planes = plane_product<const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
        b.for_each_product(to.dims.n * to.dims.c, planes{axis, in, level, same.data(), matrices.data(), to},
                           to.dims.h * to.dims.w * extent);
        return;
      }
    }
    const index_t columns = columns_an_index<B>(to.dims.w);
    using kernel = multiply_axis<const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
    b.for_each_index(row_part::count(to.dims, columns),
                     kernel{columns, axis, in, level, same.data(), matrices.data(), to}, extent * columns);
  };
  const bool along_y = acts_along(d, image_axis::y), along_x = acts_along(d, image_axis::x);
  if (along_y && along_x) {
    auto memory = b.template allocate<float>(out.dims.size());
    const image_tensor<B> between(memory.data(), out.dims);
    multiply(image_axis::y, x0, between);
    multiply(image_axis::x, between, out);
  } else {
    multiply(along_y ? image_axis::y : image_axis::x, x0, out);
  }
}

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
