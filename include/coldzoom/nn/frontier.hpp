/// The input and the weights of a network that undoes a soft frontier, or another degradation with its members
/// `sigma` and `progress`.
#pragma once

#include <coldzoom/nn/input.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// to = 2 sigma - 1 of the first channel: -1 where it is clean, 1 where it is noise. Index: element of `to` in
/// row-major order.
template <class Frontier, class Levels, class Out> struct sigma_planes {
  Frontier frontier;
  shape image;
  Levels level;
  Out to;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, x] = element_place::at(i, to.dims);
    to(n, c, y, x) = 2 * frontier.sigma(level[n], image, 0, y, x) - 1;
  }
};
/// A channel of them.
template <class Frontier> struct sigma_input {
  Frontier frontier;

  index_t channels(shape) const { return 1; }
  template <Backend B>
  void compose(B& b, const input_context<B>& context, tensor_view<float, typename B::space> to) const {
    using kernel = sigma_planes<Frontier, vector_view<const float, typename B::space>, planes_of<B>>;
    b.for_each_index(to.dims.size(), kernel{frontier, context.x_t.dims.with_n(1), context.level, to}, 20);
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
  return inputs(plain_input{}, detail::sigma_input<Frontier>{frontier},
                mask_input(detail::coordinate_planes{}, 2));
}

/// The weight of each element in the loss: 1 on the frontier and for those that set out next, `far` for
/// elements that are noise for long yet, 0 for those that are clean already.
template <class Frontier> struct frontier_weight {
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
