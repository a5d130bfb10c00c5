/// The input and the weights of a network that undoes a soft frontier, or another degradation with its members
/// `sigma` and `progress`.
#pragma once

#include <coldzoom/nn/input.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

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
