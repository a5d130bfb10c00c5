/// The concept that every backend fulfils, and the names derived from one.
#pragma once

#include <coldzoom/core/view.hpp>
#include <concepts>
#include <type_traits>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {
struct archetype_kernel {
  COLDZOOM_HD void operator()(index_t) const {}
};
}  // namespace detail

/// A backend owns memory and runs kernels. The few verbs below are all it must have:
///
/// - `real_type`, `space`, `lanes`: the arithmetic type, the memory space, the channel lanes of an
///   activation;
/// - `allocate<T>(n)`: an owning buffer of n zeros with `data()` and `size()`;
/// - `copy`, `upload`, `download` (from, to, n): within, into and out of the backend's memory;
/// - `for_each_index(n, kernel, cost)`: kernel(i) for i = 0 .. n - 1 in any order; `cost` is a rough number
///   of operations per index, from which the grain follows;
/// - `sum(p, n)`: in double, in an order that depends on n alone;
/// - `gemm(transpose_a, m, n, k, a, lda, b, ldb, c, ldc, accumulate)`: row-major C = op(A) B, plus C where
///   `accumulate`; every element of C is summed in the order of k, so a row's bits do not depend on m;
/// - `synchronize()`: returns when all work is done.
///
/// Faster operations are optional members and member types (`convolution`, `normalisation`, ...). Whoever can
/// use one asks with `if constexpr (requires { ... })` and holds a generic version beside it.
template <class B>
concept Backend = requires(B& b, const typename B::real_type* in, typename B::real_type* out, index_t n) {
  requires std::floating_point<typename B::real_type>;
  typename B::space;
  { B::lanes } -> std::convertible_to<index_t>;
  { b.template allocate<typename B::real_type>(n).data() } -> std::same_as<typename B::real_type*>;
  b.copy(in, out, n);
  b.upload(in, out, n);
  b.download(in, out, n);
  b.for_each_index(n, detail::archetype_kernel{}, n);
  { b.sum(in, n) } -> std::same_as<double>;
  b.gemm(true, n, n, n, in, n, in, n, out, n, true);
  b.synchronize();
};

template <class B> using real_t = typename B::real_type;
// Identities, for nvcc would else deduce from arguments of these types and so refuse conversions to const.
template <class B> using tensor = std::type_identity_t<tensor_view<real_t<B>, typename B::space>>;
template <class B> using const_tensor = std::type_identity_t<tensor_view<const real_t<B>, typename B::space>>;
template <class B>
using activation = std::type_identity_t<activation_view<real_t<B>, B::lanes, typename B::space>>;
template <class B>
using const_activation = std::type_identity_t<activation_view<const real_t<B>, B::lanes, typename B::space>>;
template <class B> using buffer_t = typename B::template buffer<real_t<B>>;

/// Memory for activations of up to `capacity` images; `view(n)` is its first n images.
template <Backend B> class activation_buffer {
 public:
  activation_buffer() = default;
  activation_buffer(B& b, shape capacity) : dims_(capacity) {
    memory_ = b.template allocate<real_t<B>>(activation<B>{nullptr, capacity}.size());
  }
  activation<B> view(index_t n) { return {memory_.data(), dims_.with_n(n)}; }

 private:
  shape dims_;
  buffer_t<B> memory_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
