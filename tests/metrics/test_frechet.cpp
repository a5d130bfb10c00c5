#define BOOST_TEST_MODULE frechet
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/metrics/frechet.hpp>
#include <limits>

#include "common/eigensolver.hpp"
#include "common/errors.hpp"
#include "common/random_features.hpp"

namespace cz = coldzoom;
using cz::index_t;
using backend = cz::cpu_backend<float>;
using cz::feature_set, cz::moments;

namespace {

double covariance_oracle(const feature_set& x, index_t r, index_t c) {
  long double mean_r = 0, mean_c = 0, sum = 0;
  for (index_t i = 0; i < x.n; ++i) {
    mean_r += x.row(i)[r];
    mean_c += x.row(i)[c];
  }
  mean_r /= x.n;
  mean_c /= x.n;
  for (index_t i = 0; i < x.n; ++i) sum += (x.row(i)[r] - mean_r) * (x.row(i)[c] - mean_c);
  return static_cast<double>(sum / (x.n - 1));
}

/// Correlated features far from 0, where sums of squares would lose half their digits.
feature_set distant_features(index_t n, index_t d, std::uint64_t seed) {
  feature_set x = normal_features(n, d, seed);
  for (index_t i = 0; i < n; ++i) {
    for (index_t l = d - 1; l > 0; --l) x.row(i)[l] = 1000 + x.row(i)[l] + 0.7f * x.row(i)[l - 1];
  }
  return x;
}

/// Equal within 1e-12 of the variances, which are of order 1: a sum of n <= 1000 products, each good to some
/// 2^-53, with room to spare. The mean is 1000 times as large.
void check_equal(const moments& found, const moments& wanted) {
  BOOST_TEST(found.count() == wanted.count());
  for (index_t r = 0; r < wanted.size(); ++r) {
    const auto i = static_cast<std::size_t>(r);
    BOOST_TEST(std::abs(found.mean()[i] - wanted.mean()[i]) < 1e-11);
    for (index_t c = 0; c < wanted.size(); ++c)
      BOOST_TEST(std::abs(found.covariance(r, c) - wanted.covariance(r, c)) < 1e-11);
  }
}

bool same_bits(const moments& a, const moments& b) {
  bool same = a.mean() == b.mean();
  for (index_t r = 0; r < a.size(); ++r) {
    for (index_t c = 0; c < a.size(); ++c) same = same && a.covariance(r, c) == b.covariance(r, c);
  }
  return same;
}

/// Rows +u and -u for each u, moved by `centre`: mean `centre`, covariance 2 / (n - 1) times the sum of
/// u u^T, exact in float for small integers.
feature_set star(const std::vector<std::vector<float>>& arms, const std::vector<float>& centre) {
  const index_t d = static_cast<index_t>(centre.size());
  feature_set x(2 * static_cast<index_t>(arms.size()), d);
  for (index_t i = 0; i < x.n; ++i) {
    for (index_t l = 0; l < d; ++l) {
      const auto at = static_cast<std::size_t>(l);
      x.row(i)[l] = centre[at] + (i % 2 == 0 ? 1.0f : -1.0f) * arms[static_cast<std::size_t>(i / 2)][at];
    }
  }
  return x;
}

struct matrix2 {
  double a, b, c;  // [a b; b c]
  double determinant() const { return a * c - b * b; }
};

/// tr (PQ)^1/2 = sqrt(tr PQ + 2 sqrt(det PQ)) for 2 x 2.
double root_trace(const matrix2& p, const matrix2& q) {
  return std::sqrt(p.a * q.a + 2 * p.b * q.b + p.c * q.c + 2 * std::sqrt(p.determinant() * q.determinant()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(moments_against_long_double) {
  backend b(2);
  const feature_set x = distant_features(700, 5, 1);
  const moments m = cz::moments_of(b, x);
  BOOST_TEST(m.count() == 700);
  for (index_t r = 0; r < 5; ++r) {
    for (index_t c = 0; c < 5; ++c)
      BOOST_TEST(std::abs(m.covariance(r, c) - covariance_oracle(x, r, c)) < 1e-11);
  }
}

BOOST_AUTO_TEST_CASE(streamed_and_merged_moments_are_those_of_one_pass) {
  backend b(2);
  const feature_set x = distant_features(1000, 4, 2);
  const moments whole = cz::moments_of(b, x);
  moments streamed(4), left(4), right(4);
  const cz::feature_view rows = x;
  for (index_t first = 0, n = 1; first < 1000; first += n, n = std::min(2 * n + 1, 1000 - first))
    streamed.add(b, rows.rows(first, n));
  check_equal(streamed, whole);
  left.add(b, rows.rows(0, 17));
  right.add(b, rows.rows(17, 983));
  left.merge(right);
  check_equal(left, whole);
  left.merge(moments(4));  // nothing
  check_equal(left, whole);
  moments empty(4);
  empty.merge(whole);
  check_equal(empty, whole);
  check_equal(cz::moments_of(b, reversed_rows(x)), whole);
}

BOOST_AUTO_TEST_CASE(moments_have_the_same_bits_on_any_number_of_threads) {
  const feature_set x = distant_features(600, 33, 3);
  cz::reference_backend<float> plain;
  const moments wanted = cz::moments_of(plain, x);
  for (const int threads : {1, 2, 5}) {
    backend b(threads);
    BOOST_TEST(same_bits(cz::moments_of(b, x), wanted));
  }
}

BOOST_AUTO_TEST_CASE(gaussians_whose_covariances_commute) {
  cz::reference_backend<float> b;
  // Variances 2/5 s^2 along the axes: the distance is the sum of (s - t)^2 of standard deviations.
  const moments p = cz::moments_of(b, star({{1, 0, 0}, {0, 2, 0}, {0, 0, 3}}, {0, 0, 0}));
  const moments q = cz::moments_of(b, star({{4, 0, 0}, {0, 2, 0}, {0, 0, 1}}, {1, -2, 5}));
  const cz::frechet_result found = cz::frechet_distance(p, q);
  // 1e-13 of the traces, 14: eigenvalues are good to some 2^-52 of the greatest.
  BOOST_TEST(std::abs(found.mean_part - 30) < 1e-12);
  BOOST_TEST(std::abs(found.covariance_part - 0.4 * (9 + 0 + 4)) < 1e-12);
  BOOST_TEST(found.distance == found.mean_part + found.covariance_part);
  BOOST_TEST(found.few);
}

BOOST_AUTO_TEST_CASE(gaussians_whose_covariances_do_not_commute) {
  cz::reference_backend<float> b;
  // Planes (0, 1) and (2, 3), the arms of one set turned against those of the other.
  const moments p =
      cz::moments_of(b, star({{3, 1, 0, 0}, {-1, 3, 0, 0}, {0, 0, 5, 0}, {0, 0, 0, 1}}, {0, 0, 0, 0}));
  const moments q =
      cz::moments_of(b, star({{4, 3, 0, 0}, {-1, 1, 0, 0}, {0, 0, 2, 1}, {0, 0, 3, 3}}, {0, 1, 0, 0}));
  const double s = 2.0 / 7;
  const auto scaled = [&](double a, double c, double e) { return matrix2{s * a, s * c, s * e}; };
  const double roots =
      root_trace(scaled(10, 0, 10), scaled(17, 11, 10)) + root_trace(scaled(25, 0, 1), scaled(13, 11, 10));
  const double wanted = 1 + s * (20 + 27 + 26 + 23) - 2 * roots;
  BOOST_TEST(std::abs(cz::frechet_distance(p, q).distance - wanted) < 1e-12);
  BOOST_TEST(std::abs(cz::frechet_distance(q, p).distance - wanted) < 1e-12);
}

BOOST_AUTO_TEST_CASE(identities) {
  backend b(2);
  const moments p = cz::moments_of(b, normal_features(2000, 20, 4)),
                q = cz::moments_of(b, distant_features(3000, 20, 5));
  BOOST_TEST(cz::frechet_distance(p, p).distance < 1e-12 * 40);
  BOOST_TEST(!cz::frechet_distance(p, q).few);
  const double there = cz::frechet_distance(p, q).distance, back = cz::frechet_distance(q, p).distance;
  BOOST_TEST(std::abs(there - back) < 1e-13 * there);
  // Moved by m: |m|^2 more, the rest unchanged. In multiples of 1/4, which the float rows can hold.
  feature_set x = integer_features(3000, 6, 6, 3), moved = x;
  for (index_t i = 0; i < moved.n; ++i) moved.row(i)[2] += 2.5f;
  BOOST_TEST(std::abs(cz::frechet_distance(cz::moments_of(b, x), cz::moments_of(b, moved)).distance - 6.25) <
             1e-11);
}

// Of a set and itself, rounding makes tr A + tr B - 2 tr (A^1/2 B A^1/2)^1/2 negative as often as not.
BOOST_AUTO_TEST_CASE(no_distance_is_negative) {
  cz::reference_backend<float> b;
  int negative = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const moments p = cz::moments_of(b, normal_features(100, 8, seed));
    const Eigen::MatrixXd a = cz::detail::covariance_matrix(p);
    negative += a.trace() + a.trace() - 2 * cz::detail::trace_of_root(a, a) < 0;
    const cz::frechet_result found = cz::frechet_distance(p, p);
    BOOST_TEST(found.covariance_part >= 0);
    BOOST_TEST(found.distance >= 0);
  }
  BOOST_TEST(negative > 0);
}

// Four features are sums of two others: rounding makes eigenvalues below 0, whose roots would be NaN. Twice
// the rows have four times the covariance A, and the distance of the two is tr A.
BOOST_AUTO_TEST_CASE(eigenvalues_below_0_count_as_0) {
  cz::reference_backend<float> b;
  int below = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    feature_set x = normal_features(100, 6, seed), twice = x;
    for (index_t i = 0; i < x.n; ++i) {
      for (index_t l = 2; l < 6; ++l) x.row(i)[l] = x.row(i)[0] + static_cast<float>(l) * x.row(i)[1];
      for (index_t l = 0; l < 6; ++l) twice.row(i)[l] = 2 * x.row(i)[l];
    }
    const moments p = cz::moments_of(b, x);
    const Eigen::MatrixXd a = cz::detail::covariance_matrix(p);
    below += Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(a).eigenvalues()[0] < 0;
    const double found = cz::frechet_distance(p, cz::moments_of(b, twice)).covariance_part;
    BOOST_TEST(std::abs(found - a.trace()) < 1e-6 * a.trace());
  }
  BOOST_TEST(below > 0);
}

BOOST_AUTO_TEST_CASE(singular_covariances) {
  cz::reference_backend<float> b;
  // One feature is constant, one is twice another. Eigenvalues that should be 0 are off by 1e-16 of the
  // greatest, their roots by 1e-8.
  feature_set x = normal_features(100, 4, 7);
  for (index_t i = 0; i < x.n; ++i) {
    x.row(i)[1] = 3;
    x.row(i)[2] = 2 * x.row(i)[0];
  }
  const moments p = cz::moments_of(b, x);
  BOOST_TEST(cz::frechet_distance(p, p).distance < 1e-6);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_compared) {
  backend b(1);
  const moments small = cz::moments_of(b, normal_features(5, 5, 1)),
                three = cz::moments_of(b, normal_features(9, 3, 1)),
                fine = cz::moments_of(b, normal_features(6, 5, 1));
  BOOST_CHECK_NO_THROW(cz::frechet_distance(fine, fine));
  BOOST_CHECK_EXCEPTION(cz::frechet_distance(small, fine), cz::error,
                        says("there are 5 and 6 rows of 5 features"));
  BOOST_CHECK_EXCEPTION(cz::frechet_distance(three, fine), cz::error, says("dimensions 3 and 5"));
  moments m(5);
  BOOST_CHECK_EXCEPTION(m.add(b, normal_features(2, 3, 1)), cz::error, says("the rows have 3 values"));
  BOOST_CHECK_EXCEPTION(m.merge(three), cz::error, says("dimension 3"));
  BOOST_CHECK_EXCEPTION(moments(0), cz::error, says("must be positive"));
  BOOST_CHECK_EXCEPTION(m.add(b, rows_of({{1, 2, 3, std::numeric_limits<float>::quiet_NaN(), 5}})), cz::error,
                        says("value 3 of row 0"));
  BOOST_CHECK_EXCEPTION(cz::frechet_infinity(b, normal_features(300, 60, 1), normal_features(900, 60, 2)),
                        cz::error, says("there are 300 samples and 900 reference rows of 60 features"));
  BOOST_CHECK_NO_THROW(cz::frechet_infinity(b, normal_features(78, 3, 1), normal_features(78, 3, 2)));
}

// N(0, I) in 3 dimensions against N((1, 0, 0), diag(4, 1, 1)): distance 1 + (2 - 1)^2 = 2.
BOOST_AUTO_TEST_CASE(the_extrapolation_is_unbiased_and_its_interval_honest) {
  backend b(2);
  const int trials = 60;
  const index_t n = 600;
  int covered = 0, covered_by_chance = 0;
  double sum = 0, squares = 0, plain = 0, errors = 0;
  for (int t = 0; t < trials; ++t) {
    const feature_set x = normal_features(n, 3, static_cast<std::uint64_t>(1000 + t));
    feature_set y = normal_features(2 * n, 3, static_cast<std::uint64_t>(2000 + t));
    for (index_t i = 0; i < y.n; ++i) y.row(i)[0] = 1 + 2 * y.row(i)[0];
    const cz::frechet_infinity_result found = cz::frechet_infinity(b, x, y);
    BOOST_TEST(std::abs(found.high - found.distance - 2.2622 * found.standard_error) < 1e-12);
    BOOST_TEST(found.few);
    covered += found.low < 2 && 2 < found.high;
    covered_by_chance += found.low < 2.5 && 2.5 < found.high;
    sum += found.distance;
    squares += found.distance * found.distance;
    errors += found.standard_error;
    plain += cz::frechet_distance(cz::moments_of(b, x), cz::moments_of(b, y)).distance;
  }
  const double mean = sum / trials, spread = std::sqrt((squares - sum * mean) / (trials - 1));
  BOOST_TEST_MESSAGE("mean " << mean << ", plain " << plain / trials << ", spread " << spread << ", stated "
                             << errors / trials << ", covered " << covered << " of " << trials);
  BOOST_TEST(std::abs(mean - 2) < 4 * spread / std::sqrt(trials));
  // 57 expected; fewer than 50 has a probability of 2e-3 at 95 % and of 6e-2 at 90 %.
  BOOST_TEST(covered >= 50);
  BOOST_TEST(covered_by_chance < 30);  // and it does not cover everything
  BOOST_TEST(std::abs(errors / trials / spread - 1) < 0.35);
}

// In 40 dimensions, two sets of one distribution: the bias is plain to see, and the interval excludes it.
BOOST_AUTO_TEST_CASE(the_extrapolation_removes_the_bias_of_few_rows) {
  backend b(2);
  const feature_set x = normal_features(2400, 40, 8), y = normal_features(2400, 40, 9);
  const double plain = cz::frechet_distance(cz::moments_of(b, x), cz::moments_of(b, y)).distance;
  const cz::frechet_infinity_result found = cz::frechet_infinity(b, x, y);
  BOOST_TEST_MESSAGE("plain " << plain << ", extrapolated " << found.low << " .. " << found.distance << " .. "
                              << found.high);
  BOOST_TEST(plain > 0.3);
  BOOST_TEST((found.low < 0 && 0 < found.high));
  BOOST_TEST(found.high < plain / 2);
  BOOST_TEST(!found.few);
  // Deterministic by seed, for any number of threads.
  backend one(1);
  BOOST_TEST(cz::frechet_infinity(one, x, y).distance == found.distance);
  BOOST_TEST(cz::frechet_infinity(one, x, y, 1).distance != found.distance);
}
