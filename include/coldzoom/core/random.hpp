/// Counter-based random numbers: a value is a pure function of (seed, stream, sample, index).
#pragma once

#include <array>
#include <cmath>
#include <coldzoom/core/view.hpp>
#include <cstdint>

namespace coldzoom::inline COLDZOOM_ISA {

/// The purpose of a random stream. One number per purpose keeps the streams of one seed apart.
enum class stream : std::uint32_t {
  initialisation = 1,
  shuffle = 2,
  training_level = 3,
  training_degradation = 4,
  test_degradation = 6,
  initial_state = 7,
  sampling = 8,
  augmentation = 9,
  input_noise = 10,
  label_dropout = 11,
  self_conditioning = 12,
  dropout = 13,
  user = 1024,  // streams of one's own start here
};

/// Names the randomness of one sample. The same key gives the same bits at every level of one trajectory, for
/// every batch size, thread count and backend.
struct sample_key {
  std::uint64_t seed = 0;
  stream purpose = stream::user;
  std::uint64_t sample = 0;
};

/// The keys of consecutive samples of one stream: `keys[i]` belongs to sample first + i.
struct key_sequence {
  std::uint64_t seed = 0;
  stream purpose = stream::user;
  std::uint64_t first = 0;

  COLDZOOM_HD constexpr sample_key operator[](index_t i) const {
    return {seed, purpose, first + static_cast<std::uint64_t>(i)};
  }
  COLDZOOM_HD constexpr key_sequence from(index_t i) const {
    return {seed, purpose, first + static_cast<std::uint64_t>(i)};
  }
  /// Keys of the same samples for another draw; those of draw 0 are these.
  constexpr key_sequence other(std::uint64_t draw) const {
    return {seed + draw * 0x9E3779B97F4A7C15u, purpose, first};
  }
};

struct random_words {
  std::uint32_t word[4];
};

/// Four uniform 32-bit words: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
/// 3"), with key = seed and counter = (block, stream, sample). About 20 ns on a CPU.
COLDZOOM_HD constexpr random_words random_block(const sample_key& key, std::uint32_t block) {
  std::uint32_t c0 = block, c1 = static_cast<std::uint32_t>(key.purpose);
  std::uint32_t c2 = static_cast<std::uint32_t>(key.sample),
                c3 = static_cast<std::uint32_t>(key.sample >> 32);
  std::uint32_t k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0, p1 = std::uint64_t{0xCD9E8D57u} * c2;
    const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// Word number `i` of the key's stream, 0 <= i < 2^34.
COLDZOOM_HD constexpr std::uint32_t random_word(const sample_key& key, std::uint64_t i) {
  return random_block(key, static_cast<std::uint32_t>(i / 4)).word[i % 4];
}

/// Uniform in [0, 1), a multiple of 2^-24, so that every value is exact in float.
COLDZOOM_HD constexpr float random_uniform(const sample_key& key, std::uint64_t i) {
  return static_cast<float>(random_word(key, i) >> 8) * 0x1p-24f;
}

/// Uniform integer in [0, count), count <= 2^32. The bias is at most count / 2^32.
COLDZOOM_HD constexpr index_t random_below(const sample_key& key, std::uint64_t i, index_t count) {
  return static_cast<index_t>((std::uint64_t{random_word(key, i)} * static_cast<std::uint64_t>(count)) >> 32);
}

struct normal_pair {
  float first, second;
};

/// Two independent standard normals out of two words (Box and Muller 1958), computed in double and rounded,
/// so that backends whose log, cos and sin differ in the last bits agree to an ulp of float.
COLDZOOM_HD inline normal_pair box_muller(std::uint32_t first, std::uint32_t second) {
  const double u = (static_cast<double>(first) + 1.0) * 0x1p-32;  // (0, 1]: log is finite
  const double angle = static_cast<double>(second) * (0x1p-32 * 6.283185307179586476925);
  const double radius = std::sqrt(-2.0 * std::log(u));
  return {static_cast<float>(radius * std::cos(angle)), static_cast<float>(radius * std::sin(angle))};
}

/// Standard normal number `i` of the key's stream, 0 <= i < 2^34. About 45 ns on a CPU.
COLDZOOM_HD inline float random_normal(const sample_key& key, std::uint64_t i) {
  const random_words words = random_block(key, static_cast<std::uint32_t>(i / 4));
  const std::uint64_t pair = (i / 2) % 2;
  const normal_pair normals = box_muller(words.word[2 * pair], words.word[2 * pair + 1]);
  return i % 2 == 0 ? normals.first : normals.second;
}

struct four_normals {
  float value[4];
};

/// random_normal(key, 4 block + j) for j = 0 .. 3, to the same bits, in the time of two and a half.
COLDZOOM_HD inline four_normals random_normals(const sample_key& key, std::uint32_t block) {
  const random_words words = random_block(key, block);
  const normal_pair low = box_muller(words.word[0], words.word[1]),
                    high = box_muller(words.word[2], words.word[3]);
  return {{low.first, low.second, high.first, high.second}};
}

}  // namespace coldzoom::inline COLDZOOM_ISA
