/// Many products of small matrices at once, which a backend may offer.
#pragma once

#include <coldzoom/backend/backend.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// C = A B: m rows, A(i, l) = a[i * step_i + l * step_l] for l < k, and B and C in rows of n elements, ldb and ldc apart. No rows
/// are no work.
struct dense_product {
  index_t m, n, k;
  const float* a;
  index_t step_i, step_l;
  const float* b;
  index_t ldb;
  float* c;
  index_t ldc;
};

namespace detail {
struct archetype_product {
  dense_product operator()(index_t) const { return {}; }
};
}  // namespace detail

/// b.for_each_product(count, product, cost): the products product(i), i < count, of about `cost` operations each, in any
/// order; every element is summed in the order of k.
template <class B>
concept MultipliesMatrices = Backend<B> && requires(B& b, index_t count) {
  b.for_each_product(count, detail::archetype_product{}, count);
};

}  // namespace coldzoom::inline COLDZOOM_ISA
