/// Two-dimensional convolution.
#pragma once

#include <coldzoom/backend/operations.hpp>
#include <coldzoom/nn/layer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// Convolution with bias: weights (out_channels, in_channels, kernel_h, kernel_w), zeros outside the picture.
/// Cost: out_channels * in_channels * taps multiply-adds per output pixel, or less where the backend knows
/// better.
struct conv2d {
  index_t in_channels = 1, out_channels = 1;
  index_t kernel_h = 1, kernel_w = 1;
  index_t pad_h = 0, pad_w = 0;
  index_t stride_h = 1, stride_w = 1;

  /// Square odd kernel, output as large as the input.
  static conv2d same(index_t in_channels, index_t out_channels, index_t kernel) {
    return {in_channels, out_channels, kernel, kernel, kernel / 2, kernel / 2, 1, 1};
  }

  convolution_geometry geometry(shape in) const {
    return {in_channels, out_channels, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, in.h, in.w};
  }
  shape output_shape(shape in) const {
    require(in.c == in_channels, "conv2d", [&] {
      return "the input has " + std::to_string(in.c) + " channels, the weights want " +
             std::to_string(in_channels);
    });
    require(kernel_h > 0 && kernel_w > 0 && stride_h > 0 && stride_w > 0 && pad_h >= 0 && pad_w >= 0,
            "conv2d", "kernel and stride must be at least 1, padding at least 0");
    require(in.h + 2 * pad_h >= kernel_h && in.w + 2 * pad_w >= kernel_w, "conv2d", [&] {
      return "the kernel " + std::to_string(kernel_h) + " x " + std::to_string(kernel_w) +
             " is larger than the padded input " + to_string(in);
    });
    const convolution_geometry g = geometry(in);
    return {in.n, out_channels, g.out_h(), g.out_w()};
  }

  void describe(parameter_list& list, const std::string& prefix) const {
    const float bound = 1.0f / std::sqrt(static_cast<float>(in_channels * kernel_h * kernel_w));
    list.push_back({prefix + ".weight", {out_channels, in_channels, kernel_h, kernel_w}, 0, bound});
    list.push_back({prefix + ".bias", {out_channels}, 0, bound});
  }

  template <Backend B> using workspace = convolution_t<B>;

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    output_shape(in);  // checks
    return make_convolution(b, geometry(in), in.n, mode == pass::train);
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    ws.pack_weights(b, parameters, bias(parameters));
  }
  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               workspace<B>& ws) const {
    ws.forward(b, x.dims.n, x.data, y.data);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    ws.backward(b, x.dims.n, x.data, dy.data, dx.data, gradients, bias(gradients));
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    ws.reduce_gradients(b, gradients, bias(gradients));
  }

 private:
  template <class Real> Real* bias(Real* parameters) const {
    return parameters + out_channels * in_channels * kernel_h * kernel_w;
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
