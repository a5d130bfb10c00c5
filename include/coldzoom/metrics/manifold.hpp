/// Precision, recall, density and coverage.
#pragma once

#include <coldzoom/metrics/pair_blocks.hpp>
#include <limits>

namespace coldzoom::inline COLDZOOM_ISA {

struct manifold_options {
  index_t neighbours = 5;  // k: the ball of a row reaches to its k-th nearest other row
  index_t limit = 5000;    // larger sets are cut to a random choice of this many rows
  std::uint64_t seed = 0;  // of that choice
};

struct manifold_scores {
  double precision = 0;                // share of samples inside the ball of a reference row
  double recall = 0;                   // share of reference rows inside the ball of a sample
  double density = 0;                  // reference balls around a sample, mean, divided by k; can exceed 1
  double coverage = 0;                 // share of reference rows whose ball holds a sample
  index_t samples = 0, reference = 0;  // rows compared
};

namespace detail {

/// Keeps the k smallest distances to other rows, ascending, at nearest[row]. Index: row of the block.
struct keep_nearest {
  pair_block block;
  index_t k;
  float* nearest;  // [n][k]

  void operator()(index_t i) const {
    const float* values = block.row(i);
    const index_t self = block.first_x + i - block.first_y;
    float* best = nearest + (block.first_x + i) * k;
    for (index_t j = 0; j < block.cols; ++j) {
      if (values[j] >= best[k - 1] || j == self) continue;
      index_t place = k - 1;
      for (; place > 0 && best[place - 1] > values[j]; --place) best[place] = best[place - 1];
      best[place] = values[j];
    }
  }
};

/// Squared distance of each row to its k-th nearest other.
template <HostBackend B> std::vector<float> squared_radii(B& b, feature_view x, index_t k) {
  std::vector<float> nearest(static_cast<std::size_t>(x.n * k), std::numeric_limits<float>::infinity());
  for_each_pair_row<squared_difference>(b, x, x, [&](const pair_block& block) {
    return keep_nearest{block, k, nearest.data()};
  });
  std::vector<float> radii(static_cast<std::size_t>(x.n));
  for (std::size_t i = 0; i < radii.size(); ++i)
    radii[i] = nearest[(i + 1) * static_cast<std::size_t>(k) - 1];
  return radii;
}

/// What the balls around the rows of y and around a row of x itself hold.
struct ball_counts {
  index_t balls = 0;   // balls of y that hold this row
  bool holds = false;  // this row's own ball holds a row of y
};

/// Index: row of the block.
struct count_balls {
  pair_block block;
  const float *radii_x, *radii_y;
  ball_counts* counts;

  void operator()(index_t i) const {
    const float* values = block.row(i);
    const float own = radii_x[block.first_x + i];
    index_t balls = 0, held = 0;
    for (index_t j = 0; j < block.cols; ++j) {
      balls += values[j] <= radii_y[block.first_y + j];
      held += values[j] <= own;
    }
    counts[block.first_x + i].balls += balls;
    counts[block.first_x + i].holds |= held > 0;
  }
};

template <HostBackend B>
std::vector<ball_counts> balls_around(B& b, feature_view x, const std::vector<float>& radii_x, feature_view y,
                                      const std::vector<float>& radii_y) {
  std::vector<ball_counts> counts(static_cast<std::size_t>(x.n));
  for_each_pair_row<squared_difference>(b, x, y, [&](const pair_block& block) {
    return count_balls{block, radii_x.data(), radii_y.data(), counts.data()};
  });
  return counts;
}

/// At most `limit` rows, a random choice if there are more.
inline feature_set choose_rows(feature_view x, index_t limit, std::uint64_t seed) {
  const bool all = x.n <= limit;
  const std::vector<std::int32_t> order = all ? natural_order(x.n) : shuffled_order(x.n, seed, 0);
  return gather_rows(x, order.data(), std::min(x.n, limit));
}

}  // namespace detail

/// Precision and recall of Kynkaanniemi et al. (2019), density and coverage of Naeem et al. (2020), over
/// Euclidean balls that reach to the k-th nearest other row of their own set, their surface included.
/// Precision and density fall where samples lie off the data, recall and coverage where data has no samples
/// near; density and coverage are the ones that single outliers cannot inflate. All depend on the number of
/// rows: compare at equal numbers only.
///
/// Distances are sums of squared differences in float; the same bits on any number of threads. Throws `error`
/// unless each set has more than k >= 1 rows, for unequal dimensions and values that are not finite. Cost:
/// 4 limit^2 d multiply-adds, 1.5 s for 5,000 rows of 128 on two cores; memory: 8 limit (d + k) bytes and 1
/// MiB.
template <HostBackend B>
manifold_scores compare_manifolds(B& b, feature_view samples, feature_view reference,
                                  manifold_options options = {}) {
  constexpr const char* where = "compare_manifolds";
  detail::check_pair(where, samples, reference);
  const index_t k = options.neighbours;
  require(k >= 1, where, [&] { return "k is " + std::to_string(k) + "; it must be positive"; });
  require(std::min({samples.n, reference.n, options.limit}) > k, where, [&] {
    return "there are " + std::to_string(samples.n) + " samples and " + std::to_string(reference.n) +
           " reference rows, limited to " + std::to_string(options.limit) + "; k = " + std::to_string(k) +
           " needs more than k of each";
  });
  const feature_set x = detail::choose_rows(samples, options.limit, options.seed);
  const feature_set y = detail::choose_rows(reference, options.limit, options.seed);
  const std::vector<float> radii_x = detail::squared_radii(b, x, k), radii_y = detail::squared_radii(b, y, k);

  manifold_scores scores{0, 0, 0, 0, x.n, y.n};
  for (const detail::ball_counts& sample : detail::balls_around(b, x, radii_x, y, radii_y)) {
    scores.precision += sample.balls > 0;
    scores.density += static_cast<double>(sample.balls);
  }
  for (const detail::ball_counts& real : detail::balls_around(b, y, radii_y, x, radii_x)) {
    scores.recall += real.balls > 0;
    scores.coverage += real.holds;
  }
  scores.precision /= static_cast<double>(x.n);
  scores.density /= static_cast<double>(x.n * k);
  scores.recall /= static_cast<double>(y.n);
  scores.coverage /= static_cast<double>(y.n);
  return scores;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
