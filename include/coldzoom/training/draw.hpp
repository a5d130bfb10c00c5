/// The draws for each image of a batch: its step, and the target of its network.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/degradation/additive.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA::detail {

/// A random word for each image.
struct drawn_word {
  key_sequence keys;

  COLDZOOM_HD std::uint32_t operator()(index_t n) const { return random_word(keys[n], 0); }
};

/// Multiples of the golden ratio (Weyl's sequence): in any run of images every step has its share, so that a
/// mean is over all steps as training draws them and only the images are left to chance.
struct spread_word {
  std::uint64_t first;

  COLDZOOM_HD std::uint32_t operator()(index_t n) const {
    return static_cast<std::uint32_t>((first + static_cast<std::uint64_t>(n)) * 0x9E3779B97F4A7C15u >> 32);
  }
};

/// For t = 0 .. last_step, the last of the 2^32 words that stand for a step up to t; step t has as many as
/// its share of the schedule. Throws `error` for shares that are below 0, not finite, or all 0.
template <class S> std::vector<std::uint32_t> words_of_steps(const S& schedule, int last_step) {
  std::vector<double> up_to{0};
  for (int t = 1; t <= last_step; ++t) {
    const double share = share_of(schedule, t);
    require(share >= 0 && std::isfinite(share), "trainer", [&] {
      return "the schedule's share of step " + std::to_string(t) + " is " + std::to_string(share) +
             "; it must be finite and at least 0";
    });
    up_to.push_back(up_to.back() + share);
  }
  require(up_to.back() > 0, "trainer",
          [&] { return "the schedule's shares of steps 1 to " + std::to_string(last_step) + " are all 0"; });
  std::vector<std::uint32_t> words;
  words.reserve(up_to.size());
  for (const double sum : up_to)
    words.push_back(static_cast<std::uint32_t>(std::max(1.0, std::ceil(sum * 0x1p32 / up_to.back())) - 1));
  return words;
}

/// The step of 1 .. last_step that a word stands for; where shares are alike, 1 + floor(word last_step / 2^32).
COLDZOOM_HD inline index_t step_of_word(const std::uint32_t* last_word, index_t last_step,
                                        std::uint32_t word) {
  index_t low = 1, high = last_step;
  while (low < high) {
    const index_t middle = (low + high) / 2;
    if (word <= last_word[middle]) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/// Time, level and weight from the tables of all steps. Index: [n].
template <class Word> struct set_steps {
  Word word;
  index_t last_step;
  const std::uint32_t* last_word;
  const float* time_of;
  const float* level_of;
  const float* weight_of;
  float* time;
  float* level;
  float* weight;

  COLDZOOM_HD void operator()(index_t n) const {
    const index_t t = step_of_word(last_word, last_step, word(n));
    time[n] = time_of[t];
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

/// estimate[i] = x0_hat in place of the answer, within [low, high]. Index: element, dense.
template <class P, class D> struct estimates_of {
  D d;
  shape image;
  const float* z;
  const float* level;
  float low, high;
  float* estimate;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / image.image(), e = i % image.image();
    const float x0 = static_cast<float>(P::x0(static_cast<double>(z[i]), static_cast<double>(estimate[i]),
                                              amplitudes_of(d, level[n], image)(e)));
    estimate[i] = x0 < low ? low : x0 > high ? high : x0;
  }
};

/// Rows that are not chosen become 0; each is with probability 1/2. Index: element.
struct drop_estimates {
  key_sequence keys;
  index_t size;
  float* estimate;

  COLDZOOM_HD void operator()(index_t i) const {
    if (random_uniform(keys[i / size], 0) < 0.5f) estimate[i] = 0;
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA::detail
