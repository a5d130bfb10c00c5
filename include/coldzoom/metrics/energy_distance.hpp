/// Whether two sets of vectors come from one law: the energy distance and its permutation test.
#pragma once

#include <coldzoom/data/dataset.hpp>
#include <coldzoom/metrics/pair_blocks.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

struct energy_distance_options {
  index_t permutations = 200;
  std::uint64_t seed = 0;
};

struct energy_distance_result {
  double distance = 0;  // 0 where the sets agree, never below
  double p_value =
      1;  // the share of random divisions of all rows with a distance as large, this one among them
};

namespace detail {

/// Roots of a block of squared distances, at their places in the n x n matrix. Index: row of the block.
struct store_roots {
  pair_block block;
  index_t n;
  float* matrix;

  void operator()(index_t i) const {
    float* to = matrix + (block.first_x + i) * n + block.first_y;
    for (index_t j = 0; j < block.cols; ++j) to[j] = std::sqrt(block.row(i)[j]);
  }
};

/// The energy distance of the rows whose member is 1 from the others. Index: division.
struct divide_rows {
  index_t n;
  const float* matrix;
  const float* members;  // [division][n]
  double* distances;

  void operator()(index_t division) const {
    const float* member = members + division * n;
    double inside = 0, between = 0, outside = 0, count = 0;
    for (index_t i = 0; i < n; ++i) {
      const float* row = matrix + i * n;
      double to_members = 0, all = 0;
      for (index_t j = 0; j < n; ++j) {
        to_members += static_cast<double>(row[j] * member[j]);
        all += static_cast<double>(row[j]);
      }
      count += static_cast<double>(member[i]);
      if (member[i] > 0) {
        inside += to_members;
      } else {
        between += to_members;
        outside += all - to_members;
      }
    }
    const double rest = static_cast<double>(n) - count;
    distances[division] = 2 * between / (count * rest) - inside / (count * count) - outside / (rest * rest);
  }
};

}  // namespace detail

/// 2 E|X - Y| - E|X - X'| - E|Y - Y'| between two sets (Szekely and Rizzo 2004, "Testing for equal distributions in high
/// dimension"), and the p-value of the hypothesis that both are of one law, from random divisions of all their rows by
/// `seed`. A p-value below 0.01 says that the sets differ; a large one, that so few rows do not show it.
///
/// Throws `error` for fewer than two rows of either, unequal dimensions, values that are not finite, and no
/// permutation. Same bits on any number of threads. Cost: (n + m)^2 (d + 2 permutations) operations and
/// 4 (n + m)^2 bytes: 0.5 s and 16 MB for 1,000 rows each.
template <HostBackend B>
energy_distance_result energy_distance(B& b, feature_view x, feature_view y,
                                       energy_distance_options options = {}) {
  const char* const where = "energy_distance";
  detail::check_pair(where, x, y);
  require(x.n >= 2 && y.n >= 2 && options.permutations >= 1, where, [&] {
    return "there are " + std::to_string(x.n) + " and " + std::to_string(y.n) + " rows and " +
           std::to_string(options.permutations) +
           " permutations; wanted two rows of each and one permutation at least";
  });
  const index_t n = x.n + y.n, divisions = options.permutations + 1;
  feature_set all(n, x.d);
  std::copy_n(x.data, x.n * x.d, all.row(0));
  std::copy_n(y.data, y.n * y.d, all.row(x.n));
  std::vector<float> matrix(static_cast<std::size_t>(n * n)),
      members(static_cast<std::size_t>(divisions * n));
  detail::for_each_pair_row<detail::squared_difference>(b, all, all, [&](const detail::pair_block& block) {
    return detail::store_roots{block, n, matrix.data()};
  });
  for (index_t k = 0; k < divisions; ++k) {
    const std::vector<std::int32_t> order = shuffled_order(n, options.seed, static_cast<std::uint64_t>(k));
    for (index_t i = 0; i < x.n; ++i) {
      const index_t row =
          k == 0 ? i : order[static_cast<std::size_t>(i)];  // the first are the sets themselves
      members[static_cast<std::size_t>(k * n + row)] = 1;
    }
  }
  std::vector<double> distances(static_cast<std::size_t>(divisions));
  b.for_each_index(divisions, detail::divide_rows{n, matrix.data(), members.data(), distances.data()}, n * n);
  const auto as_large =
      std::count_if(distances.begin(), distances.end(), [&](double d) { return d >= distances[0]; });
  return {std::max(0.0, distances[0]), static_cast<double>(as_large) / static_cast<double>(divisions)};
}

}  // namespace coldzoom::inline COLDZOOM_ISA
