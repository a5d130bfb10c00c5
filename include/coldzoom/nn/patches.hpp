/// Squares of pixels as channels, and back.
#pragma once

#include <coldzoom/nn/layer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// y[(c p + a) p + b][i][j] = x[c][i p + a][j p + b]; padding lanes become zero. Index: [n][lane group][pixel] of
/// y, all its lanes.
template <class In, class Out> struct to_patches {
  index_t p;
  In x;
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t pixels = y.dims.pixels(), pixel = i % pixels, plane = i / pixels;
    const index_t n = plane / y.lane_groups(), first = plane % y.lane_groups() * Out::lanes;
    const index_t row = pixel / y.dims.w * p, col = pixel % y.dims.w * p;
    index_t b = first % p, a = first / p % p, c = first / (p * p);  // of the lane; counted, not divided
    for (index_t lane = 0; lane < Out::lanes; ++lane) {
      y.data[i * Out::lanes + lane] = first + lane < y.dims.c ? x(n, c, row + a, col + b) : 0;
      if (++b < p) continue;
      b = 0;
      if (++a < p) continue;
      a = 0;
      ++c;
    }
  }
};

/// The way back, x of y above. Index: [n][lane group][pixel] of x, all its lanes.
template <class In, class Out> struct from_patches {
  index_t p;
  In y;
  Out x;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t pixels = x.dims.pixels(), pixel = i % pixels, plane = i / pixels;
    const index_t n = plane / x.lane_groups(), first = plane % x.lane_groups() * Out::lanes;
    const index_t row = pixel / x.dims.w, col = pixel % x.dims.w;
    const index_t own = row % p * p + col % p, from = row / p * y.dims.w + col / p;
    for (index_t lane = 0; lane < Out::lanes; ++lane) {
      const index_t c = first + lane;
      x.data[i * Out::lanes + lane] = c < x.dims.c ? y.data[y.offset(n, c * p * p + own, from)] : 0;
    }
  }
};

template <Backend B> void split_into_patches(B& b, index_t p, const_activation<B> x, activation<B> y) {
  b.for_each_index(y.size() / B::lanes, to_patches<const_activation<B>, activation<B>>{p, x, y},
                   4 * B::lanes);
}
template <Backend B> void join_patches(B& b, index_t p, const_activation<B> y, activation<B> x) {
  b.for_each_index(x.size() / B::lanes, from_patches<const_activation<B>, activation<B>>{p, y, x},
                   4 * B::lanes);
}

inline void require_patch(index_t size, const char* name) {
  require(size > 0, name,
          [&] { return "the patches are of " + std::to_string(size) + " pixels; wanted at least 1"; });
}

}  // namespace detail

/// Squares of size x size pixels become channels: (N, C, H, W) -> (N, size^2 C, H / size, W / size), without
/// loss; size must divide H and W. The pixel in row a and column b of a square of channel c becomes channel (c
/// size + a) size + b: PyTorch's PixelUnshuffle(size) (Shi et al. 2016, the way back).
struct patchify : plain_layer {
  index_t size;

  explicit patchify(index_t of_side) : size(of_side) { detail::require_patch(size, "patchify"); }
  shape output_shape(shape in) const {
    require(in.h > 0 && in.w > 0 && in.h % size == 0 && in.w % size == 0, "patchify", [&] {
      return "the input " + to_string(in) + " does not divide into patches of " + std::to_string(size) +
             " x " + std::to_string(size);
    });
    return {in.n, size * size * in.c, in.h / size, in.w / size};
  }
  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               workspace<B>&) const {
    detail::split_into_patches(b, size, x, y);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B>, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>*, workspace<B>&) const {
    if (dx.data) detail::join_patches<B>(b, size, dy, dx);
  }
};

/// The way back from patchify(size): (N, C, H, W) -> (N, C / size^2, size H, size W); size^2 must divide C.
/// PyTorch's PixelShuffle(size).
struct unpatchify : plain_layer {
  index_t size;

  explicit unpatchify(index_t of_side) : size(of_side) { detail::require_patch(size, "unpatchify"); }
  shape output_shape(shape in) const {
    require(in.c > 0 && in.c % (size * size) == 0, "unpatchify", [&] {
      return "the input has " + std::to_string(in.c) + " channels, wanted a multiple of " +
             std::to_string(size * size);
    });
    return {in.n, in.c / (size * size), size * in.h, size * in.w};
  }
  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               workspace<B>&) const {
    detail::join_patches(b, size, x, y);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B>, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>*, workspace<B>&) const {
    if (dx.data) detail::split_into_patches<B>(b, size, dy, dx);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
