/// Non-owning views of images and batches, and the shapes that describe them.
#pragma once

#include <coldzoom/core/config.hpp>
#include <cstddef>
#include <string>
#include <type_traits>

namespace coldzoom::inline COLDZOOM_ISA {

using index_t = std::ptrdiff_t;

/// Memory space of ordinary host memory. A backend names its own as `B::space`; the space is part of a view's
/// type, so host code cannot dereference device memory by mistake.
struct host_space {};

/// N images of C channels and H x W pixels. A vector of F features is {N, F, 1, 1}.
struct shape {
  index_t n = 0, c = 0, h = 0, w = 0;

  COLDZOOM_HD constexpr index_t pixels() const { return h * w; }
  COLDZOOM_HD constexpr index_t image() const { return c * h * w; }
  COLDZOOM_HD constexpr index_t size() const { return n * c * h * w; }
  COLDZOOM_HD constexpr shape with_n(index_t count) const { return {count, c, h, w}; }
  friend constexpr bool operator==(const shape&, const shape&) = default;
};

/// Where element i of dense images of a shape lies, row-major.
struct element_place {
  index_t n, c, y, x;

  COLDZOOM_HD static constexpr element_place at(index_t i, const shape& s) {
    return {i / s.image(), i / s.pixels() % s.c, i / s.w % s.h, i % s.w};
  }
};

/// "N x C x H x W", for messages.
inline std::string to_string(const shape& s) {
  return std::to_string(s.n) + " x " + std::to_string(s.c) + " x " + std::to_string(s.h) + " x " +
         std::to_string(s.w);
}

namespace detail {
/// U is T made const. Views convert by a template over U, because nvcc warns of a plain operator that
/// converts a view of constants to its own type, even where a constraint forbids it.
template <class U, class T>
concept constant_of = !std::is_const_v<T> && std::is_same_v<U, const T>;
}  // namespace detail

/// One image, C x H x W, any strides (in elements). A crop, a transposed or a channels-last image is a view
/// too.
template <class T> struct image_view {
  T* data = nullptr;
  index_t c = 0, h = 0, w = 0;
  index_t stride_c = 0, stride_y = 0, stride_x = 1;

  COLDZOOM_HD constexpr T& operator()(index_t channel, index_t y, index_t x) const {
    return data[channel * stride_c + y * stride_y + x * stride_x];
  }

  /// The height x width window whose top-left pixel is (top, left). No copy, no bounds check.
  COLDZOOM_HD constexpr image_view window(index_t top, index_t left, index_t height, index_t width) const {
    return {data + top * stride_y + left * stride_x, c, height, width, stride_c, stride_y, stride_x};
  }

  template <detail::constant_of<T> U> COLDZOOM_HD constexpr operator image_view<U>() const {
    return {data, c, h, w, stride_c, stride_y, stride_x};
  }
};

/// A batch of images, N x C x H x W, any strides (in elements), in memory space `Space`.
template <class T, class Space = host_space> struct tensor_view {
  using value_type = std::remove_const_t<T>;
  using space = Space;

  T* data = nullptr;
  shape dims;
  index_t stride_n = 0, stride_c = 0, stride_y = 0, stride_x = 1;

  constexpr tensor_view() = default;
  /// Row-major, densely packed.
  COLDZOOM_HD constexpr tensor_view(T* pointer, shape s)
      : data(pointer),
        dims(s),
        stride_n(s.image()),
        stride_c(s.pixels()),
        stride_y(s.w) {}
  COLDZOOM_HD constexpr tensor_view(T* pointer, shape s, index_t sn, index_t sc, index_t sy, index_t sx)
      : data(pointer),
        dims(s),
        stride_n(sn),
        stride_c(sc),
        stride_y(sy),
        stride_x(sx) {}

  COLDZOOM_HD constexpr T& operator()(index_t n, index_t c, index_t y, index_t x) const {
    return data[n * stride_n + c * stride_c + y * stride_y + x * stride_x];
  }
  COLDZOOM_HD constexpr image_view<T> image(index_t n) const {
    return {data + n * stride_n, dims.c, dims.h, dims.w, stride_c, stride_y, stride_x};
  }
  /// Images first .. first + count - 1.
  COLDZOOM_HD constexpr tensor_view images(index_t first, index_t count) const {
    return {data + first * stride_n, dims.with_n(count), stride_n, stride_c, stride_y, stride_x};
  }
  /// True where the elements lie densely in row-major order.
  COLDZOOM_HD constexpr bool contiguous() const {
    return stride_x == 1 && stride_y == dims.w && stride_c == dims.pixels() && stride_n == dims.image();
  }
  template <detail::constant_of<T> U> COLDZOOM_HD constexpr operator tensor_view<U, Space>() const {
    return {data, dims, stride_n, stride_c, stride_y, stride_x};
  }
};

/// A vector of `size` consecutive elements in memory space `Space`.
template <class T, class Space = host_space> struct vector_view {
  using value_type = std::remove_const_t<T>;
  using space = Space;

  T* data = nullptr;
  index_t size = 0;

  COLDZOOM_HD constexpr T& operator[](index_t i) const { return data[i]; }
  COLDZOOM_HD constexpr vector_view slice(index_t first, index_t count) const {
    return {data + first, count};
  }
  template <detail::constant_of<T> U> COLDZOOM_HD constexpr operator vector_view<U, Space>() const {
    return {data, size};
  }
};

/// The values between the layers of a network: N x C x H x W stored as [n][C / Lanes][H][W][Lanes], that is,
/// `Lanes` consecutive channels of one pixel lie side by side and fill one vector register. Lanes = 1 is
/// plain NCHW. C is padded to a multiple of Lanes; the padding is finite and has no influence on any result.
template <class T, index_t Lanes, class Space> struct activation_view {
  using value_type = std::remove_const_t<T>;
  static constexpr index_t lanes = Lanes;

  T* data = nullptr;
  shape dims;

  COLDZOOM_HD constexpr index_t lane_groups() const { return (dims.c + Lanes - 1) / Lanes; }
  COLDZOOM_HD constexpr index_t image_size() const { return lane_groups() * Lanes * dims.pixels(); }
  COLDZOOM_HD constexpr index_t size() const { return dims.n * image_size(); }
  COLDZOOM_HD constexpr index_t offset(index_t n, index_t c, index_t pixel) const {
    return ((n * lane_groups() + c / Lanes) * dims.pixels() + pixel) * Lanes + c % Lanes;
  }
  /// The channel of element i in memory order; dims.c or more in padding lanes.
  COLDZOOM_HD constexpr index_t channel(index_t i) const {
    return i / (Lanes * dims.pixels()) % lane_groups() * Lanes + i % Lanes;
  }
  COLDZOOM_HD constexpr T& operator()(index_t n, index_t c, index_t y, index_t x) const {
    return data[offset(n, c, y * dims.w + x)];
  }
  COLDZOOM_HD constexpr activation_view images(index_t first, index_t count) const {
    return {data + first * image_size(), dims.with_n(count)};
  }
  template <detail::constant_of<T> U>
  COLDZOOM_HD constexpr operator activation_view<U, Lanes, Space>() const {
    return {data, dims};
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
