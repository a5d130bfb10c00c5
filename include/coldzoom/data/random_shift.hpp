/// Shifted copies of images, so that a classifier sees more of them than there are.
#pragma once

#include <coldzoom/core/error.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/core/range.hpp>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// out(n, c, y, x) = in(n, c, y + dy, x + dx), `fill` outside the picture. Index: [n][c][pixel].
template <class In, class Out> struct shift_images {
  In in;
  Out out;
  key_sequence keys;
  index_t reach;
  float fill;

  COLDZOOM_HD void operator()(index_t i) const {
    const shape& s = out.dims;
    const auto [n, c, y, x] = element_place::at(i, s);
    const index_t from_y = y + random_below(keys[n], 0, 2 * reach + 1) - reach;
    const index_t from_x = x + random_below(keys[n], 1, 2 * reach + 1) - reach;
    const bool inside = from_y >= 0 && from_y < s.h && from_x >= 0 && from_x < s.w;
    out(n, c, y, x) = inside ? in(n, c, from_y, from_x) : fill;
  }
};

}  // namespace detail

/// Augmentation by translation: each image moves by a whole number of pixels, uniform in -reach .. reach for
/// rows and for columns. What moves in is the low end of the value range, the background of MNIST. The shift
/// of image n depends on words 0 and 1 of keys[n] alone.
struct random_shift {
  index_t reach = 2;

  bool changes() const { return reach != 0; }

  /// `in` and `out` of one shape in the backend's memory, not overlapping. Throws `error` for a negative
  /// reach and for different shapes.
  template <class B, ValueRange R>
  void operator()(B& b, image_batch<R, const float, typename B::space> in, key_sequence keys,
                  image_batch<R, float, typename B::space> out) const {
    require(reach >= 0, "random_shift",
            [&] { return "the reach is " + std::to_string(reach) + "; it must be at least 0"; });
    require(in.dims == out.dims, "random_shift",
            [&] { return "the input is " + to_string(in.dims) + ", the output " + to_string(out.dims); });
    using kernel = detail::shift_images<decltype(in), decltype(out)>;
    b.for_each_index(out.dims.size(), kernel{in, out, keys, reach, R::low}, 80);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
