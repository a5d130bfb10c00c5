/// Initial states of noise: denoising diffusion starts from them.
#pragma once

#include <coldzoom/backend/normals.hpp>
#include <coldzoom/initial_state/initial_state.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

template <class Out> struct scale_normals {
  float deviation;
  Out out;

  COLDZOOM_HD void operator()(index_t n, index_t c, index_t y, index_t x, index_t length,
                              const float* e) const {
    for (index_t j = 0; j < length; ++j) out(n, c, y, x + j) = deviation * e[j];
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
    using scale = detail::scale_normals<tensor_view<float, typename B::space>>;
    detail::for_each_normal(b, keys, out.dims, scale{deviation, out});
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
