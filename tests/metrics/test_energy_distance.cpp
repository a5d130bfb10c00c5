#define BOOST_TEST_MODULE energy_distance
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/metrics/energy_distance.hpp>

#include "common/errors.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

/// Standard normals, moved and stretched.
cz::feature_set normals(index_t n, index_t d, std::uint64_t seed, float shift = 0, float scale = 1) {
  cz::feature_set x(n, d);
  for (index_t i = 0; i < n * d; ++i)
    x.values[static_cast<std::size_t>(i)] =
        shift + scale * cz::random_normal(cz::key_sequence{seed, cz::stream::user, 0}[0],
                                          static_cast<std::uint64_t>(i));
  return x;
}

double mean_distance(const cz::feature_set& x, const cz::feature_set& y) {
  double total = 0;
  for (index_t i = 0; i < x.n; ++i) {
    for (index_t j = 0; j < y.n; ++j) {
      double square = 0;
      for (index_t k = 0; k < x.d; ++k) {
        const double off = static_cast<double>(x.row(i)[k]) - static_cast<double>(y.row(j)[k]);
        square += off * off;
      }
      total += std::sqrt(square);
    }
  }
  return total / static_cast<double>(x.n * y.n);
}

}  // namespace

BOOST_AUTO_TEST_CASE(brute_force) {
  backend one(1), three(3);
  const cz::feature_set x = normals(37, 5, 1), y = normals(61, 5, 2, 0.3f);
  const double wanted = 2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y);
  const cz::energy_distance_result found = cz::energy_distance(one, x, y),
                                   again = cz::energy_distance(three, x, y);
  BOOST_TEST(std::abs(found.distance - wanted) < 1e-6);
  BOOST_TEST((found.distance == again.distance && found.p_value == again.p_value));
  BOOST_TEST(cz::energy_distance(one, x, x).distance < 1e-6);
  BOOST_TEST(cz::energy_distance(one, x, x).p_value == 1);
}

BOOST_AUTO_TEST_CASE(what_the_test_sees) {
  backend b(2);
  // Of one law the p-value is evenly spread: of 40 pairs, 4 lie below 0.1, and more than 14 once in 10^5 times.
  int small = 0;
  for (std::uint64_t k = 0; k < 40; ++k) {
    small += cz::energy_distance(b, normals(60, 4, 100 + k), normals(60, 4, 200 + k), {.permutations = 99})
                 .p_value <= 0.1;
  }
  BOOST_TEST(small <= 14);
  BOOST_TEST(small >= 1);
  const double least = 1 / 201.0;
  BOOST_TEST(cz::energy_distance(b, normals(300, 4, 1), normals(200, 4, 2, 0.5f)).p_value == least);
  BOOST_TEST(cz::energy_distance(b, normals(300, 4, 1), normals(200, 4, 2, 0, 2)).p_value == least);
}

BOOST_AUTO_TEST_CASE(bad_input) {
  backend b(1);
  const cz::feature_set x = normals(3, 2, 1);
  BOOST_TEST(
      message_of([&] { cz::energy_distance(b, x, normals(3, 3, 1)); }) ==
      "energy_distance: the samples have 2 features, the reference 3; they must come from one extractor");
  BOOST_TEST(message_of([&] { cz::energy_distance(b, x, normals(1, 2, 1)); }) ==
             "energy_distance: there are 3 and 1 rows and 200 permutations; wanted two rows of each and one "
             "permutation at least");
}
