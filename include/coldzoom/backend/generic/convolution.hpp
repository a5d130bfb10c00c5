/// Convolution, one output element at a time: runs on any backend, oracle of the fast versions.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/backend/convolution_geometry.hpp>

namespace coldzoom::inline COLDZOOM_ISA::generic {

/// y = convolution(x) + bias. Index: [n][o][p][q]. `In`, `Out` are activation views; weights are dense.
template <class In, class Out, class Real> struct convolution_forward {
  convolution_geometry g;
  In x;
  const Real* weights;
  const Real* bias;  // may be null
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t q = i % g.out_w(), p = i / g.out_w() % g.out_h();
    const index_t o = i / (g.out_w() * g.out_h()) % g.out_channels,
                  n = i / (g.out_w() * g.out_h() * g.out_channels);
    Real total = bias ? bias[o] : Real(0);
    for (index_t c = 0; c < g.in_channels; ++c) {
      for (index_t a = 0; a < g.kernel_h; ++a) {
        const index_t row = p * g.stride_h + a - g.pad_h;
        if (row < 0 || row >= g.in_h) continue;
        for (index_t b = 0; b < g.kernel_w; ++b) {
          const index_t col = q * g.stride_w + b - g.pad_w;
          if (col < 0 || col >= g.in_w) continue;
          total += x(n, c, row, col) * weights[((o * g.in_channels + c) * g.kernel_h + a) * g.kernel_w + b];
        }
      }
    }
    y(n, o, p, q) = total;
  }
};

/// dx from dy. Index: [n][c][row][col] of the input.
template <class In, class Out, class Real> struct convolution_backward_data {
  convolution_geometry g;
  In dy;
  const Real* weights;
  Out dx;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t col = i % g.in_w, row = i / g.in_w % g.in_h;
    const index_t c = i / (g.in_w * g.in_h) % g.in_channels, n = i / (g.in_w * g.in_h * g.in_channels);
    Real total = 0;
    for (index_t o = 0; o < g.out_channels; ++o) {
      for (index_t a = 0; a < g.kernel_h; ++a) {
        const index_t up = row + g.pad_h - a;
        if (up < 0 || up % g.stride_h != 0 || up / g.stride_h >= g.out_h()) continue;
        for (index_t b = 0; b < g.kernel_w; ++b) {
          const index_t left = col + g.pad_w - b;
          if (left < 0 || left % g.stride_w != 0 || left / g.stride_w >= g.out_w()) continue;
          total += dy(n, o, up / g.stride_h, left / g.stride_w) *
                   weights[((o * g.in_channels + c) * g.kernel_h + a) * g.kernel_w + b];
        }
      }
    }
    dx(n, c, row, col) = total;
  }
};

/// dw += x correlated with dy. Index: [o][c][a][b] of the weights; the sum runs over images and pixels in
/// order.
template <class In, class Real> struct convolution_backward_weights {
  convolution_geometry g;
  In x, dy;
  Real* dw;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t b = i % g.kernel_w, a = i / g.kernel_w % g.kernel_h;
    const index_t c = i / g.taps() % g.in_channels, o = i / (g.taps() * g.in_channels);
    Real total = 0;
    for (index_t n = 0; n < x.dims.n; ++n) {
      for (index_t p = 0; p < g.out_h(); ++p) {
        const index_t row = p * g.stride_h + a - g.pad_h;
        if (row < 0 || row >= g.in_h) continue;
        for (index_t q = 0; q < g.out_w(); ++q) {
          const index_t col = q * g.stride_w + b - g.pad_w;
          if (col >= 0 && col < g.in_w) total += x(n, c, row, col) * dy(n, o, p, q);
        }
      }
    }
    dw[i] += total;
  }
};

/// db += sum of dy over images and pixels. Index: [o].
template <class In, class Real> struct channel_sum {
  In dy;
  Real* db;

  COLDZOOM_HD void operator()(index_t o) const {
    Real total = 0;
    for (index_t n = 0; n < dy.dims.n; ++n) {
      for (index_t i = 0; i < dy.dims.pixels(); ++i) total += dy.data[dy.offset(n, o, i)];
    }
    db[o] += total;
  }
};

/// The convolution of backends that offer none, a ConvolutionOperation of backend/operations.hpp.
template <Backend B> class convolution {
  using real = real_t<B>;
  using in = const_activation<B>;
  using out = activation<B>;

 public:
  explicit convolution(const convolution_geometry& g) : g_(g) {}

  /// Both stay where they are until the next call.
  void pack_weights(B&, const real* weights, const real* bias) {
    weights_ = weights;
    bias_ = bias;
  }
  void forward(B& b, index_t n, const real* x, real* y) const {
    const out to{y, output(n)};
    b.for_each_index(to.dims.size(),
                     convolution_forward<in, out, real>{g_, {x, input(n)}, weights_, bias_, to},
                     g_.in_channels * g_.taps());
  }
  void backward(B& b, index_t n, const real* x, const real* dy, real* dx, real* dw, real* db) const {
    const in from{dy, output(n)};
    if (dx) {
      b.for_each_index(input(n).size(),
                       convolution_backward_data<in, out, real>{g_, from, weights_, {dx, input(n)}},
                       g_.out_channels * g_.taps());
    }
    const index_t pixels = n * from.dims.pixels();
    b.for_each_index(g_.weights(), convolution_backward_weights<in, real>{g_, {x, input(n)}, from, dw},
                     pixels);
    b.for_each_index(g_.out_channels, channel_sum<in, real>{from, db}, pixels);
  }
  void reduce_gradients(B&, real*, real*) const {}

 private:
  shape input(index_t n) const { return {n, g_.in_channels, g_.in_h, g_.in_w}; }
  shape output(index_t n) const { return {n, g_.out_channels, g_.out_h(), g_.out_w()}; }

  convolution_geometry g_;
  const real* weights_ = nullptr;
  const real* bias_ = nullptr;
};

}  // namespace coldzoom::inline COLDZOOM_ISA::generic
