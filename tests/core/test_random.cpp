#define BOOST_TEST_MODULE random
#include <algorithm>
#include <array>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/core/random.hpp>
#include <vector>

namespace cz = coldzoom;

namespace {

/// Philox4x32-10 of counter (c0, c1, c2, c3) and key (k0, k1), by the meaning that sample_key gives to them.
constexpr std::array<std::uint32_t, 4> philox(std::uint32_t c0, std::uint32_t c1, std::uint32_t c2,
                                              std::uint32_t c3, std::uint32_t k0, std::uint32_t k1) {
  const cz::sample_key key{std::uint64_t{k1} << 32 | k0, static_cast<cz::stream>(c1),
                           std::uint64_t{c3} << 32 | c2};
  const cz::random_words words = cz::random_block(key, c0);
  return {words.word[0], words.word[1], words.word[2], words.word[3]};
}

using block = std::array<std::uint32_t, 4>;

// Known answers of the authors' library, Random123 (kat_vectors), also at compile time.
static_assert(philox(0, 0, 0, 0, 0, 0) == block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
static_assert(philox(~0u, ~0u, ~0u, ~0u, ~0u, ~0u) == block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
static_assert(philox(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0) ==
              block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});

constexpr std::uint64_t count = 1 << 20;
constexpr double n = static_cast<double>(count);
constexpr cz::sample_key some_key{2024, cz::stream::user, 5};

/// Mean of f(i) for i < count.
template <class F> double mean(F&& f) {
  double total = 0;
  for (std::uint64_t i = 0; i < count; ++i) total += f(i);
  return total / n;
}

// A mean of `count` independent values of variance v has standard deviation sqrt(v / count); five of those
// are passed by chance once in 1.7 million seeds, and the seed is fixed.
double bound(double variance) { return 5 * std::sqrt(variance / n); }

}  // namespace

BOOST_AUTO_TEST_CASE(known_answers_at_run_time) {
  volatile std::uint32_t zero = 0;
  BOOST_TEST(
      (philox(zero, zero, zero, zero, zero, zero) == block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
}

BOOST_AUTO_TEST_CASE(words_are_those_of_the_blocks) {
  for (std::uint64_t i = 0; i < 40; ++i) {
    const cz::random_words words = cz::random_block(some_key, static_cast<std::uint32_t>(i / 4));
    BOOST_TEST(cz::random_word(some_key, i) == words.word[i % 4]);
  }
}

BOOST_AUTO_TEST_CASE(uniform_moments) {
  const auto u = [](std::uint64_t i) { return static_cast<double>(cz::random_uniform(some_key, i)) - 0.5; };
  BOOST_TEST(std::abs(mean(u)) < bound(1.0 / 12));
  BOOST_TEST(std::abs(mean([&](auto i) { return u(i) * u(i); }) - 1.0 / 12) < bound(1.0 / 180));
  BOOST_TEST(std::abs(mean([&](auto i) { return u(i) * u(i + 1); })) < bound(1.0 / 144));
  float low = 1, high = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const float value = cz::random_uniform(some_key, i);
    low = std::min(low, value);
    high = std::max(high, value);
    if (value * 0x1p24f != std::floor(value * 0x1p24f)) BOOST_FAIL("not a multiple of 2^-24");
  }
  BOOST_TEST((low >= 0 && high < 1));
  // The chance that none of n values comes within 32 / n of an end is exp(-32).
  BOOST_TEST((low < 32 / n && high > 1 - 32 / n));
}

BOOST_AUTO_TEST_CASE(normal_moments) {
  const auto z = [](std::uint64_t i) { return static_cast<double>(cz::random_normal(some_key, i)); };
  BOOST_TEST(std::abs(mean(z)) < bound(1));
  BOOST_TEST(std::abs(mean([&](auto i) { return std::pow(z(i), 2); }) - 1) < bound(2));
  BOOST_TEST(std::abs(mean([&](auto i) { return std::pow(z(i), 3); })) < bound(15));
  BOOST_TEST(std::abs(mean([&](auto i) { return std::pow(z(i), 4); }) - 3) < bound(96));
  BOOST_TEST(std::abs(mean([&](auto i) { return z(i) * z(i + 1); })) < bound(1));
  // Partners of one Box-Muller pair share a radius: their squares must be uncorrelated all the same.
  const auto squares = [&](auto i) { return (std::pow(z(2 * i), 2) - 1) * (std::pow(z(2 * i + 1), 2) - 1); };
  BOOST_TEST(std::abs(mean(squares)) < bound(4));
  const double tail = std::erfc(3 / std::sqrt(2.0));
  BOOST_TEST(std::abs(mean([&](auto i) { return std::abs(z(i)) > 3 ? 1.0 : 0.0; }) - tail) < bound(tail));
}

BOOST_AUTO_TEST_CASE(normals_together_are_those_one_by_one) {
  std::vector<float> one;
  for (std::uint64_t i = 0; i < count; ++i) one.push_back(cz::random_normal(some_key, i));
  const auto same = [&](std::uint64_t first, const std::vector<float>& found) {
    for (std::size_t j = 0; j < found.size(); ++j) {
      if (std::bit_cast<std::uint32_t>(found[j]) != std::bit_cast<std::uint32_t>(one[first + j]))
        BOOST_FAIL("normal " << j << " of " << found.size() << " from " << first << " on differs");
    }
  };
  std::vector<float> all(count);
  cz::fill_normals(some_key, 0, static_cast<cz::index_t>(count), all.data());
  same(0, all);
  for (const std::uint64_t first : {0u, 4u, 1000u}) {
    for (std::size_t length = 0; length < 150; ++length) {
      std::vector<float> found(length + 1, -1);
      cz::fill_normals(some_key, first, static_cast<cz::index_t>(length), found.data());
      BOOST_REQUIRE_EQUAL(found.back(), -1);
      found.pop_back();
      same(first, found);
    }
  }
}

BOOST_AUTO_TEST_CASE(logarithms_and_directions) {
  const auto check = [](std::uint32_t word) {
    // Of an argument that is exact; the libraries' own errors are below 1 ulp, and ours may add one.
    const double wanted = std::log((static_cast<double>(word) + 1) * 0x1p-32),
                 found = cz::detail::log_of_share(word);
    if (!(std::abs(found - wanted) <= 0x1p-51 * std::abs(wanted)))
      BOOST_FAIL("log_of_share(" << word << ") is " << found << ", wanted " << wanted);
    // The angle is rounded before cos and sin see it: by 2^-53 of 2 pi at most.
    const double angle = static_cast<double>(word) * (0x1p-32 * 6.283185307179586476925);
    const cz::detail::direction at = cz::detail::direction_at(word);
    if (!(std::abs(at.cosine - std::cos(angle)) <= 0x1p-49 && std::abs(at.sine - std::sin(angle)) <= 0x1p-49))
      BOOST_FAIL("direction_at(" << word << ") is " << at.cosine << ", " << at.sine);
  };
  for (std::uint32_t block = 0; block < 1 << 16; ++block) {
    for (const std::uint32_t word : cz::random_block(some_key, block).word) check(word);
  }
  for (std::uint32_t k = 0; k < 32; ++k) {  // powers of two, eighths of a turn, and their neighbours
    for (const std::uint32_t off : {-2u, -1u, 0u, 1u}) {
      check((std::uint32_t{1} << k) + off);
      check((k << 29) + off);
    }
  }
  BOOST_TEST(cz::detail::log_of_share(~0u) == 0);
  BOOST_TEST(cz::detail::direction_at(1u << 31).cosine == -1);
  BOOST_TEST(cz::detail::direction_at(1u << 31).sine == 0);
}

BOOST_AUTO_TEST_CASE(streams_samples_and_seeds_are_independent) {
  const cz::sample_key others[] = {{2025, cz::stream::user, 5},
                                   {2024, cz::stream::initial_state, 5},
                                   {2024, cz::stream::user, 6},
                                   {2024 + (std::uint64_t{1} << 32), cz::stream::user, 5},
                                   {2024, cz::stream::user, 5 + (std::uint64_t{1} << 32)}};
  for (const cz::sample_key& other : others) {
    const auto product = [&](std::uint64_t i) {
      return (static_cast<double>(cz::random_uniform(some_key, i)) - 0.5) *
             (static_cast<double>(cz::random_uniform(other, i)) - 0.5);
    };
    BOOST_TEST(std::abs(mean(product)) < bound(1.0 / 144));
  }
}

BOOST_AUTO_TEST_CASE(same_key_same_bits) {
  // In whatever order they are asked for.
  std::vector<std::uint32_t> forwards, backwards;
  for (std::uint64_t i = 0; i < 100; ++i)
    forwards.push_back(std::bit_cast<std::uint32_t>(cz::random_normal(some_key, i)));
  for (std::uint64_t i = 100; i-- > 0;)
    backwards.push_back(std::bit_cast<std::uint32_t>(cz::random_normal(some_key, i)));
  std::reverse(backwards.begin(), backwards.end());
  BOOST_TEST(forwards == backwards);
}

BOOST_AUTO_TEST_CASE(integers_below) {
  // Chi-square with 9 degrees of freedom: mean 9, variance 18; ten deviations leave no room for a lost value.
  std::array<double, 10> hits{};
  for (std::uint64_t i = 0; i < count; ++i) {
    const cz::index_t k = cz::random_below(some_key, i, 10);
    BOOST_REQUIRE((k >= 0 && k < 10));
    ++hits[static_cast<std::size_t>(k)];
  }
  double chi_square = 0;
  for (const double hit : hits) chi_square += (hit - n / 10) * (hit - n / 10) / (n / 10);
  BOOST_TEST(chi_square < 9 + 10 * std::sqrt(18.0));
  static_assert(cz::random_below(some_key, 0, 1) == 0);
  static_assert(cz::random_below(some_key, 3, cz::index_t{1} << 32) ==
                static_cast<cz::index_t>(cz::random_word(some_key, 3)));
}

BOOST_AUTO_TEST_CASE(key_sequences) {
  const cz::key_sequence keys{7, cz::stream::shuffle, 100};
  const cz::sample_key key = keys[3], same = keys.from(1)[2];
  BOOST_TEST((key.seed == 7 && key.purpose == cz::stream::shuffle && key.sample == 103));
  BOOST_TEST((same.seed == 7 && same.purpose == cz::stream::shuffle && same.sample == 103));
}
