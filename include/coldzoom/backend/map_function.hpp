/// Functions of one number, applied to arrays.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/backend/generic/elementwise.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// y = Function(x) for `count` elements; Function as in backend/generic/elementwise.hpp. Runs the backend's
/// own `apply` where it has one for this function.
template <class Function, Backend B>
void map_function(B& b, index_t count, const real_t<B>* x, real_t<B>* y) {
  if constexpr (requires { b.template apply<Function>(x, y, count); }) {
    b.template apply<Function>(x, y, count);
  } else {
    b.for_each_index(count, generic::apply_function<Function, real_t<B>>{{}, x, y}, 20);
  }
}

/// dx = dy * Function'(x), likewise; dx may be x or dy.
template <class Function, Backend B>
void map_slope(B& b, index_t count, const real_t<B>* x, const real_t<B>* dy, real_t<B>* dx) {
  if constexpr (requires { b.template apply_slope<Function>(x, dy, dx, count); }) {
    b.template apply_slope<Function>(x, dy, dx, count);
  } else {
    b.for_each_index(count, generic::apply_slope<Function, real_t<B>>{{}, x, dy, dx}, 40);
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA
