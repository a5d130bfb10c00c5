/// Mirrored copies of images, so that a network sees more of them than there are.
#pragma once

#include <coldzoom/core/error.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/core/range.hpp>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// out(n, c, y, x) = in(n, c, y, x), or in(n, c, y, w - 1 - x). Index: [n][c][pixel].
template <class In, class Out> struct flip_images {
  In in;
  Out out;
  key_sequence keys;
  float probability;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, x] = element_place::at(i, out.dims);
    const bool flipped = random_uniform(keys[n], 2) < probability;
    out(n, c, y, x) = in(n, c, y, flipped ? out.dims.w - 1 - x : x);
  }
};

}  // namespace detail

/// Augmentation by mirrors: left and right of an image change places with this probability. Whether they do for image n
/// depends on word 2 of keys[n] alone. Not for letters and digits.
struct random_flip {
  double probability = 0.5;

  bool changes() const { return probability > 0; }

  /// `in` and `out` of one shape in the backend's memory, not overlapping. Throws `error` for a probability outside [0, 1]
  /// and for different shapes.
  template <class B, ValueRange R>
  void operator()(B& b, image_batch<R, const float, typename B::space> in, key_sequence keys,
                  image_batch<R, float, typename B::space> out) const {
    require(probability >= 0 && probability <= 1, "random_flip",
            [&] { return "the probability is " + std::to_string(probability) + "; it must be 0 to 1"; });
    require(in.dims == out.dims, "random_flip",
            [&] { return "the input is " + to_string(in.dims) + ", the output " + to_string(out.dims); });
    using kernel = detail::flip_images<decltype(in), decltype(out)>;
    b.for_each_index(out.dims.size(), kernel{in, out, keys, static_cast<float>(probability)}, 60);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
