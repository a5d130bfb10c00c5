/// Activation functions as layers.
#pragma once

#include <coldzoom/backend/generic/elementwise.hpp>
#include <coldzoom/nn/layer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// y = Function(x), element by element; Function as in backend/generic/elementwise.hpp.
template <class Function> struct function_layer : plain_layer {
  using function = Function;
  shape output_shape(shape in) const { return in; }

  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               workspace<B>&) const {
    if constexpr (requires { b.template apply<Function>(x.data, y.data, x.size()); }) {
      b.template apply<Function>(x.data, y.data, x.size());
    } else {
      b.for_each_index(x.size(), generic::apply_function<Function, real_t<B>>{{}, x.data, y.data}, 20);
    }
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>*, workspace<B>&) const {
    if (!dx.data) return;
    if constexpr (requires { b.template apply_slope<Function>(x.data, dy.data, dx.data, x.size()); }) {
      b.template apply_slope<Function>(x.data, dy.data, dx.data, x.size());
    } else {
      b.for_each_index(x.size(), generic::apply_slope<Function, real_t<B>>{{}, x.data, dy.data, dx.data}, 40);
    }
  }
};

using gelu = function_layer<generic::gelu_function>;
using silu = function_layer<generic::silu_function>;

}  // namespace coldzoom::inline COLDZOOM_ISA
