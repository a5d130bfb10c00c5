/// Convolution, normalisation, activation, and a condition added per channel.
#pragma once

#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/normalisation.hpp>
#include <coldzoom/nn/time_condition.hpp>
#include <optional>

namespace coldzoom::inline COLDZOOM_ISA {

/// y = activation(norm(conv(x))) + condition(side), the condition giving one number per channel; a block
/// without one adds nothing. The same as the layers one after another, but one operation of the backend.
/// Blocks that follow one another belong into a conv_stack, where they need no memory between them.
template <class Norm, class Activation, class C = no_condition> struct conv_block {
  static_assert(
      Normalisation<Norm> && requires { typename Activation::function; },
      "coldzoom: a conv_block takes layer_norm_pixels, layer_norm_image or group_norm and a "
      "function_layer; put other layers one after another in a sequence");

  conv2d conv;
  Norm norm;
  std::optional<C> condition{};

  shape output_shape(shape in) const { return norm.output_shape(conv.output_shape(in)); }
  void describe(parameter_list& list, const std::string& prefix) const {
    describe(list, prefix + ".net", prefix + ".condition");
  }
  /// Names for the parts: `net`.0 the convolution, `net`.1 the norm, `side` the condition.
  void describe(parameter_list& list, const std::string& net, const std::string& side) const {
    conv.describe(list, net + ".0");
    norm.describe(list, net + ".1");
    if (condition) condition->describe(list, side);
  }

  template <Backend B> using operation = conv_block_t<B, Norm::affine, typename Activation::function>;
  template <Backend B> struct workspace {
    operation<B> op;
    std::optional<typename C::template workspace<B>> condition{};
    activation_buffer<B> e{};  // of the condition; in the backward pass its gradient
  };

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    const shape out = output_shape(in);
    const conv_block_geometry g{conv.geometry(in), norm.geometry(out), norm.eps};
    workspace<B> ws{
        make_conv_block<Norm::affine, typename Activation::function>(b, g, in.n, mode == pass::train)};
    if (condition) {
      ws.condition = condition->make_workspace(b, in.n, mode);
      ws.e = {b, {in.n, out.c, 1, 1}};
    }
    return ws;
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    ws.op.pack_weights(b, parameters);
    if (condition) condition->pack_weights(b, condition_part(parameters), *ws.condition);
  }

  /// `next`, the port of a block behind this one, takes y in place of memory, see ConvBlockOperation.
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws, const typename operation<B>::input_port& next = {}) const {
    activation<B> e;
    if (condition) {
      e = ws.e.view(x.dims.n);
      condition->forward(b, condition_part(parameters), side, e, *ws.condition);
    }
    ws.op.forward(b, x.dims.n, x.data, e.data, y.data, next);
  }
  /// `next`, the port of a block before this one, takes dx in place of memory.
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws,
                const typename operation<B>::gradient_port& next = {}) const {
    ws.op.backward(b, x.dims.n, x.data, dy.data, dx.data, gradients, next);
    if (condition) {
      condition->backward(b, condition_part(parameters), side, ws.e.view(x.dims.n), condition_part(gradients),
                          *ws.condition);
    }
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    ws.op.reduce_gradients(b, gradients);
    if (condition) condition->reduce_gradients(b, condition_part(gradients), *ws.condition);
  }

 private:
  template <class Real> Real* condition_part(Real* parameters) const {
    const index_t taps = conv.in_channels * conv.kernel_h * conv.kernel_w;
    return parameters + conv.out_channels * (taps + 1) + 2 * norm.affine_size();
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
