/// Transposed convolution: up-sampling that is learnt.
#pragma once

#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/patches.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Pixel s m + a of a transposed convolution sums weight a + pad - s d times pixel m + d of its input, over d. So
/// it is a convolution of taps d = -reach .. reach to s^2 channels for each of its own, one for each (a, b), and
/// each of its weights is one of that convolution's, whose others are zero.
struct transposed_taps {
  index_t in, out, kernel, stride;

  COLDZOOM_HD index_t pad() const { return (kernel - stride) / 2; }
  COLDZOOM_HD index_t reach() const { return ((kernel + stride) / 2 - 1) / stride; }
  COLDZOOM_HD index_t weights() const { return in * out * kernel * kernel; }

  /// Where weight i, [in][out][row][column], lies among those of the convolution, [out][a][b][in][tap][tap].
  COLDZOOM_HD index_t place(index_t i) const {
    const index_t col = i % kernel, row = i / kernel % kernel, o = i / (kernel * kernel) % out;
    const index_t c = i / (kernel * kernel * out), taps = 2 * reach() + 1;
    return (((o * stride + phase(row)) * stride + phase(col)) * in + c) * taps * taps + tap(row) * taps +
           tap(col);
  }

 private:
  COLDZOOM_HD index_t phase(index_t weight) const { return (weight - pad() + kernel * stride) % stride; }
  COLDZOOM_HD index_t tap(index_t weight) const {
    return reach() + (phase(weight) + pad() - weight) / stride;
  }
};

/// Weights and then biases of the convolution. Index: weight, and then channel, of the transposed one.
template <class Real> struct spread_weights {
  transposed_taps taps;
  const Real* parameters;
  Real* weights;
  Real* bias;

  COLDZOOM_HD void operator()(index_t i) const {
    if (i < taps.weights()) {
      weights[taps.place(i)] = parameters[i];
    } else {
      const index_t phases = taps.stride * taps.stride, o = i - taps.weights();
      for (index_t k = 0; k < phases; ++k) bias[o * phases + k] = parameters[i];
    }
  }
};

/// The way back for gradients, which are added. Index: the same.
template <class Real> struct collect_weights {
  transposed_taps taps;
  const Real* weights;
  const Real* bias;
  Real* gradients;

  COLDZOOM_HD void operator()(index_t i) const {
    if (i < taps.weights()) {
      gradients[i] += weights[taps.place(i)];
    } else {
      const index_t phases = taps.stride * taps.stride, o = i - taps.weights();
      Real total = 0;
      for (index_t k = 0; k < phases; ++k) total += bias[o * phases + k];
      gradients[i] += total;
    }
  }
};

}  // namespace detail

/// Transposed convolution with bias: (N, in, H, W) -> (N, out, stride H, stride W), weights (in, out, kernel,
/// kernel). PyTorch's ConvTranspose2d(in, out, kernel, stride, padding = (kernel - stride) / 2); kernel 4 and stride
/// 2 are those of many diffusion models. It runs as a convolution of stride 1 to stride^2 out channels and
/// unpatchify(stride): for kernel 4 and stride 2 one of 3 x 3, 36 in out multiply-adds an input pixel or, where
/// the backend transforms, fewer. 16 of the 36 weights are not zero.
class conv_transpose2d {
 public:
  /// Throws `error` unless kernel - stride is even and not negative.
  conv_transpose2d(index_t in_channels, index_t out_channels, index_t kernel = 4, index_t stride = 2)
      : taps_{in_channels, out_channels, kernel, stride} {
    require(stride > 0 && kernel >= stride && (kernel - stride) % 2 == 0, "conv_transpose2d", [&] {
      return "found kernel " + std::to_string(kernel) + " and stride " + std::to_string(stride) +
             ", wanted a stride of at least 1 and a kernel that is larger by an even number, or as large";
    });
    convolution_ = conv2d::same(in_channels, stride * stride * out_channels, 2 * taps_.reach() + 1);
  }

  shape output_shape(shape in) const {
    require(in.c == taps_.in, "conv_transpose2d", [&] {
      return "the input has " + std::to_string(in.c) + " channels, the weights want " +
             std::to_string(taps_.in);
    });
    return {in.n, taps_.out, taps_.stride * in.h, taps_.stride * in.w};
  }
  void describe(parameter_list& list, const std::string& prefix) const {
    const index_t k = taps_.kernel;
    const float bound = 1.0f / std::sqrt(static_cast<float>(taps_.out * k * k));
    list.push_back({prefix + ".weight", {taps_.in, taps_.out, k, k}, 0, bound});
    list.push_back({prefix + ".bias", {taps_.out}, 0, bound});
  }

  template <Backend B> struct workspace {
    conv2d::workspace<B> convolution;
    buffer_t<B> parameters, gradients;  // of the convolution; gradients in training
    activation_buffer<B> patches;       // its output; in the backward pass its gradient
  };

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    output_shape(in);  // checks
    const index_t count = weights() + convolution_.out_channels;
    return {convolution_.make_workspace(b, in, mode),
            b.template allocate<real_t<B>>(count),
            b.template allocate<real_t<B>>(mode == pass::train ? count : 0),
            {b, convolution_.output_shape(in)}};
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    real_t<B>* const own = ws.parameters.data();
    b.for_each_index(taps_.weights() + taps_.out,
                     detail::spread_weights<real_t<B>>{taps_, parameters, own, own + weights()}, 20);
    convolution_.pack_weights(b, own, ws.convolution);
  }
  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>& side, activation<B> y,
               workspace<B>& ws) const {
    const activation<B> patches = ws.patches.view(x.dims.n);
    convolution_.forward(b, ws.parameters.data(), x, side, patches, ws.convolution);
    detail::join_patches<B>(b, taps_.stride, patches, y);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>& side, activation<B> dy,
                activation<B> dx, real_t<B>*, workspace<B>& ws) const {
    const activation<B> patches = ws.patches.view(x.dims.n);
    detail::split_into_patches<B>(b, taps_.stride, dy, patches);
    convolution_.backward(b, ws.parameters.data(), x, side, patches, dx, ws.gradients.data(), ws.convolution);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    real_t<B>* const own = ws.gradients.data();
    convolution_.reduce_gradients(b, own, ws.convolution);
    b.for_each_index(taps_.weights() + taps_.out,
                     detail::collect_weights<real_t<B>>{taps_, own, own + weights(), gradients}, 20);
    b.for_each_index(ws.gradients.size(), generic::fill<real_t<B>>{0, own});
  }

 private:
  /// Of the convolution.
  index_t weights() const {
    return convolution_.out_channels * convolution_.in_channels * convolution_.kernel_h *
           convolution_.kernel_w;
  }

  detail::transposed_taps taps_;
  conv2d convolution_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
