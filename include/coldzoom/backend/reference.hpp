/// The plain backend: one thread, no vectors, no tricks. The oracle of every other backend.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/backend/host_memory.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// Real is float, or double for gradient checks.
template <std::floating_point Real = float> class reference_backend : public host_memory {
 public:
  using real_type = Real;
  static constexpr index_t lanes = 1;

  template <class Kernel> void for_each_index(index_t count, Kernel kernel, index_t = 1) const {
    for (index_t i = 0; i < count; ++i) kernel(i);
  }

  double sum(const Real* values, index_t count) const {
    double total = 0;
    for (index_t i = 0; i < count; ++i) total += static_cast<double>(values[i]);
    return total;
  }

  void gemm(bool transpose_a, index_t m, index_t n, index_t k, const Real* a, index_t lda, const Real* b,
            index_t ldb, Real* c, index_t ldc, bool accumulate) const {
    for (index_t i = 0; i < m; ++i) {
      for (index_t j = 0; j < n; ++j) {
        Real total = accumulate ? c[i * ldc + j] : Real(0);
        for (index_t l = 0; l < k; ++l)
          total += (transpose_a ? a[l * lda + i] : a[i * lda + l]) * b[l * ldb + j];
        c[i * ldc + j] = total;
      }
    }
  }
};

static_assert(Backend<reference_backend<float>> && Backend<reference_backend<double>>);

}  // namespace coldzoom::inline COLDZOOM_ISA
