/// The views of a degradation, and how its kernels divide images into rows.
#pragma once

#include <coldzoom/backend/device/block.hpp>
#include <coldzoom/core/view.hpp>
#include <type_traits>

namespace coldzoom::inline COLDZOOM_ISA {

// Identities for the reason given at const_tensor.
template <class B> using image_tensor = std::type_identity_t<tensor_view<float, typename B::space>>;
template <class B>
using const_image_tensor = std::type_identity_t<tensor_view<const float, typename B::space>>;
template <class B> using const_levels = std::type_identity_t<vector_view<const float, typename B::space>>;

namespace detail {

/// Columns that one index of a kernel over images takes: all where a loop runs over them, one where
/// neighbouring threads do.
template <class B> index_t columns_an_index(index_t width) { return BlockBackend<B> ? 1 : width; }

/// Pixels first .. last - 1 of a row.
struct row_part {
  index_t n, c, y, first, last;

  /// Index: [n][c][y][part of a row].
  COLDZOOM_HD static constexpr row_part at(index_t i, const shape& dims, index_t columns) {
    const index_t parts = (dims.w + columns - 1) / columns, row = i / parts, first = i % parts * columns;
    return {row / (dims.h * dims.c), row / dims.h % dims.c, row % dims.h, first,
            first + columns < dims.w ? first + columns : dims.w};
  }
  static constexpr index_t count(const shape& dims, index_t columns) {
    return dims.n * dims.c * dims.h * ((dims.w + columns - 1) / columns);
  }
};

/// sums[j] += factor from[j stride] for j < count.
COLDZOOM_HD inline void add_scaled(float* sums, index_t count, float factor, const float* from,
                                   index_t stride) {
  if (stride == 1) {  // compilers use wide loads where they see it
    for (index_t j = 0; j < count; ++j) sums[j] += factor * from[j];
  } else {
    for (index_t j = 0; j < count; ++j) sums[j] += factor * from[j * stride];
  }
}

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
