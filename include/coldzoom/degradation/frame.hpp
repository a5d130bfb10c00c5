/// Frames: a degradation that moves the picture, in a form that does not.
#pragma once

#include <coldzoom/degradation/degradation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// A degradation `D` has a frame where what is left of an image can be put back to its place:
///
/// - d.frame() is a pixel degradation of the same information, in which no element moves;
/// - d.at_its_place(z, c, y, x, level) is element (c, y, x) of d.frame()(x0, level), from z = D(x0, level).
///
/// D undoes to_frame: D(to_frame(z)) = z. Train and sample with d.frame() in place of d, and tacos_sampler is
/// right where it was not: the known elements stay as they are, and each step adds those that come next.
template <class D>
concept Framed = requires(const D d, image_view<const float> z, index_t i, float level) {
  { d.frame() } -> PixelDegradation;
  { d.at_its_place(z, i, i, i, level) } -> std::same_as<float>;
};

/// Explains what is missing where `D` has no frame.
template <class D> consteval bool check_frame() {
  constexpr bool framed = Framed<D>;
  static_assert(
      framed,
      "coldzoom: this degradation has no frame, as nearest zoom has: give it `frame()` and `float "
      "at_its_place(image_view<const float> z, index_t c, index_t y, index_t x, float level) const`; see "
      "docs/concepts/frontier.md");
  return framed;
}

namespace detail {

/// at_its_place as a degradation, of z.
template <class D> struct put_in_place {
  D d;

  COLDZOOM_HD float operator()(image_view<const float> z, index_t c, index_t y, index_t x,
                               float level) const {
    return d.at_its_place(z, c, y, x, level);
  }
};

}  // namespace detail

/// framed = d.frame()(x0, level) from z = D(x0, level), which alone is known. As `degrade` in all else; the way back
/// is `degrade` itself, of `framed`.
template <class B, class D, ValueRange R>
void to_frame(B& b, const D& d, image_batch<R, const float, typename B::space> z, const_levels<B> level,
              image_batch<R, float, typename B::space> framed) {
  if constexpr (check_frame<D>()) degrade(b, detail::put_in_place<D>{d}, z, level, {}, framed);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
