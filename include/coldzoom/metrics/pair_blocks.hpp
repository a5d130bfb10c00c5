/// All pairs of rows of two sets, block by block, so that no n x n matrix is ever held.
#pragma once

#include <coldzoom/backend/cpu/simd.hpp>
#include <coldzoom/metrics/features.hpp>

namespace coldzoom::inline COLDZOOM_ISA::detail {

/// (x - y)^2 summed as it stands and not as x^2 + y^2 - 2xy: nothing cancels, equal rows are at distance 0,
/// and d(x, y) has the bits of d(y, x).
struct squared_difference {
  template <class X, class V> COLDZOOM_INLINE static V add(const X& x, const V& y, const V& total) {
    const V difference = x - y;
    return total + difference * difference;
  }
};
struct product {
  template <class X, class V> COLDZOOM_INLINE static V add(const X& x, const V& y, const V& total) {
    return total + x * y;
  }
};

/// values[i * leading + j] belongs to rows first_x + i of x and first_y + j of y.
struct pair_block {
  index_t first_x, first_y, rows, cols, leading;
  const float* values;

  const float* row(index_t i) const { return values + i * leading; }
};

inline constexpr index_t panel_width = 2 * native_lanes<float>;

/// Rows of y, transposed into panels [panel][d][panel_width], the rest zero. Index: row of the panels.
struct pack_panels {
  feature_view y;
  float* panels;

  void operator()(index_t j) const {
    float* column = panels + (j / panel_width) * y.d * panel_width + j % panel_width;
    for (index_t l = 0; l < y.d; ++l) column[l * panel_width] = j < y.n ? y.row(j)[l] : 0.0f;
  }
};

/// One panel against `chunk` rows of x, in tiles of four rows by two vectors; every sum runs in the order of
/// l. Index: [panel][chunk].
template <class Term> struct panel_product {
  static constexpr index_t chunk = 64, tile = 4;

  feature_view x;
  const float* panels;
  index_t leading;
  float* out;

  void operator()(index_t i) const {
    const index_t chunks = (x.n + chunk - 1) / chunk, first = i % chunks * chunk, panel = i / chunks;
    for (index_t r = first; r < std::min(first + chunk, x.n); r += tile) {
      multiply(r, panels + panel * x.d * panel_width, out + panel * panel_width);
    }
  }

 private:
  void multiply(index_t first, const float* panel, float* to) const {
    constexpr index_t lanes = native_lanes<float>;
    const index_t last = x.n - 1;  // rows beyond it are computed as this one again and left out
    const float* rows[tile];
    for (index_t r = 0; r < tile; ++r) rows[r] = x.row(std::min(first + r, last));
    vec<float, lanes> total[tile][2] = {};
    for (index_t l = 0; l < x.d; ++l) {
      const vec<float, lanes> left = load<lanes>(panel + l * panel_width);
      const vec<float, lanes> right = load<lanes>(panel + l * panel_width + lanes);
      for (index_t r = 0; r < tile; ++r) {
        total[r][0] = Term::add(rows[r][l], left, total[r][0]);
        total[r][1] = Term::add(rows[r][l], right, total[r][1]);
      }
    }
    for (index_t r = 0; r < tile && first + r < x.n; ++r) {
      store<lanes>(to + (first + r) * leading, total[r][0]);
      store<lanes>(to + (first + r) * leading + lanes, total[r][1]);
    }
  }
};

/// Runs kernel_of(pair_block), index: row of the block, for blocks that cover x times y; those of one row of
/// x come in the order of y. Cost: x.n y.n d multiply-adds, shared by the threads of the backend; memory: 1
/// MiB and 4 KiB d.
template <class Term, HostBackend B, class KernelOf>
void for_each_pair_row(B& b, feature_view x, feature_view y, KernelOf kernel_of) {
  constexpr index_t most_rows = 256, most_cols = 1024;
  const auto whole = [](index_t n) { return (n + panel_width - 1) / panel_width * panel_width; };
  const index_t leading = whole(std::min(y.n, most_cols));
  auto panels = b.template allocate<float>(leading * x.d);
  auto values = b.template allocate<float>(std::min(x.n, most_rows) * leading);
  using kernel = panel_product<Term>;
  for (index_t first_y = 0; first_y < y.n; first_y += most_cols) {
    const feature_view cols = y.rows(first_y, std::min(most_cols, y.n - first_y));
    b.for_each_index(whole(cols.n), pack_panels{cols, panels.data()}, 4 * x.d);
    for (index_t first_x = 0; first_x < x.n; first_x += most_rows) {
      const feature_view rows = x.rows(first_x, std::min(most_rows, x.n - first_x));
      const index_t tasks = whole(cols.n) / panel_width * ((rows.n + kernel::chunk - 1) / kernel::chunk);
      b.for_each_index(tasks, kernel{rows, panels.data(), leading, values.data()},
                       kernel::chunk * panel_width * x.d / native_lanes<float>);
      const pair_block block{first_x, first_y, rows.n, cols.n, leading, values.data()};
      b.for_each_index(block.rows, kernel_of(block), block.cols);
    }
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA::detail
