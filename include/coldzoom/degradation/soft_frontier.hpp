/// Soft frontiers: noise of a level of its own in every element, which follows an order of loss.
#pragma once

#include <cmath>
#include <coldzoom/degradation/additive.hpp>
#include <coldzoom/degradation/order.hpp>
#include <coldzoom/nn/input.hpp>

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
template <LossOrder Order> struct soft_frontier {
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
    return width > 0 ? way / width : way > 0 ? HUGE_VALF : -HUGE_VALF;
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
static_assert(PixelDegradation<soft_frontier<zoom_order>> && FieldAdditive<soft_frontier<zoom_order>>);

namespace detail {

/// 2 sigma - 1: -1 where an element is clean, 1 where it is noise.
template <class Frontier> struct sigma_plane {
  Frontier frontier;
  COLDZOOM_HD float operator()(float level, const shape& planes, index_t c, index_t y, index_t x) const {
    return 2 * frontier.sigma(level, planes, c, y, x) - 1;
  }
};
/// Row and column, -1 to 1 from border to border.
struct coordinate_planes {
  COLDZOOM_HD float operator()(float, const shape& planes, index_t c, index_t y, index_t x) const {
    const index_t place = c == 0 ? y : x, extent = c == 0 ? planes.h : planes.w;
    return (2 * static_cast<float>(place) + 1) / static_cast<float>(extent) - 1;
  }
};

}  // namespace detail

/// x_t, 2 sigma - 1 of its first channel, and the coordinates of each pixel, -1 to 1: all that a network has
/// to know of a soft frontier. C + 3 channels.
template <class Frontier> auto frontier_input(const Frontier& frontier) {
  return inputs(plain_input{}, mask_input(detail::sigma_plane<Frontier>{frontier}),
                mask_input(detail::coordinate_planes{}, 2));
}

/// The weight of each element in the loss: 1 on the frontier and for those that set out next, `far` for
/// elements that are noise for long yet, 0 for those that are clean already. The weights of an image have
/// mean 1, so that levels with few unfinished elements count as much as others.
template <class Frontier> struct frontier_weight {
  static constexpr bool normalised = true;
  Frontier frontier;
  float far = 0.1f;
  float ahead = 0.125f;  // in widths: how far beyond the frontier "next" reaches

  explicit frontier_weight(Frontier f) : frontier(std::move(f)) {}

  COLDZOOM_HD float pixel_weight(float level, const shape& image, index_t c, index_t y, index_t x) const {
    const float way = frontier.progress(level, image, c, y, x);
    return way <= 0 ? 0.0f : way <= 1 + ahead ? 1.0f : far;
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
