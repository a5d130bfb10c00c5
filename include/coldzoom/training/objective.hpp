/// What a network is asked to predict.
#pragma once

#include <coldzoom/degradation/degradation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// The clean image (Bansal et al. 2022, equation 1).
struct predict_x0 {
  static constexpr const char* name = "x0";
};

/// The noise that was added (Ho, Jain, Abbeel 2020, equation 14), regenerated from the key; for degradations
/// with a member noise(key, element). Those that also have draw_noise and add_noise, see gaussian_noise, draw
/// it once for picture and target.
struct predict_noise {
  static constexpr const char* name = "noise";
};

namespace detail {

/// t ~ U{1 .. last_step}.
struct drawn_step {
  key_sequence keys;

  COLDZOOM_HD index_t operator()(index_t n, index_t last_step) const {
    return 1 + random_below(keys[n], 0, last_step);
  }
};

/// t spread over 1 .. last_step by multiples of the golden ratio (Weyl's sequence): in any run of images
/// every step has its share, so that a mean is of all steps alike and what is left to chance is the images.
struct spread_step {
  std::uint64_t first;

  COLDZOOM_HD index_t operator()(index_t n, index_t last_step) const {
    const std::uint64_t turn = (first + static_cast<std::uint64_t>(n)) * 0x9E3779B97F4A7C15u;
    return 1 + static_cast<index_t>(((turn >> 32) * static_cast<std::uint64_t>(last_step)) >> 32);
  }
};

/// time = t / T; level from the table. Index: [n].
template <class Step> struct set_steps {
  Step step;
  index_t last_step, steps;
  const float* level_of;
  float* time;
  float* level;

  COLDZOOM_HD void operator()(index_t n) const {
    const index_t t = step(n, last_step);
    time[n] = static_cast<float>(t) / static_cast<float>(steps);
    level[n] = level_of[t];
  }
};

template <class D, class B>
concept draws_noise_at_once = requires(const D d, B& b, key_sequence keys, shape dims, float* noise,
                                       const_image_tensor<B> x0, const_levels<B> level, image_tensor<B> out) {
  d.draw_noise(b, keys, dims, noise);
  d.add_noise(b, x0, level, noise, out);
};

/// Index: element of out, dense.
template <class D> struct noise_of {
  D d;
  key_sequence keys;
  index_t image_size;
  float* out;

  COLDZOOM_HD void operator()(index_t i) const { out[i] = d.noise(keys[i / image_size], i % image_size); }
};

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
