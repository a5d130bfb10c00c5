/// Sums over many elements by blocks, in an order that depends on the shapes alone.
#pragma once

#include <algorithm>
#include <coldzoom/backend/device/block.hpp>
#include <coldzoom/backend/generic/elementwise.hpp>

namespace coldzoom::inline COLDZOOM_ISA::device {

/// sums[block] = sum of the `size` elements from values + block * size on.
template <class Real> struct row_sums {
  static constexpr int most_threads = usual_threads;
  index_t size;
  const Real* values;
  Real* sums;

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    Real* shared = block.template shared<Real>(block.threads());
    const Real* row = values + block.index() * size;
    const Real total = sum(block, shared, [&](int thread) {
      Real part = 0;
      for (index_t i = thread; i < size; i += block.threads()) part += row[i];
      return part;
    });
    block.for_each_thread([&](int thread) {
      if (thread == 0) sums[block.index()] = total;
    });
  }
};

/// sums[block] = sum in double of the elements block * chunk .. of `count` values.
template <class Real> struct chunk_sums {
  static constexpr int most_threads = usual_threads;
  static constexpr index_t chunk = 4096;
  index_t count;
  const Real* values;
  double* sums;

  static constexpr index_t chunks(index_t count) { return count <= chunk ? 1 : (count + chunk - 1) / chunk; }

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    double* shared = block.template shared<double>(block.threads());
    const index_t first = block.index() * chunk, end = first + chunk < count ? first + chunk : count;
    const double total = sum(block, shared, [&](int thread) {
      double part = 0;
      for (index_t i = first + thread; i < end; i += block.threads()) part += static_cast<double>(values[i]);
      return part;
    });
    block.for_each_thread([&](int thread) {
      if (thread == 0) sums[block.index()] = total;
    });
  }
};

/// parts[split] = sum of terms(row, column) over rows split * most_rows .. , for every column; Terms names
/// the type of a term, `value`, and `store(parts, split, columns, column, sum)`. Block: [split][32 columns].
template <class Terms> struct column_sums {
  static constexpr int most_threads = usual_threads;
  static constexpr int width = 32, most_rows = 64;
  using value = typename Terms::value;

  index_t rows, columns;
  Terms terms;
  typename Terms::real* parts;

  static index_t splits(index_t rows) { return (rows + most_rows - 1) / most_rows; }
  static constexpr index_t shared_bytes() { return most_threads * static_cast<index_t>(sizeof(value)); }
  COLDZOOM_HD index_t tiles() const { return (columns + width - 1) / width; }
  index_t blocks() const { return splits(rows) * tiles(); }

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    const index_t split = block.index() / tiles(), start = block.index() % tiles() * width;
    const index_t first = split * most_rows, end = first + most_rows < rows ? first + most_rows : rows;
    const int lines = block.threads() / width;
    value* shared = block.template shared<value>(block.threads());
    block.for_each_thread([&](int thread) {
      const index_t column = start + thread % width;
      value total{};
      for (index_t row = first + thread / width; row < end && column < columns; row += lines)
        total += terms(row, column);
      shared[thread] = total;
    });
    block.for_each_thread([&](int thread) {
      const index_t column = start + thread;
      if (thread >= width || column >= columns) return;
      value total{};
      for (int line = 0; line < lines; ++line) total += shared[line * width + thread];
      Terms::store(parts, split, columns, column, total);
    });
  }
};

/// Threads for rows of `size` elements: whole warps, no more than there is work for.
inline int threads_for(index_t size) {
  const index_t threads = (size + 31) / 32 * 32;
  return threads < usual_threads ? static_cast<int>(threads) : usual_threads;
}

/// sums[row] = sum of row `row` of [rows][size].
template <BlockBackend B>
void sum_rows(B& b, index_t rows, index_t size, const real_t<B>* values, real_t<B>* sums) {
  const int threads = threads_for(size);
  b.for_each_block(rows, threads, threads * static_cast<index_t>(sizeof(real_t<B>)) + 16,
                   row_sums<real_t<B>>{size, values, sums});
}

/// Elements of scratch memory that `sum_all` wants.
inline index_t sum_scratch(index_t count) {
  const index_t chunks = chunk_sums<double>::chunks(count);
  return chunks == 1 ? 0 : chunks + sum_scratch(chunks);
}
/// *result = sum of `count` values in double, in an order that depends on the count alone.
template <class Real, BlockBackend B>
void sum_all(B& b, const Real* values, index_t count, double* scratch, double* result) {
  const index_t chunks = chunk_sums<Real>::chunks(count);
  const int threads = threads_for(std::max<index_t>(1, std::min(count, chunk_sums<Real>::chunk)));
  b.for_each_block(chunks, threads, threads * static_cast<index_t>(sizeof(double)) + 16,
                   chunk_sums<Real>{count, values, chunks == 1 ? result : scratch});
  if (chunks > 1) sum_all<double>(b, scratch, chunks, scratch + chunks, result);
}

/// The elements of a dense matrix, for column_sums that put the sum of a split into its first row.
template <class Real> struct matrix_elements {
  using real = Real;
  using value = Real;
  index_t columns;
  const Real* values;

  COLDZOOM_HD Real operator()(index_t row, index_t column) const { return values[row * columns + column]; }
  COLDZOOM_HD static void store(Real* parts, index_t split, index_t columns, index_t column, Real sum) {
    parts[split * column_sums<matrix_elements>::most_rows * columns + column] = sum;
  }
};

/// to[i] += sum over s < count of parts[s][i], i < size, in an order that depends on the count alone. `parts`
/// is overwritten.
template <BlockBackend B>
void add_in_order(B& b, index_t count, index_t size, real_t<B>* parts, real_t<B>* to) {
  using kernel = column_sums<matrix_elements<real_t<B>>>;
  index_t leading = size;
  if (count > kernel::most_rows) {  // one thread a column would take long for so many
    const kernel k{count, size, {size, parts}, parts};
    b.for_each_block(k.blocks(), kernel::most_threads, kernel::shared_bytes(), k);
    leading = size * kernel::most_rows;
    count = kernel::splits(count);
  }
  b.for_each_index(size, generic::add_rows<real_t<B>>{parts, count, leading, to}, count);
}

}  // namespace coldzoom::inline COLDZOOM_ISA::device
