/// Fully connected layer.
#pragma once

#include <coldzoom/backend/generic/elementwise.hpp>
#include <coldzoom/nn/layer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// A dense [rows][cols] matrix into [rows][padded_cols], or transposed into [cols][padded_rows], padding
/// zero. Index: element of the result.
template <class Real> struct pad_matrix {
  const Real* from;
  Real* to;
  index_t rows, cols, leading;
  bool transpose;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t a = i / leading, b = i % leading;
    const index_t row = transpose ? b : a, col = transpose ? a : b;
    to[i] = row < rows && col < cols ? from[row * cols + col] : Real(0);
  }
};

/// y[n][i] = bias[i], 0 in the padding. Index: element of y.
template <class Real> struct fill_rows {
  const Real* bias;
  Real* y;
  index_t size, leading;

  COLDZOOM_HD void operator()(index_t i) const { y[i] = i % leading < size ? bias[i % leading] : Real(0); }
};

/// to[r][c] += from[r][c] between matrices of different leading dimension. Index: dense element.
template <class Real> struct add_matrix {
  const Real* from;
  index_t leading, cols;
  Real* to;

  COLDZOOM_HD void operator()(index_t i) const { to[i] += from[i / cols * leading + i % cols]; }
};

}  // namespace detail

/// y = x W^T + bias on feature vectors (N, in, 1, 1) -> (N, out, 1, 1); weights (out, in).
struct linear {
  index_t in = 1, out = 1;

  shape output_shape(shape s) const {
    require(s.c == in && s.h == 1 && s.w == 1, "linear", [&] {
      return "the input is " + to_string(s) + ", the weights want N x " + std::to_string(in) + " x 1 x 1";
    });
    return {s.n, out, 1, 1};
  }
  void describe(parameter_list& list, const std::string& prefix) const {
    const float bound = 1.0f / std::sqrt(static_cast<float>(in));
    list.push_back({prefix + ".weight", {out, in}, 0, bound});
    list.push_back({prefix + ".bias", {out}, 0, bound});
  }

  template <Backend B> struct workspace {
    index_t in_leading, out_leading;  // channel counts padded to whole lanes
    buffer_t<B> transposed;           // [in][out_leading], for the forward pass
    buffer_t<B> padded;               // [out][in_leading], for the data gradient
    buffer_t<B> product;              // [out][in_leading], the weight gradient of one call
  };

  template <Backend B> workspace<B> make_workspace(B& b, shape s, pass mode) const {
    output_shape(s);  // checks
    const index_t in_leading = activation<B>{nullptr, {1, in, 1, 1}}.size();
    const index_t out_leading = activation<B>{nullptr, {1, out, 1, 1}}.size();
    const index_t train = mode == pass::train ? 1 : 0;
    return {in_leading, out_leading, b.template allocate<real_t<B>>(in * out_leading),
            b.template allocate<real_t<B>>(train * out * in_leading),
            b.template allocate<real_t<B>>(train * out * in_leading)};
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* weights, workspace<B>& ws) const {
    using kernel = detail::pad_matrix<real_t<B>>;
    b.for_each_index(ws.transposed.size(),
                     kernel{weights, ws.transposed.data(), out, in, ws.out_leading, true}, 4);
    b.for_each_index(ws.padded.size(), kernel{weights, ws.padded.data(), out, in, ws.in_leading, false}, 4);
  }
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>&,
               activation<B> y, workspace<B>& ws) const {
    using kernel = detail::fill_rows<real_t<B>>;
    b.for_each_index(y.size(), kernel{parameters + out * in, y.data, out, ws.out_leading}, 2);
    b.gemm(false, x.dims.n, ws.out_leading, in, x.data, ws.in_leading, ws.transposed.data(), ws.out_leading,
           y.data, ws.out_leading, true);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    b.gemm(true, out, ws.in_leading, n, dy.data, ws.out_leading, x.data, ws.in_leading, ws.product.data(),
           ws.in_leading, false);
    using add_kernel = detail::add_matrix<real_t<B>>;
    b.for_each_index(out * in, add_kernel{ws.product.data(), ws.in_leading, in, gradients}, 2);
    using sum_kernel = generic::add_rows<real_t<B>>;
    b.for_each_index(out, sum_kernel{dy.data, n, ws.out_leading, gradients + out * in}, n);
    if (!dx.data) return;
    b.gemm(false, n, ws.in_leading, out, dy.data, ws.out_leading, ws.padded.data(), ws.in_leading, dx.data,
           ws.in_leading, false);
  }
  template <Backend B> void reduce_gradients(B&, real_t<B>*, workspace<B>&) const {}
};

}  // namespace coldzoom::inline COLDZOOM_ISA
