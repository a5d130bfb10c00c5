/// Initial states of noise: denoising diffusion starts from them.
#pragma once

#include <coldzoom/initial_state/initial_state.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Four elements of one image. Index: [n][quarter of an image, rounded up].
template <class Out> struct draw_gaussian_quads {
  index_t image, quads;
  float deviation;
  key_sequence keys;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / quads, first = 4 * (i % quads);
    const four_normals e = random_normals(keys[n], static_cast<std::uint32_t>(i % quads));
    for (index_t j = 0; j < 4 && first + j < image; ++j) {
      const index_t at = first + j, w = out.dims.w, h = out.dims.h;
      out(n, at / (w * h), at / w % h, at % w) = deviation * e.value[j];
    }
  }
};

}  // namespace detail

/// Independent normals: D(x, T) of a NoiseSchedule whose signal has died away, or of exploding_noise with the
/// deviation sigma_max. `R` is the range of the images that the samples become; the initial state itself is
/// not bound by it.
template <ValueRange R> struct gaussian_state {
  using range = R;
  float deviation = 1;

  template <Backend B>
  void draw(B& b, key_sequence keys, image_batch<R, float, typename B::space> out) const {
    using kernel = detail::draw_gaussian_quads<tensor_view<float, typename B::space>>;
    const index_t quads = (out.dims.image() + 3) / 4;
    b.for_each_index(out.dims.n * quads, kernel{out.dims.image(), quads, deviation, keys, out}, 100);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
