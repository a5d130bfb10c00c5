/// Initial states from real images: whole centres of training images.
#pragma once

#include <coldzoom/core/error.hpp>
#include <coldzoom/initial_state/initial_state.hpp>
#include <coldzoom/interpolation/interpolation.hpp>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Index: [n][c][y].
template <class I, class Out> struct draw_patch_rows {
  I interpolation;
  const float* patches;
  shape dims;
  key_sequence keys;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t y = i % out.dims.h, c = i / out.dims.h % out.dims.c, n = i / (out.dims.h * out.dims.c);
    const index_t patch = random_below(keys[n], 0, dims.n);
    const auto crop = tensor_view<const float>(patches, dims).image(patch);
    for (index_t x = 0; x < out.dims.w; ++x)
      out(n, c, y, x) = interpolation(crop, c, y, x, out.dims.h, out.dims.w);
  }
};

}  // namespace detail

/// Draws one of the stored patches for each sample and resizes it to the image with `I`: D(x, T) of a random
/// training image, with all the dependence between its pixels.
template <ValueRange R, Interpolation I, Backend B> class patch_bank {
 public:
  using range = R;

  /// `patches`: N x C x h x w, dense in host memory: the windows that a zoom leaves of training images.
  /// Throws `error` if there are none.
  patch_bank(B& b, shape dims, const std::vector<float>& patches, I interpolation = {})
      : interpolation_(interpolation),
        dims_(dims) {
    require(dims.size() > 0 && dims.size() == static_cast<index_t>(patches.size()), "patch_bank", [&] {
      return "there are " + std::to_string(patches.size()) + " values for the shape " + to_string(dims) +
             "; the bank needs at least one patch and matching sizes";
    });
    patches_ = b.template allocate<float>(dims.size());
    b.upload(patches.data(), patches_.data(), dims.size());
  }

  index_t size() const { return dims_.n; }

  void draw(B& b, key_sequence keys, image_batch<R, float, typename B::space> out) const {
    require(out.dims.c == dims_.c, "patch_bank", [&] {
      return "the output has " + std::to_string(out.dims.c) + " channels, the patches " +
             std::to_string(dims_.c);
    });
    using kernel = detail::draw_patch_rows<I, tensor_view<float, typename B::space>>;
    b.for_each_index(out.dims.n * out.dims.c * out.dims.h,
                     kernel{interpolation_, patches_.data(), dims_, keys, out}, 10 * out.dims.w);
  }

 private:
  I interpolation_;
  shape dims_;
  typename B::template buffer<float> patches_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
