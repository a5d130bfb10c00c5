/// The draws for each image of a batch: its step, and the target of its network.
#pragma once

#include <coldzoom/degradation/additive.hpp>

namespace coldzoom::inline COLDZOOM_ISA::detail {

/// t ~ U{1 .. last_step}.
struct drawn_step {
  key_sequence keys;

  COLDZOOM_HD index_t operator()(index_t n, index_t last_step) const {
    return 1 + random_below(keys[n], 0, last_step);
  }
};

/// t spread over 1 .. last_step by multiples of the golden ratio (Weyl's sequence): in any run of images
/// every step has its share, so that a mean is over all steps alike and only the images are left to chance.
struct spread_step {
  std::uint64_t first;

  COLDZOOM_HD index_t operator()(index_t n, index_t last_step) const {
    const std::uint64_t turn = (first + static_cast<std::uint64_t>(n)) * 0x9E3779B97F4A7C15u;
    return 1 + static_cast<index_t>(((turn >> 32) * static_cast<std::uint64_t>(last_step)) >> 32);
  }
};

/// time = t / T; level and weight from the tables of all steps. Index: [n].
template <class Step> struct set_steps {
  Step step;
  index_t last_step, steps;
  const float* level_of;
  const float* weight_of;
  float* time;
  float* level;
  float* weight;

  COLDZOOM_HD void operator()(index_t n) const {
    const index_t t = step(n, last_step);
    time[n] = static_cast<float>(t) / static_cast<float>(steps);
    level[n] = level_of[t];
    weight[n] = weight_of[t];
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

/// noise[i] = the answer of a perfect network, in place of the noise. Index: element, dense.
template <class P, class D> struct targets_of {
  D d;
  shape image;
  const float* x0;
  const float* level;
  float* noise;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / image.image(), e = i % image.image();
    const amplitudes a = amplitudes_of(d, level[n], image)(e);
    noise[i] = static_cast<float>(P::target(static_cast<double>(x0[i]), static_cast<double>(noise[i]), a));
  }
};

/// to[row] = from[row / draws], `size` elements each. Index: element of `to`.
template <class T> struct repeat_rows {
  const T* from;
  index_t draws, size;
  T* to;

  COLDZOOM_HD void operator()(index_t i) const { to[i] = from[i / (size * draws) * size + i % size]; }
};

/// label[n] = none with probability p. Index: [n].
struct drop_labels {
  key_sequence keys;
  float p;
  std::int32_t none;
  std::int32_t* label;

  COLDZOOM_HD void operator()(index_t n) const {
    if (random_uniform(keys[n], 0) < p) label[n] = none;
  }
};

/// Rows that are not chosen become 0; each is with probability 1/2. Index: element.
struct drop_answers {
  key_sequence keys;
  index_t size;
  float* answer;

  COLDZOOM_HD void operator()(index_t i) const {
    if (random_uniform(keys[i / size], 0) < 0.5f) answer[i] = 0;
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA::detail
