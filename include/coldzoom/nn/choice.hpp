/// One of several layers, which one is known at run time.
#pragma once

#include <coldzoom/nn/layer.hpp>
#include <variant>

namespace coldzoom::inline COLDZOOM_ISA {

/// The layer that it holds, one of `Layers`: where the layers of a network follow from numbers, a vector of
/// choices holds them. Unlike any_layer it needs no backend and lists what it may hold. Results, names and
/// parameters are those of the layer.
template <class... Layers> class choice {
  // With the layer in its type: two layers may have one type of workspace.
  template <class L, class B> struct held_workspace { typename L::template workspace<B> own; };

 public:
  std::variant<Layers...> held;

  template <class L>
    requires(std::same_as<L, Layers> || ...)
  explicit choice(L layer) : held(std::move(layer)) {}

  shape output_shape(shape in) const {
    return std::visit([&](const auto& layer) { return layer.output_shape(in); }, held);
  }
  void describe(parameter_list& list, const std::string& prefix) const {
    std::visit([&](const auto& layer) { layer.describe(list, prefix); }, held);
  }

  template <Backend B> struct workspace { std::variant<held_workspace<Layers, B>...> held; };

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    return std::visit(
        [&]<class L>(const L& layer) -> workspace<B> {
          return {held_workspace<L, B>{layer.make_workspace(b, in, mode)}};
        },
        held);
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    on(ws, [&](const auto& layer, auto& own) { layer.pack_weights(b, parameters, own); });
  }
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    on(ws, [&](const auto& layer, auto& own) { layer.forward(b, parameters, x, side, y, own); });
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    on(ws,
       [&](const auto& layer, auto& own) { layer.backward(b, parameters, x, side, dy, dx, gradients, own); });
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    on(ws, [&](const auto& layer, auto& own) { layer.reduce_gradients(b, gradients, own); });
  }

 private:
  template <class B, class F> void on(workspace<B>& ws, const F& f) const {
    std::visit([&]<class L>(const L& layer) { f(layer, std::get<held_workspace<L, B>>(ws.held).own); }, held);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
