/// Linear attention between the pixels of an image: its time grows with the number of pixels, not with its square.
#pragma once

#include <cmath>
#include <coldzoom/backend/backend.hpp>

namespace coldzoom::inline COLDZOOM_ISA::generic {

/// Linear attention of `heads` heads of D channels between the P pixels of an image (Shen et al. 2021): the
/// input has 3 heads D channels, queries, keys and values, head by head. With q_i the softmax of a query over
/// its D channels and k_j that of channel d of the keys over the pixels,
///   y[e, i] = sum over d of q[d, i] / sqrt(D) context[d, e],  context[d, e] = sum over j of k[d, j] v[e, j].
struct linear_attention_geometry {
  index_t heads = 1, head_channels = 1, pixels = 1;

  COLDZOOM_HD constexpr index_t channels() const { return heads * head_channels; }
};

/// A head of an image, and loops over its channels that a compiler can turn into vectors.
template <class View> struct linear_attention_head {
  using real = typename View::value_type;
  linear_attention_geometry g;
  index_t n, first;  // the image, the first channel of the head

  COLDZOOM_HD static linear_attention_head at(const linear_attention_geometry& g, index_t image_and_head) {
    return {g, image_and_head / g.heads, image_and_head % g.heads * g.head_channels};
  }
  COLDZOOM_HD real scale() const { return real(1) / std::sqrt(static_cast<real>(g.head_channels)); }
  /// Channel d of the queries (part 0), keys (1) or values (2) of a pixel.
  COLDZOOM_HD index_t offset(const View& x, index_t part, index_t d, index_t pixel) const {
    return x.offset(n, part * g.channels() + first + d, pixel);
  }
  /// f(e, at, count) for runs of channels that lie side by side: `count` of them from e on, at x.data[at].
  template <class F> COLDZOOM_HD void each_run(const View& x, index_t part, index_t pixel, const F& f) const {
    for (index_t e = 0; e < g.head_channels;) {
      const index_t c = part * g.channels() + first + e, room = View::lanes - c % View::lanes;
      const index_t count = room < g.head_channels - e ? room : g.head_channels - e;
      f(e, x.offset(n, c, pixel), count);
      e += count;
    }
  }
  /// row[e] += factor * x[e] for the channels of a part.
  COLDZOOM_HD void add(const View& x, index_t part, index_t pixel, real factor, real* row) const {
    each_run(x, part, pixel, [&](index_t e, index_t at, index_t count) {
      for (index_t i = 0; i < count; ++i) row[e + i] += factor * x.data[at + i];
    });
  }
  /// Sum of row[e] * x[e] over the channels of a part.
  COLDZOOM_HD real product(const View& x, index_t part, index_t pixel, const real* row) const {
    real lanes[View::lanes] = {};
    each_run(x, part, pixel, [&](index_t e, index_t at, index_t count) {
      for (index_t i = 0; i < count; ++i) lanes[i] += row[e + i] * x.data[at + i];
    });
    real total = 0;
    for (const real lane : lanes) total += lane;
    return total;
  }
};

/// A row of the context, and the logarithm of its sum of exponentials. Index: [n][head][d].
template <class In> struct linear_attention_context {
  using real = typename In::value_type;
  linear_attention_geometry g;
  In qkv;
  real* context;  // [n][head][d][e]
  real* log_sum;  // [n][head][d]

  COLDZOOM_HD void operator()(index_t i) const {
    const auto head = linear_attention_head<In>::at(g, i / g.head_channels);
    const index_t d = i % g.head_channels;
    const auto key = [&](index_t pixel) { return qkv.data[head.offset(qkv, 1, d, pixel)]; };
    real largest = key(0);
    for (index_t p = 1; p < g.pixels; ++p) largest = key(p) > largest ? key(p) : largest;
    real* const row = context + i * g.head_channels;
    for (index_t e = 0; e < g.head_channels; ++e) row[e] = 0;
    real total = 0;
    for (index_t p = 0; p < g.pixels; ++p) {
      const real weight = std::exp(key(p) - largest);
      total += weight;
      head.add(qkv, 2, p, weight, row);
    }
    for (index_t e = 0; e < g.head_channels; ++e) row[e] /= total;
    log_sum[i] = largest + std::log(total);
  }
};

/// y of a pixel, and the logarithm of its query's sum of exponentials. Index: [n][head][pixel].
template <class In, class Out> struct linear_attention_forward {
  using real = typename Out::value_type;
  linear_attention_geometry g;
  In qkv;
  const real* context;
  Out y;
  real* log_sum;  // [n][head][pixel]

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t pixel = i % g.pixels, width = g.head_channels;
    const auto head = linear_attention_head<Out>::at(g, i / g.pixels);
    const auto query = [&](index_t d) { return qkv.data[qkv.offset(head.n, head.first + d, pixel)]; };
    real largest = query(0);
    for (index_t d = 1; d < width; ++d) largest = query(d) > largest ? query(d) : largest;
    real total = 0;
    for (index_t d = 0; d < width; ++d) total += std::exp(query(d) - largest);
    log_sum[i] = largest + std::log(total);
    // The last head also clears the padding lanes.
    const index_t last = head.first + width;
    const index_t written = last == g.channels() ? y.lane_groups() * Out::lanes : last;
    for (index_t c = head.first; c < written; ++c) y.data[y.offset(head.n, c, pixel)] = 0;
    const real* row = context + i / g.pixels * width * width;
    for (index_t d = 0; d < width; ++d, row += width) {
      const real weight = head.scale() * std::exp(query(d) - log_sum[i]);
      head.each_run(y, 0, pixel, [&](index_t e, index_t at, index_t count) {
        for (index_t k = 0; k < count; ++k) y.data[at + k] += weight * row[e + k];
      });
    }
  }
};

/// A row of the context's gradient, and its product with the row. Index: [n][head][d].
template <class In> struct linear_attention_backward_context {
  using real = typename In::value_type;
  linear_attention_geometry g;
  In qkv, dy;
  const real* context;
  const real* query_log_sum;  // [n][head][pixel]
  real* d_context;            // [n][head][d][e]
  real* slope;                // [n][head][d]

  COLDZOOM_HD void operator()(index_t i) const {
    const auto head = linear_attention_head<In>::at(g, i / g.head_channels);
    const index_t d = i % g.head_channels;
    const real* const log_sum = query_log_sum + i / g.head_channels * g.pixels;
    const real* const row = context + i * g.head_channels;
    real* const d_row = d_context + i * g.head_channels;
    for (index_t e = 0; e < g.head_channels; ++e) d_row[e] = 0;
    for (index_t p = 0; p < g.pixels; ++p) {
      const real query = std::exp(qkv.data[head.offset(qkv, 0, d, p)] - log_sum[p]);
      head.add(dy, 0, p, head.scale() * query, d_row);
    }
    real total = 0;
    for (index_t e = 0; e < g.head_channels; ++e) total += row[e] * d_row[e];
    slope[i] = total;
  }
};

/// The gradients of queries, keys and values of a pixel. Index: [n][head][pixel].
template <class In, class Out> struct linear_attention_backward {
  using real = typename Out::value_type;
  linear_attention_geometry g;
  In qkv, dy;
  const real* context;
  const real* d_context;
  const real* key_log_sum;    // [n][head][d]
  const real* query_log_sum;  // [n][head][pixel]
  const real* slope;          // [n][head][d]
  Out dqkv;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t pixel = i % g.pixels, image_and_head = i / g.pixels, width = g.head_channels;
    const auto head = linear_attention_head<In>::at(g, image_and_head);
    const auto own = linear_attention_head<Out>::at(g, image_and_head);
    const real* row = context + image_and_head * width * width;
    const real* d_row = d_context + image_and_head * width * width;
    const auto query = [&](index_t d) {
      return std::exp(qkv.data[head.offset(qkv, 0, d, pixel)] - query_log_sum[i]);
    };
    for (index_t e = 0; e < width; ++e) dqkv.data[own.offset(dqkv, 2, e, pixel)] = 0;
    real total = 0;
    for (index_t d = 0; d < width; ++d, row += width, d_row += width) {
      // dq holds the gradient of the softmax, until all channels have theirs.
      const real d_query = head.scale() * head.product(dy, 0, pixel, row);
      total += query(d) * d_query;
      dqkv.data[own.offset(dqkv, 0, d, pixel)] = d_query;

      const index_t column = image_and_head * width + d;
      const real key = std::exp(qkv.data[head.offset(qkv, 1, d, pixel)] - key_log_sum[column]);
      const real d_key = head.product(qkv, 2, pixel, d_row);
      dqkv.data[own.offset(dqkv, 1, d, pixel)] = key * (d_key - slope[column]);
      own.each_run(dqkv, 2, pixel, [&](index_t e, index_t at, index_t count) {
        for (index_t k = 0; k < count; ++k) dqkv.data[at + k] += key * d_row[e + k];
      });
    }
    for (index_t d = 0; d < width; ++d) {
      real& dq = dqkv.data[own.offset(dqkv, 0, d, pixel)];
      dq = query(d) * (dq - total);
    }
  }
};

/// The operation on any backend: `forward(b, n, qkv, y)` and, for the last forward, `backward(b, n, qkv, dy,
/// dqkv)`, which writes all of dqkv but its padding lanes.
template <Backend B> class linear_attention {
  using real = real_t<B>;
  using in = const_activation<B>;
  using out = activation<B>;

 public:
  linear_attention(B& b, const linear_attention_geometry& g, index_t capacity, bool train)
      : g_(g),
        context_(b.template allocate<real>(capacity * g.channels() * g.head_channels)),
        d_context_(b.template allocate<real>(train ? capacity * g.channels() * g.head_channels : 0)),
        key_log_sum_(b.template allocate<real>(capacity * g.channels())),
        slope_(b.template allocate<real>(train ? capacity * g.channels() : 0)),
        query_log_sum_(b.template allocate<real>(capacity * g.heads * g.pixels)) {}

  void forward(B& b, index_t n, const real* qkv, real* y) {
    const in x{qkv, dims(n, 3)};
    b.for_each_index(n * g_.channels(),
                     linear_attention_context<in>{g_, x, context_.data(), key_log_sum_.data()}, row_cost());
    b.for_each_index(
        n * g_.heads * g_.pixels,
        linear_attention_forward<in, out>{g_, x, context_.data(), {y, dims(n, 1)}, query_log_sum_.data()},
        pixel_cost());
  }
  void backward(B& b, index_t n, const real* qkv, const real* dy, real* dqkv) {
    const in x{qkv, dims(n, 3)}, d{dy, dims(n, 1)};
    b.for_each_index(n * g_.channels(),
                     linear_attention_backward_context<in>{g_, x, d, context_.data(), query_log_sum_.data(),
                                                           d_context_.data(), slope_.data()},
                     row_cost());
    b.for_each_index(n * g_.heads * g_.pixels,
                     linear_attention_backward<in, out>{g_,
                                                        x,
                                                        d,
                                                        context_.data(),
                                                        d_context_.data(),
                                                        key_log_sum_.data(),
                                                        query_log_sum_.data(),
                                                        slope_.data(),
                                                        {dqkv, dims(n, 3)}},
                     3 * pixel_cost());
  }

 private:
  shape dims(index_t n, index_t parts) const { return {n, parts * g_.channels(), 1, g_.pixels}; }
  index_t row_cost() const { return g_.pixels * (g_.head_channels + 20); }
  index_t pixel_cost() const { return g_.head_channels * (g_.head_channels + 40); }

  linear_attention_geometry g_;
  buffer_t<B> context_, d_context_, key_log_sum_, slope_, query_log_sum_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA::generic
