/// Soft frontiers: noise of a level of its own in every element, which follows an order of loss.
#pragma once

#include <cmath>
#include <coldzoom/degradation/additive.hpp>
#include <coldzoom/degradation/order.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// x_t = (1 - sigma) x0 + sigma e, e normal with standard deviation `scale`, sigma of each element by its
/// place in the order:
///
///   sigma = (level (1 + width) - order(element)) / width, within [0, 1]
///
/// and 0 for elements that are never lost. So the border between known and unknown elements is `width` wide,
/// in levels of the order: a zoom of 24 steps with width 1/3 has eight rings on their way at a time. Width 0
/// is the order's cold degradation with noise in place of the lost elements; an infinite width is flow
/// matching, sigma = level everywhere. Between them each element is drawn while its neighbours towards the
/// known part are nearly finished. All randomness lies in the initial state, so a sampler without noise of
/// its own, adams_bashforth_sampler above all, is a deterministic map from it to an image.
///
/// Train with predict_flow and mean squared error, frontier_input and frontier_weight. Related: rolling
/// diffusion (Ruhe et al. 2024), diffusion forcing (Chen et al. 2024). Cost: about 60 ns an element.
template <class Order> struct soft_frontier {
  static_assert(check_order<Order>() || true);  // the check itself says what is missing

  Order order{};
  float width = 1.0f / 3;
  float scale = 1;  // half the width of the value range fits

  /// How far element (c, y, x) is on its way into noise: below 0 not yet, above 1 all of it; -HUGE_VALF where it
  /// is never lost.
  COLDZOOM_HD float progress(float level, const shape& image, index_t c, index_t y, index_t x) const {
    const float lost = order(image, c, y, x);
    if (lost >= 1) return -HUGE_VALF;
    if (std::isinf(width)) return level;
    const float way = level * (1 + width) - lost;
    return width > 0 ? way / width : way >= 0 ? HUGE_VALF : -HUGE_VALF;
  }
  /// The share of noise in the element.
  COLDZOOM_HD float sigma(float level, const shape& image, index_t c, index_t y, index_t x) const {
    const float way = progress(level, image, c, y, x);
    return way < 0 ? 0 : way > 1 ? 1 : way;
  }

  COLDZOOM_HD coldzoom::amplitudes amplitudes(float level, const shape& image, index_t c, index_t y,
                                              index_t x) const {
    const auto s = static_cast<double>(sigma(level, image, c, y, x));
    return {1 - s, s};
  }
  COLDZOOM_HD float noise(const sample_key& key, index_t element) const {
    return scale * random_normal(key, static_cast<std::uint64_t>(element));
  }
  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               sample_key key) const {
    const float s = sigma(level, {1, x0.c, x0.h, x0.w}, c, y, x), clean = x0(c, y, x);
    return s > 0 ? (1 - s) * clean + s * noise(key, (c * x0.h + y) * x0.w + x) : clean;
  }
};
static_assert(PixelDegradation<soft_frontier<inpainting_order>> &&
              FieldAdditive<soft_frontier<inpainting_order>>);

}  // namespace coldzoom::inline COLDZOOM_ISA
