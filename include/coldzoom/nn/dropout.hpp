/// Training that leaves out values at random.
#pragma once

#include <algorithm>
#include <coldzoom/nn/combine.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// y = x / (1 - share), or 0 where the bits of an element are below share * 2^16; y may be x. The bits belong
/// to image key, layer, channel and pixel, whatever the lanes. Index: see lane_run.
template <class In, class Out> struct drop_values {
  using real = typename Out::value_type;
  static constexpr index_t at_once = 8;  // channels of a pixel that share a block of random bits
  static constexpr index_t used = Out::lanes < at_once ? Out::lanes : at_once;
  index_t length;
  const sample_key* keys;
  std::uint32_t layer, dropped;
  In x;
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const lane_run run = lane_run::at(i, y, length);
    const sample_key image = keys[run.n];
    const random_words own = random_block(image, layer);
    const sample_key key{own.word[0] | std::uint64_t{own.word[1]} << 32, stream::dropout, image.sample};
    const real scale = real(0x1p16) / static_cast<real>(0x10000 - dropped);
    const real* const from = x.data + run.offset(x);
    real* const to = y.data + run.offset(y);
    for (index_t pixel = 0; pixel < run.count; ++pixel) {
      for (index_t first = 0; first < Out::lanes; first += used) {
        const index_t c = run.group * Out::lanes + first, begin = used == at_once ? 0 : c % at_once;
        const random_words bits =
            random_block(key, static_cast<std::uint32_t>(c / at_once * y.dims.pixels() + run.first + pixel));
        const index_t at = pixel * Out::lanes + first;
        for (index_t lane = 0; lane < used; ++lane) {
          const index_t half = begin + lane;
          const std::uint32_t drawn = bits.word[half / 2] >> (half % 2 * 16) & 0xFFFF;
          to[at + lane] = (drawn < dropped ? real(0) : scale) * from[at + lane];
        }
      }
    }
  }
};

}  // namespace detail

/// Each value of x becomes 0 with probability `share`, and x / (1 - share) otherwise (Srivastava et al. 2014),
/// where the side inputs have keys: in the passes of a trainer that find gradients. Elsewhere y = x. A value's
/// fate follows from its image's key and the layer alone, so it is the same for any number of threads, size of
/// micro-batch, backend, and in a run that is resumed. Costs about 3 ns of a CPU for each value and pass.
struct dropout : plain_layer {
  /// `share` is at least 0 and below 1, and is rounded to a multiple of 2^-16. `layer` tells the dropouts of a
  /// network apart: those of one number and shape drop the same values. Throws `error` for others.
  explicit dropout(float share, std::uint32_t layer = 0) : layer_(layer) {
    require(share >= 0 && share < 1, "dropout",
            [&] { return "found the share " + std::to_string(share) + ", wanted at least 0 and below 1"; });
    dropped_ = std::min(static_cast<std::uint32_t>(std::lround(share * 0x1p16f)), std::uint32_t{0xFFFF});
  }

  shape output_shape(shape in) const { return in; }

  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>& side, activation<B> y,
               workspace<B>&) const {
    drop(b, side, x, y);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B>, const side_inputs<B>& side, activation<B> dy,
                activation<B> dx, real_t<B>*, workspace<B>&) const {
    if (dx.data) drop<B>(b, side, dy, dx);
  }

 private:
  template <Backend B>
  void drop(B& b, const side_inputs<B>& side, const_activation<B> from, activation<B> to) const {
    if (!side.keys.data || dropped_ == 0) return b.copy(from.data, to.data, from.size());
    detail::for_each_run(b, to, 10, [&](index_t length) {
      return detail::drop_values<const_activation<B>, activation<B>>{length,   side.keys.data, layer_,
                                                                     dropped_, from,           to};
    });
  }

  std::uint32_t layer_, dropped_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
