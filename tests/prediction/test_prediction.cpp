#define BOOST_TEST_MODULE prediction
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/core/random.hpp>
#include <coldzoom/prediction/preconditioned.hpp>
#include <coldzoom/prediction/prediction.hpp>
#include <string>

namespace cz = coldzoom;

namespace {

double normal(std::uint64_t seed, std::uint64_t i) {
  return static_cast<double>(cz::random_normal({seed}, i));
}

/// What the conversions of `P` make of 1000 triples (x0, e, amplitudes). Each takes at most eight roundings
/// of numbers of the size of |z| + |y|, and what it divides by is 1/8 at least in size.
template <class P> void check_conversions() {
  BOOST_TEST_CONTEXT(P::name) {
    for (std::uint64_t i = 0; i < 1000; ++i) {
      const double x0 = normal(1, i), e = normal(2, i);
      // Variance-preserving ones, a straight path, and any.
      const double u = 0.125 + 0.75 * static_cast<double>(cz::random_uniform({3}, i));
      const cz::amplitudes some[] = {{std::sqrt(1 - u * u), u}, {1 - u, u}, {2 * u, 0.5}};
      for (const cz::amplitudes& a : some) {
        const double z = a.signal * x0 + a.noise * e, y = P::target(x0, e, a);
        const double allowed = 8 * 8 * 0x1p-53 * (std::abs(z) + std::abs(y) + std::abs(x0) + std::abs(e));
        BOOST_TEST(std::abs(P::x0(z, y, a) - x0) <= allowed);
        BOOST_TEST(std::abs(P::noise(z, y, a) - e) <= allowed);
        // And back: any y stands for an image and a noise whose target it is.
        const double other = normal(4, i), image = P::x0(z, other, a), noise = P::noise(z, other, a);
        const double size = std::abs(z) + std::abs(other) + std::abs(image) + std::abs(noise);
        BOOST_TEST(std::abs(P::target(image, noise, a) - other) <= 8 * 8 * 0x1p-53 * size);
        BOOST_TEST(std::abs(a.signal * image + a.noise * noise - z) <= 8 * 8 * 0x1p-53 * size);
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(conversions_are_inverse) {
  check_conversions<cz::predict_x0>();
  check_conversions<cz::predict_noise>();
  check_conversions<cz::predict_velocity>();
  check_conversions<cz::predict_flow>();
  check_conversions<cz::predict_preconditioned<>>();
  check_conversions<cz::predict_preconditioned<std::ratio<5, 4>>>();
}

BOOST_AUTO_TEST_CASE(preconditioning_is_that_of_the_paper) {
  // Karras et al. 2022, table 1: D = c_skip z + c_out y, and the target of y is (x0 - c_skip z) / c_out.
  using P = cz::predict_preconditioned<std::ratio<3, 4>>;
  const double s = 0.75;
  for (const double sigma : {0.01, 0.5, 3.0, 80.0}) {
    const double skip = s * s / (sigma * sigma + s * s), out = sigma * s / std::sqrt(sigma * sigma + s * s);
    const cz::amplitudes a{1, sigma};
    for (std::uint64_t i = 0; i < 20; ++i) {
      const double x0 = normal(1, i), e = normal(2, i), y = normal(4, i), z = x0 + sigma * e;
      const double allowed = 16 * 0x1p-53 * (std::abs(z) + std::abs(x0) + std::abs(y));
      BOOST_TEST(std::abs(P::x0(z, y, a) - (skip * z + out * y)) <= allowed);
      BOOST_TEST(std::abs(P::target(x0, e, a) - (x0 - skip * z) / out) <= allowed / out);
    }
  }
  // Data of deviation 1 with noise that preserves the variance: -velocity, at every level.
  for (const double noise : {0.0, 0.3, 1.0}) {
    const cz::amplitudes a{std::sqrt(1 - noise * noise), noise};
    using unit = cz::predict_preconditioned<std::ratio<1>>;
    BOOST_TEST(std::abs(unit::target(2, 3, a) + cz::predict_velocity::target(2, 3, a)) <= 32 * 0x1p-53);
    BOOST_TEST(std::abs(unit::x0(2, 3, a) - cz::predict_velocity::x0(2, -3, a)) <= 32 * 0x1p-53);
  }
}

BOOST_AUTO_TEST_CASE(targets_are_those_of_the_papers) {
  // Sums of powers of two: exact in whatever order, and however, a compiler multiplies and adds.
  const cz::amplitudes a{0.75, 0.5};
  BOOST_TEST(cz::predict_x0::target(2, 3, a) == 2.0);
  BOOST_TEST(cz::predict_noise::target(2, 3, a) == 3.0);
  BOOST_TEST(cz::predict_velocity::target(2, 3, a) == 1.25);
  BOOST_TEST(cz::predict_flow::target(2, 3, a) == 1.0);
}

BOOST_AUTO_TEST_CASE(where_no_signal_is_left) {
  // z is the noise alone, here 3; x0 = 2.
  const cz::amplitudes none{0, 1};
  BOOST_TEST(cz::predict_x0::x0(3, 2, none) == 2.0);
  BOOST_TEST(cz::predict_velocity::x0(3, -2, none) == 2.0);
  BOOST_TEST(cz::predict_flow::x0(3, 1, none) == 2.0);
  BOOST_TEST(cz::predict_preconditioned<>::x0(3, 4, none) == 2.0);
  BOOST_TEST(!std::isfinite(cz::predict_noise::x0(3, 3, none)));
}

BOOST_AUTO_TEST_CASE(names_differ) {
  const std::string names[] = {cz::predict_x0::name, cz::predict_noise::name, cz::predict_velocity::name,
                               cz::predict_flow::name, cz::predict_preconditioned<>::name};
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < i; ++j) BOOST_TEST(names[i] != names[j]);
  }
}
