/// Convolution, normalisation, activation, and a condition added per channel.
#pragma once

#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/normalisation.hpp>
#include <coldzoom/nn/time_condition.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// y = activation(norm(conv(x))) + condition(side), the condition giving one number per channel.
/// The same as the layers one after another; where the backend has a fast convolution and a fused
/// `normalisation`, they run in the convolution's own tasks, while the image is in the cache.
template <class Norm, class Activation, class Condition = no_condition> struct conv_block {
  conv2d conv;
  Norm norm;
  Condition condition{};

  static constexpr bool conditioned = !std::is_same_v<Condition, no_condition>;

  shape output_shape(shape in) const { return norm.output_shape(conv.output_shape(in)); }
  index_t parameter_count() const {
    return conv.parameter_count() + norm.parameter_count() + condition.parameter_count();
  }
  void describe(parameter_list& list, const std::string& prefix) const {
    describe(list, prefix + ".net", prefix + ".condition");
  }
  /// Names for the parts: `net`.0 the convolution, `net`.1 the norm, `side` the condition.
  void describe(parameter_list& list, const std::string& net, const std::string& side) const {
    conv.describe(list, net + ".0");
    norm.describe(list, net + ".1");
    condition.describe(list, side);
  }

  template <Backend B> struct condition_workspace {};
  template <Backend B>
  requires conditioned struct condition_workspace<B> {
    typename Condition::template workspace<B> network;
    activation_buffer<B> e;
  };

  template <Backend B> struct generic_workspace {
    conv2d::workspace<B> conv;
    typename Norm::template workspace<B> norm;
    typename Activation::template workspace<B> act;
    activation_buffer<B> convolved, normalised;
    condition_workspace<B> condition;
  };
  template <Backend B> using workspace = generic_workspace<B>;

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    const shape out = output_shape(in);
    workspace<B> ws{
        conv.make_workspace(b, in, mode), norm.make_workspace(b, out, mode), {}, {b, out}, {b, out}, {}};
    if constexpr (conditioned) {
      ws.condition = {condition.make_workspace(b, in.n, mode), {b, {in.n, out.c, 1, 1}}};
    }
    return ws;
  }
  template <Backend B> void prepare(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    conv.prepare(b, parameters, ws.conv);
    if constexpr (conditioned) condition.prepare(b, condition_part(parameters), ws.condition.network);
  }
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    conv.forward(b, parameters, x, side, ws.convolved.view(n), ws.conv);
    norm.forward(b, norm_part(parameters), ws.convolved.view(n), side, ws.normalised.view(n), ws.norm);
    Activation{}.forward(b, parameters, ws.normalised.view(n), side, y, ws.act);
    if constexpr (conditioned) {
      const activation<B> e = ws.condition.e.view(n);
      condition.forward(b, condition_part(parameters), side, e, ws.condition.network);
      b.for_each_index(y.size(), generic::add_per_channel<activation<B>, activation<B>>{e, y}, 8);
    }
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    if constexpr (conditioned) {
      const activation<B> de = ws.condition.e.view(n);
      b.for_each_index(n * dy.dims.c, generic::sum_per_channel<activation<B>, activation<B>>{dy, de},
                       dy.dims.pixels());
      condition.backward(b, condition_part(parameters), side, de, condition_part(gradients),
                         ws.condition.network);
    }
    Activation{}.backward(b, parameters, ws.normalised.view(n), side, dy, ws.normalised.view(n), gradients,
                          ws.act);
    norm.backward(b, norm_part(parameters), ws.convolved.view(n), side, ws.normalised.view(n),
                  ws.convolved.view(n), norm_part(gradients), ws.norm);
    conv.backward(b, parameters, x, side, ws.convolved.view(n), dx, gradients, ws.conv);
  }
  template <Backend B> void finish(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    conv.finish(b, gradients, ws.conv);
    if constexpr (conditioned) condition.finish(b, condition_part(gradients), ws.condition.network);
  }

 private:
  template <class Real> Real* norm_part(Real* parameters) const {
    return parameters + conv.parameter_count();
  }
  template <class Real> Real* condition_part(Real* parameters) const {
    return parameters + conv.parameter_count() + norm.parameter_count();
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
