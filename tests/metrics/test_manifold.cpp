#define BOOST_TEST_MODULE manifold
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/metrics/manifold.hpp>

#include "common/errors.hpp"
#include "common/random_features.hpp"

namespace cz = coldzoom;
using cz::index_t;
using backend = cz::cpu_backend<float>;
using cz::feature_set, cz::manifold_scores;

namespace {

double distance2(const float* x, const float* y, index_t d) {
  double sum = 0;
  for (index_t l = 0; l < d; ++l) sum += std::pow(static_cast<double>(x[l]) - static_cast<double>(y[l]), 2);
  return sum;
}

std::vector<double> radii(const feature_set& x, index_t k) {
  std::vector<double> out;
  for (index_t i = 0; i < x.n; ++i) {
    std::vector<double> others;
    for (index_t j = 0; j < x.n; ++j) {
      if (j != i) others.push_back(distance2(x.row(i), x.row(j), x.d));
    }
    std::sort(others.begin(), others.end());
    out.push_back(others[static_cast<std::size_t>(k - 1)]);
  }
  return out;
}

/// The definitions, word for word.
manifold_scores by_loops(const feature_set& samples, const feature_set& reference, index_t k) {
  const std::vector<double> of_samples = radii(samples, k), of_reference = radii(reference, k);
  manifold_scores s{0, 0, 0, 0, samples.n, reference.n};
  for (index_t j = 0; j < samples.n; ++j) {
    index_t balls = 0;
    for (index_t i = 0; i < reference.n; ++i)
      balls +=
          distance2(samples.row(j), reference.row(i), samples.d) <= of_reference[static_cast<std::size_t>(i)];
    s.precision += balls > 0;
    s.density += static_cast<double>(balls);
  }
  for (index_t i = 0; i < reference.n; ++i) {
    bool inside = false, holds = false;
    for (index_t j = 0; j < samples.n; ++j) {
      const double distance = distance2(samples.row(j), reference.row(i), samples.d);
      inside = inside || distance <= of_samples[static_cast<std::size_t>(j)];
      holds = holds || distance <= of_reference[static_cast<std::size_t>(i)];
    }
    s.recall += inside;
    s.coverage += holds;
  }
  const double n = static_cast<double>(samples.n), m = static_cast<double>(reference.n);
  return {s.precision / n, s.recall / m, s.density / static_cast<double>(k) / n,
          s.coverage / m,  s.samples,    s.reference};
}

/// Counts are exact, so are the shares but for one rounding of a division.
void check_equal(const manifold_scores& found, const manifold_scores& wanted) {
  BOOST_TEST(std::abs(found.precision - wanted.precision) < 1e-15);
  BOOST_TEST(std::abs(found.recall - wanted.recall) < 1e-15);
  BOOST_TEST(std::abs(found.density - wanted.density) < 1e-14);
  BOOST_TEST(std::abs(found.coverage - wanted.coverage) < 1e-15);
  BOOST_TEST(found.samples == wanted.samples);
  BOOST_TEST(found.reference == wanted.reference);
}

bool same_bits(const manifold_scores& a, const manifold_scores& b) {
  return a.precision == b.precision && a.recall == b.recall && a.density == b.density &&
         a.coverage == b.coverage;
}

}  // namespace

// On integers every distance is exact in float, so that ties and radii of 0 (repeated rows) count as defined.
BOOST_AUTO_TEST_CASE(against_double_loops) {
  backend b(2);
  for (const index_t k : {1, 3, 5}) {
    const feature_set x = integer_features(300, 3, 1, 3), y = integer_features(270, 3, 2, 4);
    check_equal(cz::compare_manifolds(b, x, y, {.neighbours = k}), by_loops(x, y, k));
    const feature_set fine_x = integer_features(90, 6, 3, 500), fine_y = integer_features(130, 6, 4, 400);
    check_equal(cz::compare_manifolds(b, fine_x, fine_y, {.neighbours = k}), by_loops(fine_x, fine_y, k));
  }
}

BOOST_AUTO_TEST_CASE(more_rows_than_a_block) {
  backend b(2);
  const feature_set x = integer_features(1100, 5, 5, 100), y = integer_features(1300, 5, 6, 120);
  check_equal(cz::compare_manifolds(b, x, y), by_loops(x, y, 5));
}

BOOST_AUTO_TEST_CASE(a_set_against_itself) {
  backend b(2);
  const feature_set x = normal_features(700, 8, 7);
  const manifold_scores found = cz::compare_manifolds(b, x, x);
  BOOST_TEST(found.precision == 1);
  BOOST_TEST(found.recall == 1);
  BOOST_TEST(found.coverage == 1);
  // Each ball holds its own row and k others.
  BOOST_TEST(std::abs(found.density - 1.2) < 1e-12);
  BOOST_TEST(same_bits(cz::compare_manifolds(b, reversed_rows(x), x), found));
}

// Reference: two clusters far apart. Samples: one of them, and ten repeats of ten rows.
BOOST_AUTO_TEST_CASE(what_is_missing_shows_in_the_right_score) {
  backend b(2);
  feature_set reference = normal_features(1000, 4, 8), one = normal_features(500, 4, 9),
              far = normal_features(400, 4, 10);
  for (index_t i = 0; i < 500; ++i) reference.row(i)[0] += 100;
  for (float& v : far.values) v += 1000;
  const manifold_scores missing = cz::compare_manifolds(b, one, reference);
  BOOST_TEST(missing.precision > 0.85);
  BOOST_TEST(std::abs(missing.recall - 0.45) < 0.06);
  BOOST_TEST(std::abs(missing.coverage - 0.48) < 0.03);
  const manifold_scores off = cz::compare_manifolds(b, far, reference);
  BOOST_TEST(off.precision == 0);
  BOOST_TEST(off.density == 0);
  BOOST_TEST(off.coverage == 0);
  feature_set repeated(500, 4);
  for (index_t i = 0; i < 500; ++i) std::copy_n(one.row(i % 50), 4, repeated.row(i));
  const manifold_scores few = cz::compare_manifolds(b, repeated, reference);
  BOOST_TEST(few.precision > 0.7);
  BOOST_TEST(few.recall < 0.01);
  BOOST_TEST(few.coverage < 0.25);
}

BOOST_AUTO_TEST_CASE(large_sets_are_cut) {
  backend b(2);
  const feature_set x = normal_features(800, 4, 11), y = normal_features(300, 4, 12);
  const manifold_scores found = cz::compare_manifolds(b, x, y, {.limit = 400, .seed = 3});
  BOOST_TEST(found.samples == 400);
  BOOST_TEST(found.reference == 300);
  const feature_set chosen = cz::detail::gather_rows(x, cz::shuffled_order(800, 3, 0).data(), 400);
  check_equal(found, by_loops(chosen, y, 5));
  BOOST_TEST(!same_bits(cz::compare_manifolds(b, x, y, {.limit = 400, .seed = 4}), found));
}

BOOST_AUTO_TEST_CASE(same_bits_on_any_number_of_threads) {
  const feature_set x = normal_features(600, 19, 13), y = normal_features(500, 19, 14);
  cz::reference_backend<float> plain;
  const manifold_scores wanted = cz::compare_manifolds(plain, x, y);
  for (const int threads : {1, 2, 5}) {
    backend b(threads);
    BOOST_TEST(same_bits(cz::compare_manifolds(b, x, y), wanted));
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_compared) {
  backend b(1);
  const feature_set x = normal_features(5, 3, 1), y = normal_features(9, 3, 2);
  BOOST_CHECK_EXCEPTION(cz::compare_manifolds(b, x, y), cz::error,
                        says("there are 5 samples and 9 reference rows, limited to 5000; k = 5 needs more"));
  BOOST_CHECK_NO_THROW(cz::compare_manifolds(b, x, y, {.neighbours = 4}));
  BOOST_CHECK_EXCEPTION(cz::compare_manifolds(b, x, y, {.neighbours = 0}), cz::error, says("k is 0"));
  BOOST_CHECK_EXCEPTION(cz::compare_manifolds(b, y, normal_features(9, 2, 1)), cz::error,
                        says("3 features, the reference 2"));
  BOOST_CHECK_EXCEPTION(cz::compare_manifolds(b, feature_set(0, 3), y), cz::error,
                        says("there are 0 samples"));
}
