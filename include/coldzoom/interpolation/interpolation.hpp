/// The concept of an interpolation: one pixel of a resized picture.
#pragma once

#include <coldzoom/core/view.hpp>
#include <concepts>
#include <type_traits>

namespace coldzoom::inline COLDZOOM_ISA {

/// i(crop, c, y, x, out_h, out_w): pixel (y, x) of channel c of `crop` resized to out_h x out_w. It owns its
/// coordinate rule.
template <class I>
concept Interpolation = std::is_trivially_copyable_v<I> &&
    requires(const I i, image_view<const float> crop, index_t c, index_t y, index_t x, index_t out_h,
             index_t out_w) {
  { i(crop, c, y, x, out_h, out_w) } -> std::same_as<float>;
};

/// Explains what is missing where `I` is no interpolation.
template <class I> consteval bool check_interpolation() {
  constexpr bool callable = requires(const I i, image_view<const float> crop, index_t at) {
    { i(crop, at, at, at, at, at) } -> std::same_as<float>;
  };
  static_assert(
      callable,
      "coldzoom: give your interpolation `float operator()(image_view<const float> crop, index_t c, "
      "index_t y, index_t x, index_t out_h, index_t out_w) const` (with COLDZOOM_HD); see "
      "docs/concepts/interpolation.md");
  constexpr bool plain = std::is_trivially_copyable_v<I>;
  static_assert(plain,
                "coldzoom: an interpolation must be trivially copyable: keep plain numbers in it; see "
                "docs/concepts/interpolation.md");
  return callable && plain;
}

/// Along one axis, output pixel = (1 - weight) * input[first] + weight * input[second].
struct axis_tap {
  index_t first = 0, second = 0;
  float weight = 0;
};

/// An interpolation that is the product of one axis_tap a direction; batches then share the taps of an axis.
template <class I>
concept SeparableInterpolation = Interpolation<I> &&
    requires(const I i, index_t at, index_t in, index_t out) {
  { i.tap(at, in, out) } -> std::same_as<axis_tap>;
};

namespace detail {
/// A separable interpolation with `static constexpr bool one_pixel = true`: input[first] alone counts.
template <class I>
concept one_pixel = requires {
  requires I::one_pixel;
};
}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
