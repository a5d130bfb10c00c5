// The keys of a random degradation: a sampler needs those that made its images.
#define BOOST_TEST_MODULE keys
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/sampling/restore.hpp>
#include <coldzoom/sampling/tacos.hpp>

#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr int T = 12;
const cz::shape dims{5, 2, 9, 7};
constexpr cz::key_sequence keys{3, cz::stream::user, 40}, other_keys{4, cz::stream::user, 40};

/// Each pixel goes out at a level of its own.
struct mask {
  float operator()(cz::image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                   cz::sample_key key) const {
    const auto element = static_cast<std::uint64_t>((c * x0.h + y) * x0.w + x);
    return cz::random_uniform(key, element) < level ? 0.0f : x0(c, y, x);
  }
};

/// Leaves 30 % of the pixels at t = T: where all are out, every key gives the same images.
struct three_tenths_left {
  int steps() const { return T; }
  float level(int t) const { return 0.7f * static_cast<float>(t) / T; }
};

host_images degraded(backend& b, const host_images& x0, int t, cz::key_sequence by) {
  host_images out(x0.dims);
  const std::vector<float> levels(static_cast<std::size_t>(x0.dims.n), three_tenths_left{}.level(t));
  cz::degrade(b, mask{}, x0.view(), {levels.data(), x0.dims.n}, by, out.view());
  return out;
}

double rms(const host_images& a, const host_images& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const double off = static_cast<double>(a.pixels[i]) - static_cast<double>(b.pixels[i]);
    sum += off * off;
  }
  return std::sqrt(sum / static_cast<double>(a.pixels.size()));
}

/// Answers x0, whatever it is shown.
auto perfect(const host_images& x0) {
  return cz::predicting<cz::predict_x0>(
      [&x0](cz::tensor_view<const float>, const cz::sampling_step&, cz::tensor_view<float> out) {
        std::copy(x0.pixels.begin(), x0.pixels.end(), out.data);
      });
}

/// Two roundings a step, of pixels up to 1/2.
constexpr double rounding = T * 0x1p-24;

}  // namespace

BOOST_AUTO_TEST_CASE(one_call_restores) {
  backend b(2);
  const host_images x0 = random_images(dims, 1);
  auto network = perfect(x0);
  const auto restores = [&](const auto& sampler, int calls) {
    host_images z(dims);
    int seen = 0;
    cz::degrade_and_restore(b, sampler, network, mask{}, three_tenths_left{}, calls, keys, x0.view(),
                            z.view(), [&](int t, const auto& state, const auto&) {
                              host_images at(dims);
                              std::copy_n(state.data, dims.size(), at.pixels.begin());
                              // One mask from the first state to the last.
                              BOOST_TEST(rms(at, degraded(b, x0, t, keys)) <= rounding);
                              ++seen;
                            });
    BOOST_TEST(seen == calls);
    BOOST_TEST(rms(z, x0) <= rounding);
  };
  for (const int calls : {1, 5, T}) {
    restores(cz::naive_sampler{}, calls);
    restores(cz::tacos_sampler{}, calls);
  }
  // Nobody need watch, and the sampler may change.
  host_images z(dims);
  cz::tacos_sampler sampler;
  cz::degrade_and_restore(b, sampler, network, mask{}, three_tenths_left{}, T, keys, x0.view(), z.view());
  BOOST_TEST(rms(z, x0) <= rounding);
}

BOOST_AUTO_TEST_CASE(wrong_keys_do_not) {
  backend b(2);
  const host_images x0 = random_images(dims, 1);
  auto network = perfect(x0);
  BOOST_TEST(rms(degraded(b, x0, T, keys), x0) > 0.1);
  host_images z = degraded(b, x0, T, keys);
  cz::tacos_sampler{}(b, network, mask{}, three_tenths_left{}, T, keys, z.view());
  BOOST_TEST(rms(z, x0) <= rounding);
  z = degraded(b, x0, T, keys);
  cz::tacos_sampler{}(b, network, mask{}, three_tenths_left{}, T, other_keys, z.view());
  BOOST_TEST(rms(z, x0) > 0.1);
}
