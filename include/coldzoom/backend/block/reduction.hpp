/// Sums over many elements by blocks, in an order that depends on the shapes alone.
#pragma once

#include <algorithm>
#include <coldzoom/backend/block/block.hpp>
#include <coldzoom/backend/generic/elementwise.hpp>

namespace coldzoom::inline COLDZOOM_ISA::blocks {

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

/// to[i] += sum over s < count of parts[s][i], i < size.
template <BlockBackend B>
void add_in_order(B& b, index_t count, index_t size, const real_t<B>* parts, real_t<B>* to) {
  b.for_each_index(size, generic::add_rows<real_t<B>>{parts, count, size, to}, count);
}

}  // namespace coldzoom::inline COLDZOOM_ISA::blocks
