#define BOOST_TEST_MODULE kernel_distance
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/metrics/kernel_distance.hpp>
#include <limits>

#include "common/errors.hpp"
#include "common/random_features.hpp"

namespace cz = coldzoom;
using cz::index_t;
using backend = cz::cpu_backend<float>;
using cz::feature_set, cz::feature_view;

namespace {

double kernel(const float* x, const float* y, index_t d) {
  double product = 0;
  for (index_t l = 0; l < d; ++l) product += static_cast<double>(x[l]) * static_cast<double>(y[l]);
  const double root = product / static_cast<double>(d) + 1;
  return root * root * root;
}

/// The estimate of one subset by double loops, and what rounding may do to it: a product of d terms in float
/// is off by at most (d + 1) 2^-24 sum |x y|, and the cube by 3 (s / d + 1)^2 times as much.
struct estimate {
  double value = 0, rounding = 0;
};
estimate discrepancy(feature_view x, feature_view y) {
  estimate e;
  const auto add = [&](feature_view a, feature_view b, double weight, bool skip) {
    for (index_t i = 0; i < a.n; ++i) {
      for (index_t j = 0; j < b.n; ++j) {
        if (skip && i == j) continue;
        double size = 0;
        for (index_t l = 0; l < a.d; ++l) size += std::abs(static_cast<double>(a.row(i)[l] * b.row(j)[l]));
        size /= static_cast<double>(a.d);
        e.value += weight * kernel(a.row(i), b.row(j), a.d);
        e.rounding +=
            std::abs(weight) * 3 * (size + 1) * (size + 1) * size * static_cast<double>(a.d + 1) * 0x1p-24;
      }
    }
  };
  const double n = static_cast<double>(x.n), m = static_cast<double>(y.n);
  add(x, x, 1 / (n * (n - 1)), true);
  add(y, y, 1 / (m * (m - 1)), true);
  add(x, y, -2 / (n * m), false);
  return e;
}

void check_against_loops(const feature_set& x, const feature_set& y, cz::kernel_distance_options options) {
  backend b(2);
  const cz::kernel_distance_result found = cz::kernel_distance(b, x, y, options);
  const index_t size = std::min(x.n, y.n) / options.subsets;
  BOOST_TEST(found.subset_size == size);
  const auto from = cz::shuffled_order(x.n, options.seed, 0), to = cz::shuffled_order(y.n, options.seed, 0);
  std::vector<double> values;
  double mean = 0, rounding = 0, squares = 0;
  for (index_t s = 0; s < options.subsets; ++s) {
    const estimate e = discrepancy(cz::detail::gather_rows(x, from.data() + s * size, size),
                                   cz::detail::gather_rows(y, to.data() + s * size, size));
    values.push_back(e.value);
    mean += e.value / static_cast<double>(options.subsets);
    rounding += e.rounding / static_cast<double>(options.subsets);
  }
  for (const double v : values) squares += (v - mean) * (v - mean);
  const double n = static_cast<double>(options.subsets);
  BOOST_TEST(std::abs(found.distance - mean) <= rounding);
  BOOST_TEST(std::abs(found.standard_error - std::sqrt(squares / (n - 1) / n)) <= 2 * rounding + 1e-12);
}

}  // namespace

BOOST_AUTO_TEST_CASE(against_double_loops) {
  check_against_loops(normal_features(400, 7, 1), normal_features(330, 7, 2), {.subsets = 3, .seed = 5});
  check_against_loops(normal_features(9, 1, 3), normal_features(20, 1, 4), {.subsets = 4});
  // A subset larger than a block of pairs either way.
  check_against_loops(normal_features(2300, 3, 5), normal_features(2200, 3, 6), {.subsets = 2});
}

BOOST_AUTO_TEST_CASE(exact_on_small_integers) {
  // d = 4, so that every kernel value is a multiple of 1/64 below 2^12; their sums are exact in double.
  const feature_set x = integer_features(60, 4, 7, 3), y = integer_features(60, 4, 8, 2);
  cz::reference_backend<float> b;
  const estimate wanted = discrepancy(x, y);
  BOOST_TEST(std::abs(cz::detail::kernel_discrepancy(b, x, y) - wanted.value) < 1e-13 * 64);
}

// In one dimension (xy + 1)^3 = 1 + 3 xy + 3 x^2 y^2 + x^3 y^3, so the discrepancy is 3 (m1 - n1)^2
// + 3 (m2 - n2)^2 + (m3 - n3)^2 of the raw moments. N(0, 1) has 0, 1, 0; N(a, 1) has a, 1 + a^2, 3a + a^3.
BOOST_AUTO_TEST_CASE(unbiased_with_an_honest_error) {
  backend b(2);
  const double a = 0.5, wanted = 3 * a * a + 3 * a * a * a * a + std::pow(3 * a + a * a * a, 2);
  double sum = 0, squares = 0, errors = 0;
  const int trials = 50;
  for (int t = 0; t < trials; ++t) {
    const feature_set x = normal_features(500, 1, static_cast<std::uint64_t>(100 + t));
    feature_set y = normal_features(700, 1, static_cast<std::uint64_t>(200 + t));
    for (float& v : y.values) v += 0.5f;
    const cz::kernel_distance_result found = cz::kernel_distance(b, x, y);
    sum += found.distance;
    squares += found.distance * found.distance;
    errors += found.standard_error;
  }
  const double mean = sum / trials, spread = std::sqrt((squares - sum * mean) / (trials - 1));
  BOOST_TEST_MESSAGE("mean " << mean << " of " << wanted << ", spread " << spread << ", stated "
                             << errors / trials);
  BOOST_TEST(std::abs(mean - wanted) < 4 * spread / std::sqrt(trials));
  BOOST_TEST(std::abs(errors / trials / spread - 1) < 0.35);  // either is good to about a tenth
}

BOOST_AUTO_TEST_CASE(identities) {
  backend b(2), one(1), five(5);
  cz::reference_backend<float> plain;
  const feature_set x = normal_features(1000, 9, 11), y = normal_features(1000, 9, 12);
  const cz::kernel_distance_result found = cz::kernel_distance(b, x, y, {.seed = 3});
  BOOST_TEST(std::abs(found.distance) < 5 * found.standard_error);  // one distribution
  // The order of the three sums is the same, that within a sum of rows and columns is not.
  BOOST_TEST(std::abs(cz::kernel_distance(b, y, x, {.seed = 3}).distance - found.distance) < 1e-12);
  BOOST_TEST(cz::kernel_distance(one, x, y, {.seed = 3}).distance == found.distance);
  BOOST_TEST(cz::kernel_distance(five, x, y, {.seed = 3}).distance == found.distance);
  BOOST_TEST(cz::kernel_distance(plain, x, y, {.seed = 3}).distance == found.distance);
  BOOST_TEST(cz::kernel_distance(b, x, y, {.seed = 4}).distance != found.distance);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_compared) {
  backend b(1);
  const feature_set x = normal_features(30, 3, 1), y = normal_features(19, 3, 2);
  BOOST_CHECK_EXCEPTION(cz::kernel_distance(b, x, y), cz::error,
                        says("there are 30 samples and 19 reference rows; 10 subsets need at least 20"));
  BOOST_CHECK_EXCEPTION(cz::kernel_distance(b, x, x, {.subsets = 1}), cz::error, says("there are 1 subsets"));
  BOOST_CHECK_EXCEPTION(cz::kernel_distance(b, x, normal_features(30, 4, 2)), cz::error,
                        says("the samples have 3 features, the reference 4"));
  feature_set bad = x;
  bad.row(4)[1] = std::numeric_limits<float>::infinity();
  BOOST_CHECK_EXCEPTION(cz::kernel_distance(b, bad, x), cz::error,
                        says("value 1 of row 4 of the samples is inf"));
  BOOST_CHECK_EXCEPTION(cz::kernel_distance(b, x, bad), cz::error, says("of the reference rows is inf"));
}
