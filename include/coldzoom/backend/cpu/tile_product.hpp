/// Products of small blocks of bfloat16 numbers, by the matrix unit of the CPU where it has one.
#pragma once

#include <algorithm>
#include <bit>
#include <coldzoom/backend/cpu/simd.hpp>
#include <cstdint>

#if COLDZOOM_MATRIX_UNIT
#  include <immintrin.h>
#  include <sys/syscall.h>
#  include <unistd.h>
#endif

namespace coldzoom::inline COLDZOOM_ISA {

/// Two bfloat16 numbers, the upper halves of floats; the first one lies in the lower bits.
using bf16_pair = std::uint32_t;

namespace detail {
/// The bits of floats, rounded so that the upper half is the nearest bfloat16 number, ties to even.
template <class Bits> COLDZOOM_INLINE Bits rounded_to_bf16(const Bits& bits) {
  return bits + 0x7fffU + ((bits >> 16) & 1U);
}
}  // namespace detail

/// The pair of two rounded numbers.
inline bf16_pair bf16_pair_of(float first, float second) {
  return detail::rounded_to_bf16(std::bit_cast<std::uint32_t>(first)) >> 16 |
         (detail::rounded_to_bf16(std::bit_cast<std::uint32_t>(second)) & 0xffff0000U);
}
/// The same lane by lane.
template <index_t L>
COLDZOOM_INLINE vec<bf16_pair, L> bf16_pairs(const vec<float, L>& first, const vec<float, L>& second) {
  using bits = vec<std::uint32_t, L>;
  return detail::rounded_to_bf16(reinterpret_cast<bits>(first)) >> 16 |
         (detail::rounded_to_bf16(reinterpret_cast<bits>(second)) & 0xffff0000U);
}

/// Sums of products of blocks: 16 rows of 32 numbers by 32 rows of 16. The numbers of a row of the first block
/// lie side by side, as 16 pairs; the second block lies as [pair of rows][column]; sums are floats, [row][column].
///
/// The matrix unit (Intel's AMX) holds a state of each thread: an object sets it up for the thread that makes
/// it, and clears it. Without the unit the products are the same, in another order of summation, and slower
/// than products of floats. Subnormal numbers count as zero in the unit.
class tile_product {
 public:
  static constexpr index_t rows = 16, columns = 16, depth = 32, pairs = depth / 2;

  /// Whether this CPU and its system let the program use the unit.
  static bool available() {
#if COLDZOOM_MATRIX_UNIT
    constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    static const bool permitted = syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
    return permitted;
#else
    return false;
#endif
  }

#if COLDZOOM_MATRIX_UNIT
  tile_product() {
    if (!available()) return;
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } const shapes;
    _tile_loadconfig(&shapes);
  }
  ~tile_product() {
    if (available()) _tile_release();
  }
#else
  tile_product() = default;
  ~tile_product() = default;
#endif
  tile_product(const tile_product&) = delete;
  tile_product& operator=(const tile_product&) = delete;

  /// The blocks of one step: of A, whose rows begin a_row pairs apart, and of B.
  struct operands {
    const bf16_pair *a[2], *b[2];
  };

  /// c(i, j) = sum over s < steps of a(s, i) b(s, j), plus c(i, j) where `accumulate`, for blocks i < I and
  /// j < J, both 1 or 2, with at(s).a[i] and at(s).b[j]. Block (i, j) of c lies at c + i * down + j * across.
  template <index_t I, index_t J, class At>
  COLDZOOM_INLINE void sum(index_t steps, index_t a_row, const At& at, float* c, index_t down, index_t across,
                           bool accumulate) const {
#if COLDZOOM_MATRIX_UNIT
    if (available()) return sum_in_unit<I, J>(steps, a_row, at, c, down, across, accumulate);
#endif
    for (index_t i = 0; i < I; ++i) {
      for (index_t j = 0; j < J && !accumulate; ++j)
        std::fill_n(c + i * down + j * across, rows * columns, 0.0F);
    }
    for (index_t s = 0; s < steps; ++s) {
      const operands of = at(s);
      for (index_t i = 0; i < I; ++i) {
        for (index_t j = 0; j < J; ++j) add_in_vectors(of.a[i], a_row, of.b[j], c + i * down + j * across);
      }
    }
  }

 private:
  static void add_in_vectors(const bf16_pair* a, index_t a_row, const bf16_pair* b, float* c) {
    constexpr index_t L = native_lanes<float>;
    using bits = vec<std::uint32_t, L>;
    for (index_t row = 0; row < rows; ++row) {
      for (index_t column = 0; column < columns; column += L) {
        vec<float, L> sum = load<L>(c + row * columns + column);
        for (index_t m = 0; m < pairs; ++m) {
          const bf16_pair left = a[row * a_row + m];
          const bits right = load<L>(b + m * columns + column);
          const bits low = right << 16, high = right & 0xffff0000U;
          sum += std::bit_cast<float>(left << 16) * reinterpret_cast<vec<float, L>>(low);
          sum += std::bit_cast<float>(left & 0xffff0000U) * reinterpret_cast<vec<float, L>>(high);
        }
        store<L>(c + row * columns + column, sum);
      }
    }
  }

#if COLDZOOM_MATRIX_UNIT
  /// Registers 0 to 3 hold sums, 4 and 5 blocks of A, 6 and 7 blocks of B.
  template <index_t I, index_t J, class At>
  static COLDZOOM_INLINE void sum_in_unit(index_t steps, index_t a_row, const At& at, float* c, index_t down,
                                          index_t across, bool accumulate) {
    constexpr index_t c_bytes = columns * static_cast<index_t>(sizeof(float)), b_bytes = c_bytes;
    const index_t a_bytes = a_row * static_cast<index_t>(sizeof(bf16_pair));
    if (accumulate) {
      _tile_loadd(0, c, c_bytes);
      if constexpr (J == 2) _tile_loadd(1, c + across, c_bytes);
      if constexpr (I == 2) _tile_loadd(2, c + down, c_bytes);
      if constexpr (I == 2 && J == 2) _tile_loadd(3, c + down + across, c_bytes);
    } else {
      _tile_zero(0);
      if constexpr (J == 2) _tile_zero(1);
      if constexpr (I == 2) _tile_zero(2);
      if constexpr (I == 2 && J == 2) _tile_zero(3);
    }
    for (index_t s = 0; s < steps; ++s) {
      const operands of = at(s);
      _tile_loadd(4, of.a[0], a_bytes);
      _tile_loadd(6, of.b[0], b_bytes);
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (J == 2) {
        _tile_loadd(7, of.b[1], b_bytes);
        _tile_dpbf16ps(1, 4, 7);
      }
      if constexpr (I == 2) {
        _tile_loadd(5, of.a[1], a_bytes);
        _tile_dpbf16ps(2, 5, 6);
      }
      if constexpr (I == 2 && J == 2) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, c_bytes);
    if constexpr (J == 2) _tile_stored(1, c + across, c_bytes);
    if constexpr (I == 2) _tile_stored(2, c + down, c_bytes);
    if constexpr (I == 2 && J == 2) _tile_stored(3, c + down + across, c_bytes);
  }
#endif
};

}  // namespace coldzoom::inline COLDZOOM_ISA
