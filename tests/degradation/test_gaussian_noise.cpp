#define BOOST_TEST_MODULE gaussian_noise
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>

#include "common/random_images.hpp"
#include "common/worse.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::shape dims{40, 2, 28, 28};
constexpr cz::key_sequence keys{7, cz::stream::user, 100};

/// Images first .. first + count - 1 of x0 at one level.
void add_noise(const host_images& x0, float level, cz::key_sequence k, host_images& out, index_t first,
               index_t count, int threads = 2) {
  backend b(threads);
  const std::vector<float> levels(static_cast<std::size_t>(count), level);
  cz::degrade(b, cz::gaussian_noise{}, x0.view().images(first, count), {levels.data(), count}, k,
              out.view().images(first, count));
}
host_images noisy(const host_images& x0, float level, cz::key_sequence k = keys, int threads = 2) {
  host_images out(x0.dims);
  add_noise(x0, level, k, out, 0, x0.dims.n, threads);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(moments) {
  host_images grey(dims);
  std::fill(grey.pixels.begin(), grey.pixels.end(), 0.25f);
  for (const double level : {1.0, 0.6, 0.1}) {
    const host_images out = noisy(grey, static_cast<float>(level));
    const double count = static_cast<double>(out.pixels.size()), wanted = 0.25 * std::sqrt(1 - level * level);
    double mean = 0, variance = 0, fourth = 0;
    for (const float pixel : out.pixels) mean += static_cast<double>(pixel) / count;
    for (const float pixel : out.pixels) {
      const double e = (static_cast<double>(pixel) - wanted) / level;
      variance += e * e / count;
      fourth += e * e * e * e / count;
    }
    // Six standard deviations of each estimate: those of e, e^2 and e^4 are 1, sqrt(2) and sqrt(96).
    const double six = 6 / std::sqrt(count);
    BOOST_TEST(std::abs(mean - wanted) < six * level);
    BOOST_TEST(std::abs(variance - 1) < six * std::sqrt(2.0));
    BOOST_TEST(std::abs(fourth - 3) < six * std::sqrt(96.0));
  }
}

BOOST_AUTO_TEST_CASE(level_0_is_the_identity) {
  const host_images x0 = random_images(dims, 1);
  BOOST_TEST((noisy(x0, 0) == x0));
}

BOOST_AUTO_TEST_CASE(noise_regenerates_what_was_added) {
  const host_images x0 = random_images(dims, 1), full = noisy(x0, 1), part = noisy(x0, 0.6f);
  double worst = 0;
  index_t differing = 0;
  for (index_t i = 0; i < dims.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const float e = cz::gaussian_noise{}.noise(keys[i / dims.image()], i % dims.image());
    differing += full.pixels[at] != e;
    const double signal = 0.8 * static_cast<double>(x0.pixels[at]), noise = 0.6 * static_cast<double>(e);
    // signal and level are off by 2 units of rounding, and each of three operations adds one.
    const double allowed = 5 * 0x1p-24 * (std::abs(signal) + std::abs(noise));
    worst = worse(worst, std::abs(static_cast<double>(part.pixels[at]) - signal - noise) / allowed);
  }
  BOOST_TEST(differing == 0);
  BOOST_TEST(worst <= 1);
}

BOOST_AUTO_TEST_CASE(keys_and_bits) {
  const host_images x0 = random_images(dims, 1), whole = noisy(x0, 0.5f);
  BOOST_TEST((noisy(x0, 0.5f, keys, 1) == whole));
  BOOST_TEST((noisy(x0, 0.5f, keys, 3) == whole));
  for (const index_t batch : {1, 8}) {
    host_images parts(dims);
    for (index_t first = 0; first < dims.n; first += batch)
      add_noise(x0, 0.5f, keys.from(first), parts, first, batch);
    BOOST_TEST((parts == whole), "batches of " << batch);
  }
  BOOST_TEST((noisy(x0, 0.5f, {8, keys.purpose, keys.first}) != whole));
  BOOST_TEST((noisy(x0, 0.5f, {7, cz::stream::sampling, keys.first}) != whole));

  // Samples and channels are independent: the correlation of n independent pairs is about 1 / sqrt(n).
  const host_images e = noisy(x0, 1);
  const auto correlation = [&](index_t distance) {
    double sum = 0;
    const index_t count = dims.size() - distance;
    for (index_t i = 0; i < count; ++i)
      sum += static_cast<double>(e.pixels[static_cast<std::size_t>(i)] *
                                 e.pixels[static_cast<std::size_t>(i + distance)]);
    return std::abs(sum) / std::sqrt(static_cast<double>(count));
  };
  for (const index_t distance : {index_t{1}, index_t{2}, dims.w, dims.pixels(), dims.image()})
    BOOST_TEST(correlation(distance) < 6);
}

BOOST_AUTO_TEST_CASE(noise_drawn_at_once) {
  // draw_noise and add_noise do what the pixel form does, also where an image is no multiple of four pixels.
  for (const cz::shape d : {dims, cz::shape{5, 1, 3, 3}, cz::shape{1, 1, 1, 1}}) {
    const host_images x0 = random_images(d, 1), wanted = noisy(x0, 0.6f);
    for (const int threads : {1, 3}) {
      backend b(threads);
      host_images e(d), out(d);
      const std::vector<float> levels(static_cast<std::size_t>(d.n), 0.6f);
      cz::gaussian_noise{}.draw_noise(b, keys, d, e.pixels.data());
      cz::gaussian_noise{}.add_noise(b, x0.view(), {levels.data(), d.n}, e.pixels.data(), out.view());
      index_t differing = 0;
      double worst = 0;
      for (index_t i = 0; i < d.size(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        differing += e.pixels[at] != cz::gaussian_noise{}.noise(keys[i / d.image()], i % d.image());
        // The two products and their sum may be rounded in another order.
        const double allowed = 3 * 0x1p-24 *
                               (0.8 * std::abs(static_cast<double>(x0.pixels[at])) +
                                0.6 * std::abs(static_cast<double>(e.pixels[at])));
        worst = worse(worst, std::abs(static_cast<double>(out.pixels[at] - wanted.pixels[at])) / allowed);
      }
      BOOST_TEST(differing == 0);
      BOOST_TEST(worst <= 1);
    }
  }
}
