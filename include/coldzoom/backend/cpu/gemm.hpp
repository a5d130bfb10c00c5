/// Matrix products of one thread, by tiles of registers.
#pragma once

#include <coldzoom/backend/cpu/simd.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// Rows of a tile: enough independent sums to hide the latency of a multiply-add, as many as registers hold.
inline constexpr index_t gemm_rows = COLDZOOM_VECTOR_BYTES == 64 ? 8 : 4;

namespace detail {

template <index_t Rows, index_t Vectors, index_t Width, class T>
void gemm_tile(index_t k, const T* a, index_t step_i, index_t step_l, const T* b, index_t ldb, T* c,
               index_t ldc, bool accumulate) {
  vec<T, Width> total[static_cast<std::size_t>(Rows)][static_cast<std::size_t>(Vectors)];
  for (index_t r = 0; r < Rows; ++r) {
    for (index_t v = 0; v < Vectors; ++v) {
      total[r][v] = accumulate ? load<Width>(c + r * ldc + v * Width) : vec<T, Width>{};
    }
  }
  for (index_t l = 0; l < k; ++l) {
    for (index_t v = 0; v < Vectors; ++v) {
      const vec<T, Width> right = load<Width>(b + l * ldb + v * Width);
      for (index_t r = 0; r < Rows; ++r) total[r][v] += a[r * step_i + l * step_l] * right;
    }
  }
  for (index_t r = 0; r < Rows; ++r) {
    for (index_t v = 0; v < Vectors; ++v) store<Width, T>(c + r * ldc + v * Width, total[r][v]);
  }
}

/// Columns that do not fill a vector are computed with some before them once more, to the same bits; where these must not
/// be added twice, or are too few, they go to vectors of half the width, and so on.
template <index_t Rows, index_t Width, class T>
void gemm_stripe(index_t n, index_t k, const T* a, index_t step_i, index_t step_l, const T* b, index_t ldb,
                 T* c, index_t ldc, bool accumulate) {
  index_t j = 0;
  for (; j + 2 * Width <= n; j += 2 * Width) {
    gemm_tile<Rows, 2, Width>(k, a, step_i, step_l, b + j, ldb, c + j, ldc, accumulate);
  }
  for (; j + Width <= n; j += Width) {
    gemm_tile<Rows, 1, Width>(k, a, step_i, step_l, b + j, ldb, c + j, ldc, accumulate);
  }
  if (j < n && n >= Width && !accumulate) {
    gemm_tile<Rows, 1, Width>(k, a, step_i, step_l, b + n - Width, ldb, c + n - Width, ldc, false);
    return;
  }
  if constexpr (Width > 1) {
    if (j < n) {
      gemm_stripe<Rows, Width / 2>(n - j, k, a, step_i, step_l, b + j, ldb, c + j, ldc, accumulate);
    }
  }
}

}  // namespace detail

/// `m` rows of C = A B, plus C where `accumulate`: A(i, l) = a[i * step_i + l * step_l], l < k, and B and C in
/// rows of n elements. Every element is summed in the order of l, whatever tile it falls in.
template <class T>
void gemm_of_one_thread(index_t m, index_t n, index_t k, const T* a, index_t step_i, index_t step_l,
                        const T* b, index_t ldb, T* c, index_t ldc, bool accumulate) {
  constexpr index_t width = native_lanes<T>;
  index_t i = 0;
  for (; i + gemm_rows <= m; i += gemm_rows) {
    detail::gemm_stripe<gemm_rows, width>(n, k, a + i * step_i, step_i, step_l, b, ldb, c + i * ldc, ldc,
                                          accumulate);
  }
  if constexpr (gemm_rows > 4) {
    if (i + 4 <= m) {
      detail::gemm_stripe<4, width>(n, k, a + i * step_i, step_i, step_l, b, ldb, c + i * ldc, ldc,
                                    accumulate);
      i += 4;
    }
  }
  for (; i < m; ++i) {
    detail::gemm_stripe<1, width>(n, k, a + i * step_i, step_i, step_l, b, ldb, c + i * ldc, ldc, accumulate);
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA
