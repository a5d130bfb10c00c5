/// Views of Eigen matrices as ours and of ours as Eigen's; nothing is copied. Needs Eigen 3.4.
#pragma once

#include <Eigen/Core>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/view.hpp>
#include <string>
#include <type_traits>

namespace coldzoom::inline COLDZOOM_ISA {

/// What `as_eigen` returns: a row-major matrix over memory of any strides, read-only where T is const.
template <class T>
using eigen_map =
    Eigen::Map<std::conditional_t<std::is_const_v<T>,
                                  const Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic,
                                                      Eigen::RowMajor>,
                                  Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>,
               Eigen::Unaligned, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;

namespace detail {

template <class T>
eigen_map<T> map_matrix(T* data, index_t rows, index_t cols, index_t row_stride, index_t col_stride) {
  require(row_stride >= 0 && col_stride >= 0, "as_eigen", [&] {
    return "the strides are " + std::to_string(row_stride) + " and " + std::to_string(col_stride) +
           "; they must not be negative";
  });
  return eigen_map<T>(data, rows, cols, {row_stride, col_stride});
}

/// Where the elements of a matrix lie, whichever its storage order.
template <class T> struct matrix_memory {
  T* data;
  index_t rows, cols, row_stride, col_stride;
};

template <class M> auto memory_of(M& matrix) {
  static_assert(bool(std::remove_const_t<M>::Flags & Eigen::DirectAccessBit),
                "coldzoom: evaluate this Eigen expression first, Eigen::MatrixXf a = expression: it has no "
                "memory to view");
  constexpr bool by_rows = std::remove_const_t<M>::IsRowMajor;
  const index_t outer = matrix.outerStride(), inner = matrix.innerStride();
  using element = std::remove_pointer_t<decltype(matrix.data())>;
  return matrix_memory<element>{matrix.data(), matrix.rows(), matrix.cols(), by_rows ? outer : inner,
                                by_rows ? inner : outer};
}

}  // namespace detail

/// Channel `channel` of an image as an H x W matrix. Throws `error` for a channel that is not there and for
/// negative strides.
template <class T> eigen_map<T> as_eigen(image_view<T> image, index_t channel) {
  require(channel >= 0 && channel < image.c, "as_eigen", [&] {
    return "the channel is " + std::to_string(channel) + "; it must be 0 to " + std::to_string(image.c - 1);
  });
  return detail::map_matrix(image.data + channel * image.stride_c, image.h, image.w, image.stride_y,
                            image.stride_x);
}

/// A batch as a matrix N x (C H W), one image a row. Throws `error` where the pixels of an image do not lie
/// at equal distances, and for negative strides.
template <class T> eigen_map<T> as_eigen(tensor_view<T> batch) {
  const index_t x = batch.stride_x;
  const auto [n, c, h, w] = batch.dims;
  require((h == 1 || batch.stride_y == w * x) && (c == 1 || batch.stride_c == h * w * x), "as_eigen", [&] {
    return "the strides of " + to_string(batch.dims) + " are " + std::to_string(batch.stride_c) + ", " +
           std::to_string(batch.stride_y) + " and " + std::to_string(x) +
           " for c, y and x; a row of the matrix needs all pixels of an image at equal distances";
  });
  return detail::map_matrix(batch.data, n, batch.dims.image(), batch.stride_n, x);
}

/// A matrix (or Map, Ref, Block; row- or column-major) as an image of one channel. The matrix must outlive
/// the view; a temporary does not bind.
template <class M> auto as_image_view(M& matrix) {
  const auto m = detail::memory_of(matrix);
  using element = std::remove_pointer_t<decltype(m.data)>;
  return image_view<element>{m.data, 1, m.rows, m.cols, m.rows * m.row_stride, m.row_stride, m.col_stride};
}

/// A matrix whose rows are images, N x (C H W), as a batch of the shape `image`, whose n is ignored. Throws
/// `error` where the columns are not C H W. The matrix must outlive the view; a temporary does not bind.
template <class M> auto as_tensor_view(M& matrix, shape image) {
  const auto m = detail::memory_of(matrix);
  require(m.cols == image.image(), "as_tensor_view", [&] {
    return "the matrix has " + std::to_string(m.cols) + " columns; an image of " +
           to_string(image.with_n(1)) + " needs " + std::to_string(image.image());
  });
  using element = std::remove_pointer_t<decltype(m.data)>;
  return tensor_view<element>(m.data, image.with_n(m.rows), m.row_stride, image.pixels() * m.col_stride,
                              image.w * m.col_stride, m.col_stride);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
