/// Views of xtensor arrays as ours and of ours as xtensor's; nothing is copied. Needs xtensor.
#pragma once

// Upstream moved every header into a folder in version 0.26; Debian 12 has the older layout.
#if __has_include(<xtensor/xtensor.hpp>)
#  include <xtensor/xadapt.hpp>
#  include <xtensor/xstrided_view.hpp>
#  include <xtensor/xtensor.hpp>
#else
#  include <xtensor/containers/xadapt.hpp>
#  include <xtensor/containers/xtensor.hpp>
#  include <xtensor/views/xstrided_view.hpp>
#endif

#include <array>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/view.hpp>
#include <string>
#include <type_traits>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// An xtensor expression whose elements lie in memory at fixed strides.
template <class E>
concept strided_memory = requires(E& e) {
  e.shape();
  e.strides();
  e.data() + e.data_offset();
};

}  // namespace detail

/// The memory of `array` (an xtensor, xarray, adaptor or strided view of one) as a batch of images: four
/// axes are N x C x H x W, three are N x H x W with C = 1. Any strides, negative ones too; const arrays give
/// views of const. Throws `error` for another number of axes. Holds no reference: the array must outlive the
/// view and keep its size, which is why a temporary does not compile.
template <class E> auto as_tensor_view(E&& array) {
  using expression = std::remove_reference_t<E>;
  static_assert(std::is_lvalue_reference_v<E>,
                "coldzoom: give the array or view a name first: a view of a temporary would dangle");
  static_assert(detail::strided_memory<expression>,
                "coldzoom: evaluate this xtensor expression first, xt::xtensor<float, 4> a = expression: "
                "it has no memory to view");
  if constexpr (std::is_lvalue_reference_v<E> && detail::strided_memory<expression>) {
    const std::size_t rank = array.shape().size();
    require(rank == 3 || rank == 4, "as_tensor_view", [&] {
      return "the array has " + std::to_string(rank) +
             " axes; it must have 4 (N x C x H x W) or 3 (N x H x W)";
    });
    const auto extent = [&](std::size_t axis) { return static_cast<index_t>(array.shape()[axis]); };
    const auto stride = [&](std::size_t axis) { return static_cast<index_t>(array.strides()[axis]); };
    const shape dims{extent(0), rank == 4 ? extent(1) : 1, extent(rank - 2), extent(rank - 1)};
    // xtensor's stride of an axis of extent 1 is 0; ours is that of dense rows, so that dense arrays are
    // seen to be dense.
    const index_t x = dims.w == 1 ? 1 : stride(rank - 1);
    const index_t y = dims.h == 1 ? dims.w * x : stride(rank - 2);
    const index_t c = dims.c == 1 ? dims.h * y : stride(1);
    const index_t n = dims.n == 1 ? dims.c * c : stride(0);
    using element = std::remove_pointer_t<decltype(array.data())>;
    return tensor_view<element>(array.data() + static_cast<index_t>(array.data_offset()), dims, n, c, y, x);
  }
}

/// `view` as an assignable xtensor expression N x C x H x W over the same memory: `as_xtensor(out) = 1 -
/// as_xtensor(x0)`. Throws `error` for negative strides. Holds no reference to `view`, only to its memory.
template <class T> auto as_xtensor(tensor_view<T> view) {
  const auto [n, c, h, w] = view.dims;
  const std::array<std::size_t, 4> extents{static_cast<std::size_t>(n), static_cast<std::size_t>(c),
                                           static_cast<std::size_t>(h), static_cast<std::size_t>(w)};
  std::array<std::ptrdiff_t, 4> strides{view.stride_n, view.stride_c, view.stride_y, view.stride_x};
  std::size_t spanned = view.dims.size() > 0 ? 1 : 0;
  for (std::size_t axis = 0; axis < 4; ++axis) {
    if (extents[axis] <= 1) strides[axis] = 0;  // xtensor repeats such an axis where it broadcasts
    require(strides[axis] >= 0, "as_xtensor", [&] {
      return "the stride of axis " + std::to_string(axis) + " is " + std::to_string(strides[axis]) +
             "; it must not be negative";
    });
    if (spanned > 0) spanned += (extents[axis] - 1) * static_cast<std::size_t>(strides[axis]);
  }
  // A strided view, not a strided adaptor: assigning to the latter would replace its strides.
  auto memory = xt::adapt(view.data, spanned, xt::no_ownership(), std::array<std::size_t, 1>{spanned});
  return xt::xstrided_view<decltype(memory), std::array<std::size_t, 4>, xt::layout_type::dynamic>(
      std::move(memory), extents, std::array(strides), 0, xt::layout_type::dynamic);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
