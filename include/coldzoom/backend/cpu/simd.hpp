/// Vector types of the compiler (GCC, clang): arithmetic without intrinsics, on any instruction set and
/// width.
#pragma once

#include <coldzoom/core/config.hpp>
#include <coldzoom/core/view.hpp>
#include <utility>

/// Kernels rely on inlining: a vector that crosses a call would leave its register. The second form is for
/// lambdas: `[&](auto i) COLDZOOM_INLINE_LAMBDA { ... }`. Checks for undefined behaviour in thousands of
/// inlined one-liners would take the compiler minutes; the callers, which form the addresses, keep theirs.
#define COLDZOOM_INLINE_LAMBDA __attribute__((always_inline, no_sanitize("undefined")))
#define COLDZOOM_INLINE inline __attribute__((always_inline, no_sanitize("undefined")))

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

template <class T, index_t L> struct vec_of {
  using type [[gnu::vector_size(L * sizeof(T))]] = T;
  // For access to memory alone: the alignment of one element makes loads and stores at any element legal,
  // may_alias makes them legal on plain arrays of T. Variables must not have this type: clang drops its
  // alignment where a template argument is deduced, and then reads them as if they were aligned to the whole
  // vector.
  using in_memory [[gnu::vector_size(L * sizeof(T)), gnu::aligned(alignof(T)), gnu::may_alias]] = T;
};

}  // namespace detail

/// L values of type T in one register; + - * / and unary - work lane by lane, also with a scalar on one side.
template <class T, index_t L> using vec = typename detail::vec_of<T, L>::type;

/// Lanes of one native register: 16 floats with AVX-512, 8 with AVX, 4 with SSE2 or NEON.
template <class T>
inline constexpr index_t native_lanes = COLDZOOM_VECTOR_BYTES / static_cast<index_t>(sizeof(T));

/// L consecutive elements from p, which needs the alignment of T only.
template <index_t L, class T> COLDZOOM_INLINE vec<T, L> load(const T* p) {
  return *reinterpret_cast<const typename detail::vec_of<T, L>::in_memory*>(p);
}

template <index_t L, class T> COLDZOOM_INLINE void store(T* p, const vec<T, L>& v) {
  *reinterpret_cast<typename detail::vec_of<T, L>::in_memory*>(p) = v;
}

template <class T, index_t L> COLDZOOM_INLINE vec<T, L> zero() { return vec<T, L>{}; }

/// The same value in every lane.
template <index_t L, class T> COLDZOOM_INLINE vec<T, L> broadcast(T value) {
  return value - vec<T, L>{};  // x - 0 is x for every x, -0 included, so the subtraction folds away
}

/// Asks for `size` elements from p, soon to be read or written, to be brought into the second-level cache.
/// Inline the callers too: GCC takes a function that only prefetches for one without effect and drops its
/// calls.
template <class T> COLDZOOM_INLINE void prefetch(const T* p, index_t size) {
  constexpr index_t line = 64 / static_cast<index_t>(sizeof(T));
  for (index_t i = 0; i < size; i += line) __builtin_prefetch(p + i, 0, 2);
}

/// Calls f(integral_constant<index_t, 0>) ... f(integral_constant<index_t, N - 1>), always unrolled.
template <index_t N, class F> COLDZOOM_INLINE void unroll(F&& f) {
  [&]<index_t... I>(std::integer_sequence<index_t, I...>) COLDZOOM_INLINE_LAMBDA {
    (f(std::integral_constant<index_t, I>{}), ...);
  }
  (std::make_integer_sequence<index_t, N>{});
}

/// Sum of the lanes, always in the same pairwise order.
template <class T, index_t L> COLDZOOM_INLINE T sum_lanes(const vec<T, L>& v) {
  if constexpr (L == 1) {
    return v[0];
  } else {
    const T* p = reinterpret_cast<const T*>(&v);
    return sum_lanes<T, L / 2>(load<L / 2>(p) + load<L / 2>(p + L / 2));
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA
