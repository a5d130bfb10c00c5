/// Features for tests.
#pragma once

#include <coldzoom/core/random.hpp>
#include <coldzoom/metrics/features.hpp>
#include <initializer_list>

/// Standard normals, dependent on (seed, row) alone.
inline coldzoom::feature_set normal_features(coldzoom::index_t n, coldzoom::index_t d, std::uint64_t seed) {
  coldzoom::feature_set x(n, d);
  for (coldzoom::index_t i = 0; i < n; ++i) {
    for (coldzoom::index_t l = 0; l < d; ++l) {
      x.row(i)[l] = coldzoom::random_normal({seed, coldzoom::stream::user, static_cast<std::uint64_t>(i)},
                                            static_cast<std::uint64_t>(l));
    }
  }
  return x;
}

/// Integers from -reach to reach: their sums of squares and products are exact in float, ties included.
inline coldzoom::feature_set integer_features(coldzoom::index_t n, coldzoom::index_t d, std::uint64_t seed,
                                              coldzoom::index_t reach) {
  coldzoom::feature_set x(n, d);
  std::uint64_t i = 0;
  for (float& v : x.values) {
    v = static_cast<float>(coldzoom::random_below({seed}, i++, 2 * reach + 1) - reach);
  }
  return x;
}

inline coldzoom::feature_set rows_of(std::initializer_list<std::initializer_list<float>> rows) {
  coldzoom::feature_set x(static_cast<coldzoom::index_t>(rows.size()),
                          static_cast<coldzoom::index_t>(rows.begin()->size()));
  auto out = x.values.begin();
  for (const auto& row : rows) out = std::copy(row.begin(), row.end(), out);
  return x;
}

/// Row i of the result is row n - 1 - i.
inline coldzoom::feature_set reversed_rows(const coldzoom::feature_set& x) {
  coldzoom::feature_set out(x.n, x.d);
  for (coldzoom::index_t i = 0; i < x.n; ++i) std::copy_n(x.row(x.n - 1 - i), x.d, out.row(i));
  return out;
}
