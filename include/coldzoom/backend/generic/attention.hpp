/// Softmax attention between the pixels of an image, one query at a time: runs on any backend, oracle of the
/// fast version.
#pragma once

#include <cmath>
#include <coldzoom/backend/backend.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// Attention of `heads` heads between the P pixels of an image (Vaswani et al. 2017, section 3.2): the input
/// has 3 C channels, queries, keys and values of C channels each; head h takes the h-th C / heads of each.
/// y[i] = sum over j of softmax over j (q_i . k_j / sqrt(C / heads)) v_j, an image of C channels.
struct attention_geometry {
  index_t channels = 1, heads = 1, pixels = 1;

  COLDZOOM_HD constexpr index_t head_channels() const { return channels / heads; }
};

namespace generic {

/// The score of query i and key j of a head, and sums over its channels.
template <class View> struct attention_head {
  using real = typename View::value_type;
  attention_geometry g;
  View qkv;
  index_t n, first;  // the image, the first channel of the head
  real scale;

  COLDZOOM_HD static attention_head at(const attention_geometry& g, const View& qkv, index_t image_and_head) {
    const auto width = static_cast<real>(g.head_channels());
    return {g, qkv, image_and_head / g.heads, image_and_head % g.heads * g.head_channels(),
            real(1) / std::sqrt(width)};
  }
  /// Element c of query (part 0), key (1) or value (2) of a pixel.
  COLDZOOM_HD index_t offset(index_t part, index_t c, index_t pixel) const {
    return qkv.offset(n, part * g.channels + first + c, pixel);
  }
  COLDZOOM_HD real score(index_t i, index_t j) const {
    real total = 0;
    for (index_t c = 0; c < g.head_channels(); ++c)
      total += qkv.data[offset(0, c, i)] * qkv.data[offset(1, c, j)];
    return total * scale;
  }
  /// d_i . v_j, d an image of C channels.
  COLDZOOM_HD real with_value(const View& d, index_t i, index_t j) const {
    real total = 0;
    for (index_t c = 0; c < g.head_channels(); ++c)
      total += d.data[d.offset(n, first + c, i)] * qkv.data[offset(2, c, j)];
    return total;
  }
};

/// y, and the logarithm of each query's sum of exponentials. Index: [n][head][query].
template <class In, class Out> struct attention_forward {
  using real = typename Out::value_type;
  attention_geometry g;
  In qkv;
  Out y;
  real* log_sum;  // [n][head][query]

  COLDZOOM_HD void operator()(index_t index) const {
    const index_t i = index % g.pixels;
    const auto head = attention_head<In>::at(g, qkv, index / g.pixels);
    const index_t last = head.first + g.head_channels();
    real largest = head.score(i, 0);
    for (index_t j = 1; j < g.pixels; ++j) {
      const real s = head.score(i, j);
      largest = s > largest ? s : largest;
    }
    // The last head also clears the padding lanes.
    const index_t written = last == g.channels ? y.lane_groups() * Out::lanes : last;
    for (index_t c = head.first; c < written; ++c) y.data[y.offset(head.n, c, i)] = 0;
    real total = 0;
    for (index_t j = 0; j < g.pixels; ++j) {
      const real p = std::exp(head.score(i, j) - largest);
      total += p;
      for (index_t c = 0; c < g.head_channels(); ++c)
        y.data[y.offset(head.n, head.first + c, i)] += p * qkv.data[head.offset(2, c, j)];
    }
    for (index_t c = head.first; c < last; ++c) y.data[y.offset(head.n, c, i)] /= total;
    log_sum[index] = largest + std::log(total);
  }
};

/// The gradient of the queries, and dy . y of each. Index: [n][head][query].
template <class In, class Out> struct attention_backward_query {
  using real = typename Out::value_type;
  attention_geometry g;
  In qkv, y, dy;
  const real* log_sum;
  real* slope;  // dy_i . y_i, [n][head][query]
  Out dqkv;

  COLDZOOM_HD void operator()(index_t index) const {
    const index_t i = index % g.pixels;
    const auto head = attention_head<In>::at(g, qkv, index / g.pixels);
    real own = 0;
    for (index_t c = head.first; c < head.first + g.head_channels(); ++c)
      own += dy.data[dy.offset(head.n, c, i)] * y.data[y.offset(head.n, c, i)];
    slope[index] = own;
    for (index_t c = 0; c < g.head_channels(); ++c) dqkv.data[head.offset(0, c, i)] = 0;
    for (index_t j = 0; j < g.pixels; ++j) {
      const real p = std::exp(head.score(i, j) - log_sum[index]);
      const real ds = p * (head.with_value(dy, i, j) - own) * head.scale;
      for (index_t c = 0; c < g.head_channels(); ++c)
        dqkv.data[head.offset(0, c, i)] += ds * qkv.data[head.offset(1, c, j)];
    }
  }
};

/// The gradients of keys and values. Index: [n][head][key].
template <class In, class Out> struct attention_backward_key {
  using real = typename Out::value_type;
  attention_geometry g;
  In qkv, dy;
  const real* log_sum;
  const real* slope;
  Out dqkv;

  COLDZOOM_HD void operator()(index_t index) const {
    const index_t j = index % g.pixels, queries = index - j;
    const auto head = attention_head<In>::at(g, qkv, index / g.pixels);
    const index_t width = g.head_channels();
    for (index_t c = 0; c < width; ++c) dqkv.data[head.offset(1, c, j)] = dqkv.data[head.offset(2, c, j)] = 0;
    for (index_t i = 0; i < g.pixels; ++i) {
      const real p = std::exp(head.score(i, j) - log_sum[queries + i]);
      const real ds = p * (head.with_value(dy, i, j) - slope[queries + i]) * head.scale;
      for (index_t c = 0; c < width; ++c) {
        dqkv.data[head.offset(1, c, j)] += ds * qkv.data[head.offset(0, c, i)];
        dqkv.data[head.offset(2, c, j)] += p * dy.data[dy.offset(head.n, head.first + c, i)];
      }
    }
    // The last head also clears the padding lanes.
    if (head.first + width != g.channels) return;
    for (index_t c = 3 * g.channels; c < dqkv.lane_groups() * Out::lanes; ++c)
      dqkv.data[dqkv.offset(head.n, c, j)] = 0;
  }
};

/// An AttentionOperation of backend/operations.hpp. Cost: scores are computed again in each pass, so that no
/// P x P matrix is stored.
template <Backend B> class attention {
  using real = real_t<B>;
  using in = const_activation<B>;
  using out = activation<B>;

 public:
  attention(B& b, const attention_geometry& g, index_t capacity, bool train)
      : g_(g),
        log_sum_(b.template allocate<real>(capacity * g.heads * g.pixels)),
        slope_(b.template allocate<real>(train ? capacity * g.heads * g.pixels : 0)) {}

  void forward(B& b, index_t n, const real* qkv, real* y) {
    b.for_each_index(n * g_.heads * g_.pixels,
                     attention_forward<in, out>{g_, {qkv, dims(n, 3)}, {y, dims(n, 1)}, log_sum_.data()},
                     3 * cost());
  }
  void backward(B& b, index_t n, const real* qkv, const real* y, const real* dy, real* dqkv) {
    const in x{qkv, dims(n, 3)}, d{dy, dims(n, 1)};
    const out dx{dqkv, dims(n, 3)};
    const index_t rows = n * g_.heads * g_.pixels;
    b.for_each_index(
        rows,
        attention_backward_query<in, out>{g_, x, {y, dims(n, 1)}, d, log_sum_.data(), slope_.data(), dx},
        3 * cost());
    b.for_each_index(rows, attention_backward_key<in, out>{g_, x, d, log_sum_.data(), slope_.data(), dx},
                     4 * cost());
  }

 private:
  shape dims(index_t n, index_t parts) const { return {n, parts * g_.channels, 1, g_.pixels}; }
  index_t cost() const { return g_.pixels * g_.head_channels(); }

  attention_geometry g_;
  buffer_t<B> log_sum_, slope_;
};

}  // namespace generic

}  // namespace coldzoom::inline COLDZOOM_ISA
