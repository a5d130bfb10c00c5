/// Initial states of one colour: where a degradation leaves nothing else.
#pragma once

#include <coldzoom/core/error.hpp>
#include <coldzoom/initial_state/initial_state.hpp>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Index: [n][row of a channel].
template <class Out> struct fill_channel {
  index_t channel;
  float value;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    for (index_t x = 0; x < out.dims.w; ++x) out(i / out.dims.h, channel, i % out.dims.h, x) = value;
  }
};

}  // namespace detail

/// Every image has the same colour, `colour[c]` in channel c or colour[0] in all, as fade or a grown hole leave it. Sampling
/// by a deterministic network then ends in one and the same image, so add noise: `noise` of naive_sampler and tacos_sampler.
template <ValueRange R> class constant_state {
 public:
  using range = R;

  /// Throws `error` without a colour.
  explicit constant_state(std::vector<float> colour) : colour_(std::move(colour)) {
    require(!colour_.empty(), "constant_state", "found no colour, wanted a number, or one for each channel");
  }

  /// Throws `error` for images of another number of channels than the colour has.
  template <Backend B> void draw(B& b, key_sequence, image_batch<R, float, typename B::space> out) const {
    const auto given = static_cast<index_t>(colour_.size());
    require(given == 1 || given == out.dims.c, "constant_state", [&] {
      return "the colour has " + std::to_string(given) + " channels, the images " +
             std::to_string(out.dims.c);
    });
    using kernel = detail::fill_channel<tensor_view<float, typename B::space>>;
    for (index_t c = 0; c < out.dims.c; ++c) {
      const float value = colour_[static_cast<std::size_t>(given == 1 ? 0 : c)];
      b.for_each_index(out.dims.n * out.dims.h, kernel{c, value, out}, out.dims.w);
    }
  }

 private:
  std::vector<float> colour_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
