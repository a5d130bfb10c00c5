/// The Frechet distance (FID over any features) and its value for infinitely many samples. Needs Eigen 3.4.
#pragma once

#include <coldzoom/metrics/moments.hpp>

// g++ 12 calls the undefined vectors of its own AVX-512 intrinsics uninitialised wherever Eigen uses them.
#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__)
#  pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#  pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <Eigen/Core>
#include <Eigen/Eigenvalues>

namespace coldzoom::inline COLDZOOM_ISA {

/// Below this many rows the distance is mostly bias; see `few` of the results.
inline constexpr index_t frechet_few = 2000;

struct frechet_result {
  double distance = 0;
  double mean_part = 0;        // ||mu_a - mu_b||^2
  double covariance_part = 0;  // tr A + tr B - 2 tr (A^1/2 B A^1/2)^1/2
  bool few = false;            // a set has fewer than `frechet_few` rows: say so beside the number
};

namespace detail {

inline Eigen::MatrixXd covariance_matrix(const moments& m) {
  Eigen::MatrixXd out(m.size(), m.size());
  for (index_t c = 0; c < m.size(); ++c) {
    for (index_t r = 0; r < m.size(); ++r) out(r, c) = m.covariance(r, c);
  }
  return out;
}

/// tr (A^1/2 B A^1/2)^1/2 of positive semi-definite A and B. Eigenvalues that rounding made negative count
/// as 0.
inline double trace_of_root(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> of_a(a);
  const Eigen::VectorXd roots = of_a.eigenvalues().cwiseMax(0).cwiseSqrt();
  const Eigen::MatrixXd root = of_a.eigenvectors() * roots.asDiagonal();  // A^1/2 turned by the eigenvectors
  const Eigen::MatrixXd half = b * root, product = root.transpose() * half;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> of_product(product, Eigen::EigenvaluesOnly);
  return of_product.eigenvalues().cwiseMax(0).cwiseSqrt().sum();
}
#pragma GCC diagnostic pop

}  // namespace detail

/// ||mu_a - mu_b||^2 + tr A + tr B - 2 tr (A^1/2 B A^1/2)^1/2 of the means and the covariances (divided by
/// n - 1), that is the squared Wasserstein-2 distance of two Gaussians (Dowson and Landau 1982; Heusel et al.
/// 2017 for images). Double, symmetric eigensolver; symmetric in its arguments and 0 for equal ones up to
/// rounding, about 1e-13 of the traces, or 1e-7 of them where a covariance is singular.
///
/// It is biased upwards by about c / n: compare at equal n, or use `frechet_infinity`. Throws `error` for
/// different dimensions and where a set has no more rows than features, for then its covariance is singular
/// whatever the data. Cost: about 15 d^3 operations, 3 ms at d = 128; memory: 5 matrices of d x d doubles.
inline frechet_result frechet_distance(const moments& a, const moments& b) {
  constexpr const char* where = "frechet_distance";
  const index_t d = a.size();
  require(d > 0 && d == b.size(), where, [&] {
    return "the features have dimensions " + std::to_string(d) + " and " + std::to_string(b.size()) +
           "; they must come from one extractor";
  });
  require(std::min(a.count(), b.count()) > d, where, [&] {
    return "there are " + std::to_string(a.count()) + " and " + std::to_string(b.count()) + " rows of " +
           std::to_string(d) + " features; it needs more rows than features, and 2000 to mean much";
  });
  frechet_result result;
  for (std::size_t i = 0; i < a.mean().size(); ++i) {
    result.mean_part += (a.mean()[i] - b.mean()[i]) * (a.mean()[i] - b.mean()[i]);
  }
  const Eigen::MatrixXd of_a = detail::covariance_matrix(a), of_b = detail::covariance_matrix(b);
  result.covariance_part = std::max(of_a.trace() + of_b.trace() - 2 * detail::trace_of_root(of_a, of_b), 0.0);
  result.distance = result.mean_part + result.covariance_part;
  result.few = std::min(a.count(), b.count()) < frechet_few;
  return result;
}

struct frechet_infinity_result {
  double distance = 0;        // extrapolated; may be below 0 by chance where the sets agree
  double low = 0, high = 0;   // 95 % confidence interval
  double standard_error = 0;  // of `distance`
  bool few = false;           // a set has fewer than `frechet_few` rows
};

namespace detail {

inline constexpr index_t frechet_parts = 5;    // sub-samples: all rows, halves, ..., fifths
inline constexpr index_t frechet_groups = 10;  // for the jackknife
inline constexpr index_t frechet_chunks = 60;  // divisible by 1 .. parts and by the groups

/// Moments of the rows in `frechet_chunks` equal parts of a random order.
template <HostBackend B> std::vector<moments> chunk_moments(B& b, feature_view x, std::uint64_t seed) {
  const std::vector<std::int32_t> order = shuffled_order(x.n, seed, 0);
  std::vector<moments> chunks;
  for (index_t i = 0; i < frechet_chunks; ++i) {
    const index_t first = i * x.n / frechet_chunks, last = (i + 1) * x.n / frechet_chunks;
    chunks.push_back(moments_of(b, gather_rows(x, order.data() + first, last - first)));
  }
  return chunks;
}

/// Intercept of the least-squares line of the distance over 1 / (share of the rows).
inline double frechet_intercept(const std::vector<moments>& a, const std::vector<moments>& b) {
  const index_t chunks = static_cast<index_t>(a.size());
  double sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
  for (index_t parts = 1; parts <= frechet_parts; ++parts) {
    double x = 0, y = 0;
    for (index_t p = 0; p < parts; ++p) {
      const index_t first = p * chunks / parts, last = (p + 1) * chunks / parts;
      moments of_a(a[0].size()), of_b(b[0].size());
      for (index_t c = first; c < last; ++c) {
        of_a.merge(a[static_cast<std::size_t>(c)]);
        of_b.merge(b[static_cast<std::size_t>(c)]);
      }
      x += static_cast<double>(chunks) / static_cast<double>((last - first) * parts);
      y += frechet_distance(of_a, of_b).distance / static_cast<double>(parts);
    }
    sum_x += x;
    sum_y += y;
    sum_xx += x * x;
    sum_xy += x * y;
  }
  const double n = static_cast<double>(frechet_parts);
  const double slope = (n * sum_xy - sum_x * sum_y) / (n * sum_xx - sum_x * sum_x);
  return (sum_y - slope * sum_x) / n;
}

}  // namespace detail

/// The Frechet distance extrapolated to infinitely many rows, after Chong and Forsyth (2020, "Effectively
/// unbiased FID and Inception Score"): a line over 1 / n through the distances of sub-samples, whose
/// intercept is free of the bias c / n. Here both sets are cut (the paper keeps the reference whole, whose
/// bias then stays), by `seed`, into 1 to 5 disjoint parts, and the distance at n / 5 is the mean of five; so
/// every size uses all rows. The interval comes from a jackknife over ten groups of rows (left out of both
/// sets in turn): standard error and Student's t of 9 degrees of freedom, 95 %. It covers the choice of the
/// rows in both sets, and not what the line misses of order 1 / n^2, which is small where n / 5 is large
/// against d.
///
/// Throws `error` unless every part has more rows than features (n >= 6 d + 60 is enough), and as
/// `frechet_distance` does. Cost: n d^2 multiply-adds and 165 distances, 1 s at n = 10,000, d = 128; memory:
/// 60 d x d doubles a set.
template <HostBackend B>
frechet_infinity_result frechet_infinity(B& b, feature_view samples, feature_view reference,
                                         std::uint64_t seed = 0) {
  constexpr const char* where = "frechet_infinity";
  detail::check_pair(where, samples, reference);
  const index_t fewest = std::min(samples.n, reference.n);
  // The smallest part: a fifth of the chunks that remain in the jackknife, rounded down.
  const index_t smallest = detail::frechet_chunks * (detail::frechet_groups - 1) / detail::frechet_groups /
                           detail::frechet_parts * (fewest / detail::frechet_chunks);
  require(smallest > samples.d, where, [&] {
    return "there are " + std::to_string(samples.n) + " samples and " + std::to_string(reference.n) +
           " reference rows of " + std::to_string(samples.d) + " features; fifths of them must have more " +
           "rows than features, " + std::to_string(6 * samples.d + 60) + " rows are enough";
  });
  const std::vector<moments> of_samples = detail::chunk_moments(b, samples, seed);
  const std::vector<moments> of_reference = detail::chunk_moments(b, reference, seed);
  const auto without = [](const std::vector<moments>& chunks, index_t group) {
    const index_t size = detail::frechet_chunks / detail::frechet_groups;
    std::vector<moments> rest(chunks);
    rest.erase(rest.begin() + group * size, rest.begin() + (group + 1) * size);
    return rest;
  };
  frechet_infinity_result result;
  result.distance = detail::frechet_intercept(of_samples, of_reference);
  double sum = 0, squares = 0;
  const double groups = static_cast<double>(detail::frechet_groups);
  for (index_t g = 0; g < detail::frechet_groups; ++g) {
    const double value = detail::frechet_intercept(without(of_samples, g), without(of_reference, g));
    sum += value;
    squares += value * value;
  }
  constexpr double student_t = 2.2622;  // 97.5 % quantile, 9 degrees of freedom
  const double variance = std::max(0.0, squares - sum * sum / groups) * (groups - 1) / groups;
  result.standard_error = std::sqrt(variance);
  result.low = result.distance - student_t * result.standard_error;
  result.high = result.distance + student_t * result.standard_error;
  result.few = fewest < frechet_few;
  return result;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
