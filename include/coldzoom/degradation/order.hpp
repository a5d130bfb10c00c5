/// Orders of loss: the level at which a degradation takes each element of an image.
#pragma once

#include <cmath>
#include <coldzoom/core/call.hpp>
#include <coldzoom/core/view.hpp>
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

/// Square rings from the middle of the image outwards; the middle is gone first and the corners last, and at
/// level 1 nothing is left.
struct inpainting_order {
  COLDZOOM_HD float operator()(const shape& image, index_t, index_t y, index_t x) const {
    const auto from_middle = [](index_t place, index_t extent) {  // 0 to 1
      const index_t twice = 2 * place + 1 - extent;
      return extent == 1 ? 0
                         : static_cast<float>(twice < 0 ? -twice : twice) / static_cast<float>(extent - 1);
    };
    const float row = from_middle(y, image.h), column = from_middle(x, image.w),
                ring = row > column ? row : column;
    return 0.01f + 0.98f * ring;
  }
};
static_assert(LossOrder<inpainting_order>);

/// D(x, level): elements that `Order` has lost become `fill`, a number of the value range. Deterministic.
/// Masks of falling level are nested, so tacos_sampler keeps all known elements as they are.
template <class Order> struct masked {
  static_assert(check_order<Order>() || true);  // the check itself says what is missing

  Order order{};
  float fill = 0;
  float reach =
      0.125f;  // of frontier_weight, in levels: how far behind the border an element is one of the next

  COLDZOOM_HD bool lost(const shape& image, index_t c, index_t y, index_t x, float level) const {
    return level >= order(image, c, y, x);
  }
  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x,
                               float level) const {
    return lost({1, x0.c, x0.h, x0.w}, c, y, x, level) ? fill : x0(c, y, x);
  }

  /// As those of soft_frontier, for frontier_input and frontier_weight.
  COLDZOOM_HD float progress(float level, const shape& image, index_t c, index_t y, index_t x) const {
    const float gone = order(image, c, y, x);
    return level >= gone ? (level - gone) / reach + 1e-6f : -HUGE_VALF;  // above 0 as soon as it is gone
  }
  COLDZOOM_HD float sigma(float level, const shape& image, index_t c, index_t y, index_t x) const {
    return lost(image, c, y, x, level) ? 1.0f : 0.0f;
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
