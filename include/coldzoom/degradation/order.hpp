/// Orders of loss: the level at which a degradation takes each element of an image.
#pragma once

#include <coldzoom/core/call.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/core/view.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <concepts>
#include <type_traits>

namespace coldzoom::inline COLDZOOM_ISA {

/// An order `O` says when each element is lost: o(image, c, y, x) is the level, above 0 and below 1, from which on
/// element (c, y, x) of an image of that shape is gone; 1 or more where it is never lost. COLDZOOM_HD and trivially
/// copyable. From an order come a mask (`masked`), a soft frontier (`soft_frontier`) and the inputs and
/// weights that go with them.
template <class O>
concept LossOrder = std::is_trivially_copyable_v<O> && requires(const O o, shape image, index_t i) {
  { o(image, i, i, i) } -> std::same_as<float>;
};

/// Explains what is missing where `O` is no order.
template <class O> consteval bool check_order() {
  constexpr bool order = LossOrder<O>;
  static_assert(order,
                "coldzoom: give your order of loss `float operator()(shape image, index_t c, index_t y, "
                "index_t x) const` (with COLDZOOM_HD), the level from which on the element is gone, in a "
                "trivially copyable type; see docs/concepts/frontier.md");
  return order;
}

/// The order of `zoom`: from the border of the image to the window of step `last_step`, which is never lost.
/// An element is gone at the levels at which the window of a zoom with this last_step is without it; half-way
/// between two steps, where a zoom rounds, rounding may decide otherwise.
/// With last_step = 0 the window is a seventh of the shorter side: 24 steps of an image of 28 x 28.
struct zoom_order {
  int last_step = 24;

  COLDZOOM_HD float operator()(const shape& image, index_t, index_t y, index_t x) const {
    const index_t side = image.h < image.w ? image.h : image.w,
                  step = zoom<nearest>::lost_step(image.h, image.w, y, x),
                  last = last_step > 0 ? last_step : side * 6 / 7;
    // A zoom rounds level * last_step to the nearest step, and keeps a pixel whatever the step.
    return step > last || step == side ? 2.0f : (static_cast<float>(step) - 0.5f) / static_cast<float>(last);
  }
};
static_assert(LossOrder<zoom_order>);

/// D(x, level): elements that `Order` has lost become `fill`, a number of the value range. Deterministic.
/// With zoom_order this is a nearest zoom in its canonical frame: the same information, every pixel at its
/// true place. Masks of falling level are nested, so tacos_sampler keeps all known pixels as they are.
template <class Order> struct masked {
  static_assert(check_order<Order>() || true);  // the check itself says what is missing

  Order order{};
  float fill = 0;

  COLDZOOM_HD bool lost(const shape& image, index_t c, index_t y, index_t x, float level) const {
    return level >= order(image, c, y, x);
  }
  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x,
                               float level) const {
    return lost({1, x0.c, x0.h, x0.w}, c, y, x, level) ? fill : x0(c, y, x);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
