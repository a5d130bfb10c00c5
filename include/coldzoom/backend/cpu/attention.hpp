/// Softmax attention on the CPU: products of small matrices, queries along the lanes.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/backend/cpu/activation_math.hpp>
#include <coldzoom/backend/cpu/gemm.hpp>
#include <coldzoom/backend/cpu/thread_pool.hpp>
#include <coldzoom/backend/generic/attention.hpp>
#include <coldzoom/backend/host_memory.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// An AttentionOperation of backend/operations.hpp: one task for each head of an image. A task takes `block`
/// queries at a time and all their keys, so that the scores stay in the cache; it keeps them as [key][query],
/// and then softmax is arithmetic of whole vectors, and every product has queries or channels along the lanes.
/// The backward pass makes the scores again (Dao et al. 2022, algorithm 4).
///
/// Results depend on no number of threads: a task writes what is its own, in a fixed order.
template <class T> class cpu_attention {
 public:
  cpu_attention(const attention_geometry& g, index_t capacity, bool train, int threads);

  void forward(shared_threads& b, index_t n, const T* qkv, T* y);
  void backward(shared_threads& b, index_t n, const T* qkv, const T* y, const T* dy, T* dqkv);

 private:
  static constexpr index_t L = native_lanes<T>;
  static constexpr index_t block = std::max<index_t>(2 * L, 32);
  using vector = vec<T, L>;
  using view = activation_view<T, L, host_space>;
  using const_view = activation_view<const T, L, host_space>;

  index_t width() const { return g_.head_channels(); }
  index_t padded() const { return (g_.pixels + block - 1) / block * block; }
  /// Memory of one thread, cut into matrices: [pixel][channel], [channel][query], [key][query of a block].
  struct memory {
    T *keys, *values, *queries, *scores, *sums;                               // both passes
    T *query_rows, *dy, *dy_rows, *d_scores, *d_keys, *d_values, *d_queries;  // training
  };
  memory memory_of(int thread);
  index_t memory_size() const;

  const_view input(const T* data) const { return {data, {0, 3 * g_.channels, 1, g_.pixels}}; }
  const_view output(const T* data) const { return {data, {0, g_.channels, 1, g_.pixels}}; }
  /// rows[pixel][channel] = x(n, first + channel, pixel).
  void take_rows(const const_view& x, index_t n, index_t first, T* rows) const;
  /// columns[channel][pixel] = scale x(n, first + channel, pixel), zero in the padding.
  void take_columns(const const_view& x, index_t n, index_t first, T scale, T* columns) const;
  /// scores[key][query] of the block of queries from `begin`.
  void score(const memory& m, index_t begin) const;

  attention_geometry g_;
  bool train_;
  T scale_;
  host_buffer<T> memory_;  // [thread][memory_size()]
  // Of each query, [n][head][query]: its largest score, and one by its sum of exponentials above that.
  host_buffer<T> largest_, share_;
};

// Outside the class, so that they are not inline, see cpu_convolution.
template <class T>
cpu_attention<T>::cpu_attention(const attention_geometry& g, index_t capacity, bool train, int threads)
    : g_(g),
      train_(train),
      scale_(T(1) / std::sqrt(static_cast<T>(g.head_channels()))),
      memory_(threads * memory_size()),
      largest_(capacity * g.heads * padded()),
      share_(capacity * g.heads * padded()) {}

template <class T> index_t cpu_attention<T>::memory_size() const {
  const index_t rows = g_.pixels * width(), columns = width() * padded(), scores = g_.pixels * block;
  const index_t both = 2 * rows + columns + scores + width() * block;
  const index_t trained = 4 * rows + columns + scores + width() * block;
  return (both + (train_ ? trained : 0) + L - 1) / L * L;
}
template <class T> auto cpu_attention<T>::memory_of(int thread) -> memory {
  const index_t rows = g_.pixels * width(), columns = width() * padded(), scores = g_.pixels * block;
  T* next = memory_.data() + thread * memory_size();
  const auto take = [&](index_t size) { return std::exchange(next, next + size); };
  memory m{};
  m.queries = take(columns);
  m.scores = take(scores);
  m.sums = take(width() * block);
  m.keys = take(rows);
  m.values = take(rows);
  if (!train_) return m;
  m.dy = take(columns);
  m.d_scores = take(scores);
  m.d_queries = take(width() * block);
  m.query_rows = take(rows);
  m.dy_rows = take(rows);
  m.d_keys = take(rows);
  m.d_values = take(rows);
  return m;
}

template <class T>
void cpu_attention<T>::take_rows(const const_view& x, index_t n, index_t first, T* rows) const {
  for (index_t pixel = 0; pixel < g_.pixels; ++pixel) {
    for (index_t c = 0; c < width(); ++c) rows[pixel * width() + c] = x.data[x.offset(n, first + c, pixel)];
  }
}
template <class T>
void cpu_attention<T>::take_columns(const const_view& x, index_t n, index_t first, T scale,
                                    T* columns) const {
  for (index_t c = 0; c < width(); ++c) {
    const T* const from = x.data + x.offset(n, first + c, 0);
    T* const to = columns + c * padded();
    for (index_t pixel = 0; pixel < g_.pixels; ++pixel) to[pixel] = scale * from[pixel * L];
    std::fill(to + g_.pixels, to + padded(), T(0));
  }
}
template <class T> void cpu_attention<T>::score(const memory& m, index_t begin) const {
  gemm_of_one_thread<T>(g_.pixels, block, width(), m.keys, width(), 1, m.queries + begin, padded(), m.scores,
                        block, false);
}

template <class T> void cpu_attention<T>::forward(shared_threads& b, index_t n, const T* qkv, T* y) {
  const const_view x = input(qkv);
  const view out{y, {n, g_.channels, 1, g_.pixels}};
  b.pool().run(n * g_.heads, [&](index_t task, int thread) {
    const memory m = memory_of(thread);
    const index_t image = task / g_.heads, first = task % g_.heads * width();
    take_columns(x, image, first, scale_, m.queries);
    take_rows(x, image, g_.channels + first, m.keys);
    take_rows(x, image, 2 * g_.channels + first, m.values);
    T* const largest_of = largest_.data() + task * padded();
    T* const share_of = share_.data() + task * padded();
    for (index_t begin = 0; begin < g_.pixels; begin += block) {
      score(m, begin);
      for (index_t q = 0; q < block; q += L) {
        vector largest = load<L>(m.scores + q), total{};
        for (index_t j = 1; j < g_.pixels; ++j) {
          const vector s = load<L>(m.scores + j * block + q);
          largest = s > largest ? s : largest;
        }
        for (index_t j = 0; j < g_.pixels; ++j) {
          const vector e = exp_of_negative<T, L>(load<L>(m.scores + j * block + q) - largest);
          total += e;
          store<L>(m.scores + j * block + q, e);
        }
        store<L>(largest_of + begin + q, largest);
        store<L>(share_of + begin + q, T(1) / total);
      }
      gemm_of_one_thread<T>(width(), block, g_.pixels, m.values, 1, width(), m.scores, block, m.sums, block,
                            false);
      const index_t count = std::min(block, g_.pixels - begin);
      for (index_t c = 0; c < width(); ++c) {
        T* const to = y + out.offset(image, first + c, begin);
        for (index_t q = 0; q < count; ++q) to[q * L] = m.sums[c * block + q] * share_of[begin + q];
      }
    }
    if (first + width() != g_.channels) return;  // the last head also clears the padding lanes
    for (index_t c = g_.channels; c < out.lane_groups() * L; ++c) {
      for (index_t pixel = 0; pixel < g_.pixels; ++pixel) y[out.offset(image, c, pixel)] = 0;
    }
  });
}

template <class T>
void cpu_attention<T>::backward(shared_threads& b, index_t n, const T* qkv, const T*, const T* dy, T* dqkv) {
  const const_view x = input(qkv), d = output(dy);
  const view dx{dqkv, {n, 3 * g_.channels, 1, g_.pixels}};
  b.pool().run(n * g_.heads, [&](index_t task, int thread) {
    const memory m = memory_of(thread);
    const index_t image = task / g_.heads, first = task % g_.heads * width(), size = g_.pixels * width();
    take_columns(x, image, first, scale_, m.queries);
    take_rows(x, image, first, m.query_rows);
    take_rows(x, image, g_.channels + first, m.keys);
    take_rows(x, image, 2 * g_.channels + first, m.values);
    take_columns(d, image, first, T(1), m.dy);
    take_rows(d, image, first, m.dy_rows);
    const T* const largest_of = largest_.data() + task * padded();
    const T* const share_of = share_.data() + task * padded();
    for (index_t begin = 0; begin < g_.pixels; begin += block) {
      const index_t count = std::min(block, g_.pixels - begin);
      score(m, begin);
      gemm_of_one_thread<T>(g_.pixels, block, width(), m.values, width(), 1, m.dy + begin, padded(),
                            m.d_scores, block, false);
      for (index_t q = 0; q < block; q += L) {
        const vector largest = load<L>(largest_of + begin + q), share = load<L>(share_of + begin + q);
        vector slope{};  // dy . y of each query
        for (index_t j = 0; j < g_.pixels; ++j) {
          T* const s = m.scores + j * block + q;
          const vector p = exp_of_negative<T, L>(load<L>(s) - largest) * share;
          slope += p * load<L>(m.d_scores + j * block + q);
          store<L>(s, p);
        }
        for (index_t j = 0; j < g_.pixels; ++j) {
          T* const ds = m.d_scores + j * block + q;
          store<L>(ds, load<L>(m.scores + j * block + q) * (load<L>(ds) - slope));
        }
      }
      gemm_of_one_thread<T>(width(), block, g_.pixels, m.keys, 1, width(), m.d_scores, block, m.d_queries,
                            block, false);
      for (index_t c = 0; c < width(); ++c) {
        T* const to = dqkv + dx.offset(image, first + c, begin);
        for (index_t q = 0; q < count; ++q) to[q * L] = scale_ * m.d_queries[c * block + q];
      }
      // Sums over the queries go on from block to block.
      gemm_of_one_thread<T>(g_.pixels, width(), count, m.d_scores, block, 1, m.query_rows + begin * width(),
                            width(), m.d_keys, width(), begin > 0);
      gemm_of_one_thread<T>(g_.pixels, width(), count, m.scores, block, 1, m.dy_rows + begin * width(),
                            width(), m.d_values, width(), begin > 0);
    }
    for (index_t i = 0; i < size; ++i) {
      const index_t pixel = i / width(), c = first + i % width();
      dqkv[dx.offset(image, g_.channels + c, pixel)] = scale_ * m.d_keys[i];
      dqkv[dx.offset(image, 2 * g_.channels + c, pixel)] = m.d_values[i];
    }
    if (first + width() != g_.channels) return;  // the last head also clears the padding lanes
    for (index_t c = 3 * g_.channels; c < dx.lane_groups() * L; ++c) {
      for (index_t pixel = 0; pixel < g_.pixels; ++pixel) dqkv[dx.offset(image, c, pixel)] = 0;
    }
  });
}

}  // namespace coldzoom::inline COLDZOOM_ISA
