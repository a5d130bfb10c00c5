#define BOOST_TEST_MODULE norm_activation
#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/norm_activation.hpp>
#include <limits>
#include <random>
#include <vector>

#include "common/worse.hpp"

namespace cz = coldzoom;
using cz::index_t;
using affine_shape = cz::generic::normalisation_geometry::affine_shape;

namespace {

using wide = long double;

struct gelu {
  using fast = cz::vector_gelu;
  static wide value(wide z) { return z * std::erfc(-z / std::sqrt(wide(2))) / 2; }
  static wide slope(wide z) {
    return std::erfc(-z / std::sqrt(wide(2))) / 2 +
           z * std::exp(-z * z / 2) / std::sqrt(2 * wide(3.14159265358979323846264L));
  }
};
struct silu {
  using fast = cz::vector_silu;
  static wide value(wide z) { return z / (1 + std::exp(-z)); }
  static wide slope(wide z) {
    const wide s = 1 / (1 + std::exp(-z));
    return s * (1 + z / (1 + std::exp(z)));
  }
};
struct identity {
  using fast = cz::vector_identity;
  static wide value(wide z) { return z; }
  static wide slope(wide) { return 1; }
};

/// The largest error of value and slope over a sweep of [-40, 40] and over sizes from 1e-30 to 1e4.
template <class Function, class T> double largest_error() {
  constexpr index_t lanes = cz::native_lanes<T>;
  const typename Function::fast::template on<T, lanes> function;
  wide error = 0;
  const auto check = [&](T z) {
    const auto found = function(cz::broadcast<lanes>(z));
    error = worse(error, std::abs(static_cast<wide>(found.value[lanes - 1]) - Function::value(z)));
    error = worse(error, std::abs(static_cast<wide>(found.slope[0]) - Function::slope(z)));
  };
  for (int i = -200000; i <= 200000; ++i) check(static_cast<T>(i) * static_cast<T>(2e-4));
  for (double size = 1e-30; size <= 1e4; size *= 1.05) {
    check(static_cast<T>(size));
    check(static_cast<T>(-size));
  }
  return static_cast<double>(error);
}

/// Not inlined: GCC 12 crashes when it vectorises uses of single lanes.
template <class Function, class T> [[gnu::noinline]] std::array<T, 2> value_and_slope(T z) {
  constexpr index_t lanes = cz::native_lanes<T>;
  const auto found = typename Function::fast::template on<T, lanes>()(cz::broadcast<lanes>(z));
  return {found.value[0], found.slope[0]};
}

template <class Function, class T> void check_limits() {
  const auto at = value_and_slope<Function, T>;
  const T largest = std::numeric_limits<T>::max();
  BOOST_TEST(at(largest)[0] == largest);
  BOOST_TEST(at(largest)[1] == T(1));
  BOOST_TEST(std::abs(at(-largest)[0]) < T(1e-30));
  BOOST_TEST(std::abs(at(-largest)[1]) < T(1e-30));
  BOOST_TEST(std::isnan(at(std::numeric_limits<T>::quiet_NaN())[0]));
  BOOST_TEST(std::isnan(at(std::numeric_limits<T>::quiet_NaN())[1]));
}

std::mt19937 engine(1);
template <class T> std::vector<T> random_values(index_t size, T from, T to) {
  std::uniform_real_distribution<T> value(from, to);
  std::vector<T> values(static_cast<std::size_t>(size));
  for (T& v : values) v = value(engine);
  return values;
}

/// The largest error relative to the largest value.
struct worst {
  wide error = 0, scale = 0;
  void add(wide value, wide wanted) {
    error = worse(error, std::abs(value - wanted));
    scale = std::max(scale, std::abs(wanted));
  }
  double relative() const { return static_cast<double>(scale > 0 ? error / scale : error); }
};

template <class T, affine_shape Affine, class Function>
void check(index_t channels, index_t pixels, index_t groups, T mean_of_z = 0) {
  using kernel_type = cz::norm_activation<T, Affine, typename Function::fast>;
  constexpr index_t lanes = cz::native_lanes<T>;
  constexpr bool single = sizeof(T) == 4;
  BOOST_TEST_CONTEXT("C " << channels << " pixels " << pixels << " groups " << groups << " affine "
                          << static_cast<int>(Affine) << " T " << sizeof(T)) {
    const cz::generic::normalisation_geometry g{channels, pixels, groups, Affine};
    kernel_type kernel{channels, pixels, groups, T(1e-5)};
    const index_t size = kernel.lane_groups() * pixels * lanes;
    const auto at = [&](index_t c, index_t p) {
      return static_cast<std::size_t>((c / lanes * pixels + p) * lanes + c % lanes);
    };
    const auto affine_at = [&](index_t c, index_t p) {
      return Affine == affine_shape::image ? at(c, p) : static_cast<std::size_t>(g.affine_index(c, p));
    };
    const auto z = random_values<T>(size, mean_of_z - 2, mean_of_z + 2), dy = random_values<T>(size, -1, 1);
    const auto gamma = random_values<T>(kernel.affine_size(), T(0.5), T(1.5));
    const auto beta = random_values<T>(kernel.affine_size(), T(-0.5), T(0.5));
    const auto addend = random_values<T>(kernel.lane_groups() * lanes, -1, 1);
    kernel.gamma = gamma.data();
    kernel.beta = beta.data();

    // What is wanted, in long double.
    std::vector<wide> x_hat(z.size()), y(z.size()), dz(z.size()), rstd(static_cast<std::size_t>(channels));
    std::vector<wide> dgamma(gamma.size(), 0.25L), dbeta(gamma.size(), -0.25L), daddend(addend.size());
    for (index_t first = 0; first < channels; first += g.group_channels()) {
      const auto each = [&](auto f) {
        for (index_t c = first; c < first + g.group_channels(); ++c) {
          for (index_t p = 0; p < pixels; ++p) f(c, p, at(c, p), affine_at(c, p));
        }
      };
      const wide count = static_cast<wide>(g.group_channels() * pixels);
      wide mean = 0, variance = 0, mean_g = 0, mean_gx = 0;
      each([&](index_t, index_t, auto i, auto) { mean += z[i] / count; });
      each([&](index_t, index_t, auto i, auto) { variance += (z[i] - mean) * (z[i] - mean) / count; });
      const wide scale = 1 / std::sqrt(variance + static_cast<wide>(kernel.eps));
      const auto du = [&](auto i, auto a) { return dy[i] * Function::slope(gamma[a] * x_hat[i] + beta[a]); };
      each([&](index_t c, index_t, auto i, auto a) {
        rstd[static_cast<std::size_t>(c)] = scale;
        x_hat[i] = (z[i] - mean) * scale;
        y[i] = Function::value(gamma[a] * x_hat[i] + beta[a]) + addend[static_cast<std::size_t>(c)];
        daddend[static_cast<std::size_t>(c)] += dy[i];
        dgamma[a] += du(i, a) * x_hat[i];
        dbeta[a] += du(i, a);
        mean_g += gamma[a] * du(i, a) / count;
        mean_gx += gamma[a] * du(i, a) * x_hat[i] / count;
      });
      each([&](index_t, index_t, auto i, auto a) {
        dz[i] = scale * (gamma[a] * du(i, a) - mean_g - x_hat[i] * mean_gx);
      });
    }

    auto found_x = z, found_y = z, predicted = z, found_z = dy;
    std::vector<T> statistics(static_cast<std::size_t>(kernel.statistics_size()));
    kernel.predict_image(predicted.data(), predicted.data(), statistics.data(), addend.data());
    kernel.forward_image(found_y.data(), found_y.data(), statistics.data(), found_x.data(), addend.data());
    BOOST_TEST((predicted == found_y));
    std::vector<T> found_dgamma(gamma.size(), T(0.25)), found_dbeta(gamma.size(), T(-0.25)),
        found_daddend(addend.size());
    kernel.backward_image(found_x.data(), statistics.data(), found_z.data(), found_z.data(),
                          found_dgamma.data(), found_dbeta.data(), found_daddend.data());
    worst of_x, of_y, of_dz, of_affine, of_addend, of_rstd;
    for (index_t c = 0; c < channels; ++c) {
      const auto k = static_cast<std::size_t>(c);
      of_rstd.add(statistics[k], rstd[k]);
      of_addend.add(found_daddend[k], daddend[k]);
      for (index_t p = 0; p < pixels; ++p) {
        const auto i = at(c, p), a = affine_at(c, p);
        of_x.add(found_x[i], x_hat[i]);
        of_y.add(found_y[i], y[i]);
        of_dz.add(found_z[i], dz[i]);
        of_affine.add(found_dgamma[a], dgamma[a]);
        of_affine.add(found_dbeta[a], dbeta[a]);
      }
    }
    // One pixel alone is its own mean: x_hat and dz are then rounding errors times 1 / sqrt(eps).
    const double conditioning =
        g.group_channels() * pixels == 1 ? 400 : 1 + std::abs(static_cast<double>(mean_of_z));
    const double tolerance = (single ? 1e-6 : 1e-13) * conditioning;
    BOOST_TEST(of_rstd.relative() < tolerance);
    BOOST_TEST(of_x.relative() < tolerance);
    BOOST_TEST(of_y.relative() < tolerance);
    BOOST_TEST(of_dz.relative() < 5 * tolerance);
    BOOST_TEST(of_affine.relative() < 5 * tolerance);
    BOOST_TEST(of_addend.relative() < 5 * tolerance);
    const auto finite = [](const auto& values) {
      return std::all_of(values.begin(), values.end(), [](T v) { return std::isfinite(v); });
    };
    BOOST_TEST((finite(found_x) && finite(found_y) && finite(found_z) && finite(found_dgamma)));
  }
}

template <class T, class Function> void check_shapes() {
  for (const index_t channels : {1, 3, 16, 17, 40}) {
    for (const index_t pixels : {1, 35, 784}) {
      check<T, affine_shape::pixels, Function>(channels, pixels, channels);
      check<T, affine_shape::image, Function>(channels, pixels, 1);
      check<T, affine_shape::channels, Function>(channels, pixels, channels);
    }
  }
  check<T, affine_shape::channels, Function>(40, 35, 8);
  check<T, affine_shape::channels, Function>(48, 16, 4);
  check<T, affine_shape::channels, Function>(21, 9, 3);
  check<T, affine_shape::pixels, Function>(32, 784, 32,
                                           100);  // far from zero: no cancellation beyond that of z
  check<T, affine_shape::channels, Function>(32, 784, 4, 100);
}

}  // namespace

BOOST_AUTO_TEST_CASE(activations_are_accurate_everywhere) {
  const double gelu_float = largest_error<gelu, float>(), silu_float = largest_error<silu, float>();
  const double gelu_double = largest_error<gelu, double>(), silu_double = largest_error<silu, double>();
  BOOST_TEST_MESSAGE("gelu " << gelu_float << " " << gelu_double << ", silu " << silu_float << " "
                             << silu_double);
  BOOST_TEST(gelu_float < 1e-6);
  BOOST_TEST(silu_float < 1e-6);
  BOOST_TEST(gelu_double < 1e-13);
  BOOST_TEST(silu_double < 1e-13);
  check_limits<gelu, float>();
  check_limits<silu, float>();
  check_limits<gelu, double>();
  check_limits<silu, double>();
}

BOOST_AUTO_TEST_CASE(float_against_plain_loops) {
  check_shapes<float, gelu>();
  check_shapes<float, silu>();
  check_shapes<float, identity>();
}
BOOST_AUTO_TEST_CASE(double_against_plain_loops) {
  check_shapes<double, gelu>();
  check_shapes<double, silu>();
  check_shapes<double, identity>();
}
