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
  COLDZOOM_UNROLL  // a loop over blocks then computes one in each lane of a vector
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

namespace detail {

/// log((word + 1) 2^-32), at most 0, to 1 ulp: the rational approximation of FreeBSD's msun (e_log.c), without branches,
/// so that compilers compute many at once. (Device compilers know std::bit_cast as a function of the host.)
COLDZOOM_HD inline double log_of_share(std::uint32_t word) {
  constexpr std::uint64_t sqrt_half = 0x3FE6A09E667F3BCD;
  const std::uint64_t bits = __builtin_bit_cast(std::uint64_t, static_cast<double>(word) + 1.0);
  const std::int64_t exponent = static_cast<std::int64_t>(bits - sqrt_half) >> 52;
  const double f = __builtin_bit_cast(double, bits - (static_cast<std::uint64_t>(exponent) << 52)) - 1;
  const double s = f / (2 + f), z = s * s, half = 0.5 * f * f;
  const double r =
      z * (6.666666666666735130e-01 +
           z * (3.999999999940941908e-01 +
                z * (2.857142874366239149e-01 +
                     z * (2.222219843214978396e-01 +
                          z * (1.818357216161805012e-01 +
                               z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01))))));
  const double k = static_cast<double>(static_cast<std::int32_t>(exponent) - 32);
  return k * 6.93147180369123816490e-01 - ((half - (s * (half + r) + k * 1.90821492927058770002e-10)) - f);
}

struct direction {
  double cosine, sine;
};

/// The direction at the angle 2 pi word 2^-32: polynomials of msun (k_sin.c, k_cos.c) within an eighth of a turn of the
/// nearest axis, which integers find exactly.
COLDZOOM_HD inline direction direction_at(std::uint32_t word) {
  const std::uint32_t axis = (word + 0x20000000u) >> 30;
  const double angle = static_cast<double>(static_cast<std::int32_t>(word - (axis << 30))) *
                       (0x1p-32 * 6.283185307179586476925);
  const double z = angle * angle;
  const double s =
      angle + angle * z *
                  (-1.66666666666666324348e-01 +
                   z * (8.33333333332248946124e-03 +
                        z * (-1.98412698298579493134e-04 +
                             z * (2.75573137070700676789e-06 +
                                  z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
  const double c = 1 - 0.5 * z +
                   z * z *
                       (4.16666666666666019037e-02 +
                        z * (-1.38888888888741095749e-03 +
                             z * (2.48015872894767294178e-05 +
                                  z * (-2.75573143513906633035e-07 +
                                       z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
  const double cosine = axis % 2 == 0 ? c : s, sine = axis % 2 == 0 ? s : c;
  return {(axis + 1) & 2 ? -cosine : cosine, axis & 2 ? -sine : sine};
}

struct normal_pair {
  float first, second;
};

/// Two independent standard normals out of two words (Box and Muller 1958), computed in double and rounded, so that
/// backends that contract products and sums differently agree to an ulp of float.
COLDZOOM_HD inline normal_pair box_muller(std::uint32_t first, std::uint32_t second) {
  const double radius = std::sqrt(-2 * log_of_share(first));
  const direction at = direction_at(second);
  return {static_cast<float>(radius * at.cosine), static_cast<float>(radius * at.sine)};
}

}  // namespace detail

/// Standard normal number `i` of the key's stream, 0 <= i < 2^34. About 35 ns on a CPU.
COLDZOOM_HD inline float random_normal(const sample_key& key, std::uint64_t i) {
  const random_words words = random_block(key, static_cast<std::uint32_t>(i / 4));
  const std::uint64_t pair = (i / 2) % 2;
  const detail::normal_pair normals = detail::box_muller(words.word[2 * pair], words.word[2 * pair + 1]);
  return i % 2 == 0 ? normals.first : normals.second;
}

struct four_normals {
  float value[4];
};

/// random_normal(key, 4 block + j) for j = 0 .. 3, to the same bits, in the time of two.
COLDZOOM_HD inline four_normals random_normals(const sample_key& key, std::uint32_t block) {
  const random_words words = random_block(key, block);
  const detail::normal_pair low = detail::box_muller(words.word[0], words.word[1]),
                            high = detail::box_muller(words.word[2], words.word[3]);
  return {{low.first, low.second, high.first, high.second}};
}

/// How many normals fill_normals computes at once; on a device the four of one block, so that they stay in registers.
#if defined(__CUDA_ARCH__)
inline constexpr index_t normals_at_once = 4;
#else
inline constexpr index_t normals_at_once = 64;
#endif

namespace detail {

/// random_normals(key, block) to random_normals(key, block + 15), in the lanes of vectors.
COLDZOOM_HD inline void normals_of_blocks(const sample_key& key, std::uint32_t block, float* out) {
  constexpr int lanes = normals_at_once / 4;
  std::uint32_t word[4][lanes];
  double radius[2 * lanes], cosine[2 * lanes], sine[2 * lanes];  // of the first pairs, then of the second
  for (int lane = 0; lane < lanes; ++lane) {
    const random_words words = random_block(key, block + static_cast<std::uint32_t>(lane));
    for (int j = 0; j < 4; ++j) word[j][lane] = words.word[j];
  }
  for (int lane = 0; lane < lanes; ++lane) {
    radius[lane] = -2 * log_of_share(word[0][lane]);
    radius[lanes + lane] = -2 * log_of_share(word[2][lane]);
  }
  // In a loop of its own: compilers see a call behind each root, which may set errno.
  for (int i = 0; i < 2 * lanes; ++i) radius[i] = std::sqrt(radius[i]);
  for (int lane = 0; lane < lanes; ++lane) {
    const direction first = direction_at(word[1][lane]), second = direction_at(word[3][lane]);
    cosine[lane] = first.cosine;
    sine[lane] = first.sine;
    cosine[lanes + lane] = second.cosine;
    sine[lanes + lane] = second.sine;
  }
  for (int lane = 0; lane < lanes; ++lane) {
    float* const four = out + index_t{4} * lane;
    four[0] = static_cast<float>(radius[lane] * cosine[lane]);
    four[1] = static_cast<float>(radius[lane] * sine[lane]);
    four[2] = static_cast<float>(radius[lanes + lane] * cosine[lanes + lane]);
    four[3] = static_cast<float>(radius[lanes + lane] * sine[lanes + lane]);
  }
}

}  // namespace detail

/// out[j] = random_normal(key, first + j) for j < count; `first` is a multiple of 4. On a CPU 4 ns a number with
/// AVX-512, 6 with AVX2.
COLDZOOM_HD inline void fill_normals(const sample_key& key, std::uint64_t first, index_t count, float* out) {
  auto block = static_cast<std::uint32_t>(first / 4);
  index_t done = 0;
#if !defined(__CUDA_ARCH__)
  for (; done + normals_at_once <= count; done += normals_at_once, block += normals_at_once / 4) {
    detail::normals_of_blocks(key, block, out + done);
  }
  if (count - done > 8) {  // twice as fast as one by one
    float values[normals_at_once];
    detail::normals_of_blocks(key, block, values);
    for (index_t j = 0; done < count; ++j, ++done) out[done] = values[j];
  }
#endif
  for (; done < count; done += 4, ++block) {
    const four_normals normals = random_normals(key, block);
    for (index_t j = 0; j < 4 && done + j < count; ++j) out[done + j] = normals.value[j];
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA
