/// Enlarged parts of images, so that a network sees more of them than there are.
#pragma once

#include <coldzoom/core/error.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/core/range.hpp>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// out = a part of in, enlarged to its size by bilinear interpolation between the centres of pixels. Index: [n][c][pixel].
template <class In, class Out> struct crop_images {
  In in;
  Out out;
  key_sequence keys;
  float smallest;

  /// The pixels around a place along a side, and how far it is from the first.
  struct between {
    index_t first, second;
    float share;
  };
  /// Of pixel i of n, in the part that begins at `room` of what the part leaves free.
  COLDZOOM_HD static between around(index_t i, index_t n, float share, float room) {
    const float side = static_cast<float>(n);
    float at = room * side * (1 - share) + (static_cast<float>(i) + 0.5f) * share - 0.5f;
    at = at < 0 ? 0 : at > side - 1 ? side - 1 : at;
    const auto first = static_cast<index_t>(at);
    return {first, first + 1 < n ? first + 1 : first, at - static_cast<float>(first)};
  }

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, x] = element_place::at(i, out.dims);
    const float share = smallest + (1 - smallest) * random_uniform(keys[n], 4);
    const between v = around(y, out.dims.h, share, random_uniform(keys[n], 5));
    const between u = around(x, out.dims.w, share, random_uniform(keys[n], 6));
    const float top =
        in(n, c, v.first, u.first) + u.share * (in(n, c, v.first, u.second) - in(n, c, v.first, u.first));
    const float bottom =
        in(n, c, v.second, u.first) + u.share * (in(n, c, v.second, u.second) - in(n, c, v.second, u.first));
    out(n, c, y, x) = top + v.share * (bottom - top);
  }
};

}  // namespace detail

/// Augmentation by crops: a part of the image whose sides are a share of the image's, uniform in smallest .. 1, at a uniform
/// place, enlarged to the image's size (bilinear). The part of image n depends on words 4 to 6 of keys[n] alone.
struct random_crop {
  double smallest = 0.8;

  bool changes() const { return smallest < 1; }

  /// `in` and `out` of one shape in the backend's memory, not overlapping. Throws `error` for a share outside (0, 1] and for
  /// different shapes.
  template <class B, ValueRange R>
  void operator()(B& b, image_batch<R, const float, typename B::space> in, key_sequence keys,
                  image_batch<R, float, typename B::space> out) const {
    require(smallest > 0 && smallest <= 1, "random_crop", [&] {
      return "the smallest share is " + std::to_string(smallest) + "; it must be above 0, at most 1";
    });
    require(in.dims == out.dims, "random_crop",
            [&] { return "the input is " + to_string(in.dims) + ", the output " + to_string(out.dims); });
    using kernel = detail::crop_images<decltype(in), decltype(out)>;
    b.for_each_index(out.dims.size(), kernel{in, out, keys, static_cast<float>(smallest)}, 120);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
