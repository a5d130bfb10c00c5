/// Activation functions as layers.
#pragma once

#include <coldzoom/backend/operations.hpp>
#include <coldzoom/nn/layer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// y = Function(x), element by element; Function as in backend/generic/elementwise.hpp.
template <class Function> struct function_layer : plain_layer {
  using function = Function;
  shape output_shape(shape in) const { return in; }

  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               workspace<B>&) const {
    map_function<Function>(b, x.size(), x.data, y.data);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>*, workspace<B>&) const {
    if (dx.data) map_slope<Function>(b, x.size(), x.data, dy.data, dx.data);
  }
};

using gelu = function_layer<generic::gelu_function>;
using silu = function_layer<generic::silu_function>;

}  // namespace coldzoom::inline COLDZOOM_ISA
