/// Layers one after another: `sequence` of different types, `repeat` of one type.
#pragma once

#include <array>
#include <coldzoom/nn/layer.hpp>
#include <tuple>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

// One way to walk the children, whether a tuple or a vector holds them: f(child, its workspace, its index).
template <class F, class... Ls, class... Ws>
void visit(const std::tuple<Ls...>& layers, std::tuple<Ws...>& spaces, F&& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) { (f(std::get<I>(layers), std::get<I>(spaces), I), ...); }
  (std::index_sequence_for<Ls...>{});
}
template <class F, class... Ls, class... Ws>
void visit_reverse(const std::tuple<Ls...>& layers, std::tuple<Ws...>& spaces, F&& f) {
  constexpr std::size_t last = sizeof...(Ls) - 1;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (f(std::get<last - I>(layers), std::get<last - I>(spaces), last - I), ...);
  }
  (std::index_sequence_for<Ls...>{});
}
template <class F, class L, class W> void visit(const std::vector<L>& layers, std::vector<W>& spaces, F&& f) {
  for (std::size_t i = 0; i < layers.size(); ++i) f(layers[i], spaces[i], i);
}
template <class F, class L, class W>
void visit_reverse(const std::vector<L>& layers, std::vector<W>& spaces, F&& f) {
  for (std::size_t i = layers.size(); i-- > 0;) f(layers[i], spaces[i], i);
}
template <class F, class... Ls> void visit(const std::tuple<Ls...>& layers, F&& f) {
  std::apply([&](const auto&... layer) { (f(layer), ...); }, layers);
}
template <class F, class L> void visit(const std::vector<L>& layers, F&& f) {
  for (const L& layer : layers) f(layer);
}

template <class B, class... Ls>
auto workspaces_of(B& b, const std::tuple<Ls...>& layers, shape in, pass mode) {
  // Braces evaluate left to right, so each layer sees the shape that the previous one leaves.
  return std::apply(
      [&](const auto&... layer) {
        return std::tuple<typename Ls::template workspace<B>...>{
            [&] { return layer.make_workspace(b, std::exchange(in, layer.output_shape(in)), mode); }()...};
      },
      layers);
}
template <class B, class L> auto workspaces_of(B& b, const std::vector<L>& layers, shape in, pass mode) {
  std::vector<typename L::template workspace<B>> spaces;
  for (const L& layer : layers) {
    spaces.push_back(layer.make_workspace(b, in, mode));
    in = layer.output_shape(in);
  }
  return spaces;
}

/// A chain of layers held in `Layers`, a tuple or a vector.
template <class Layers> struct chain {
  Layers layers;

  template <Backend B> struct workspace {
    decltype(workspaces_of(std::declval<B&>(), std::declval<const Layers&>(), shape{}, pass::train)) children;
    std::vector<activation_buffer<B>> between;  // train: one after each layer but the last; else two in turn
    std::array<activation_buffer<B>, 2> gradient;  // train: two in turn
    std::vector<shape> shapes;                     // input of each layer, then the output
    std::vector<index_t> offsets;                  // where the parameters of each layer begin
    bool keep_all = false;                         // whether `between` holds one entry for each layer
  };

  shape output_shape(shape in) const {
    detail::visit(layers, [&](const auto& layer) { in = layer.output_shape(in); });
    return in;
  }
  /// Names the children by position.
  void describe(parameter_list& list, const std::string& prefix) const {
    int i = 0;
    const std::string stem = prefix.empty() ? "" : prefix + ".";
    detail::visit(layers, [&](const auto& layer) { layer.describe(list, stem + std::to_string(i++)); });
  }

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    workspace<B> ws{workspaces_of(b, layers, in, mode), {}, {}, {in}, {0}, mode == pass::train};
    detail::visit(layers, [&](const auto& layer) {
      ws.shapes.push_back(layer.output_shape(ws.shapes.back()));
      ws.offsets.push_back(ws.offsets.back() + parameter_count(layer));
    });
    shape largest;
    for (std::size_t i = 1; i + 1 < ws.shapes.size(); ++i) {
      const shape s = ws.shapes[i];
      if (activation<B>{nullptr, s}.size() > activation<B>{nullptr, largest}.size()) largest = s;
      if (ws.keep_all) ws.between.emplace_back(b, s);
    }
    for (activation_buffer<B>& gradient : ws.gradient) {
      if (ws.keep_all) {
        gradient = activation_buffer<B>(b, largest);
      } else {
        ws.between.emplace_back(b, largest);
      }
    }
    return ws;
  }

  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    detail::visit(layers, ws.children, [&](const auto& layer, auto& child, std::size_t i) {
      layer.pack_weights(b, parameters + ws.offsets[i], child);
    });
  }

  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    const std::size_t last = ws.shapes.size() - 2;
    const_activation<B> input = x;
    detail::visit(layers, ws.children, [&](const auto& layer, auto& child, std::size_t i) {
      const activation<B> output = i == last ? y : between(ws, i, x.dims.n);
      layer.forward(b, parameters + ws.offsets[i], input, side, output, child);
      input = output;
    });
  }

  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    activation<B> from_above = dy;
    detail::visit_reverse(layers, ws.children, [&](const auto& layer, auto& child, std::size_t i) {
      const const_activation<B> input = i == 0 ? x : const_activation<B>(between(ws, i - 1, n));
      activation<B> below = dx;
      if (i > 0) below = {ws.gradient[i % 2].view(n).data, input.dims};
      layer.backward(b, parameters + ws.offsets[i], input, side, from_above, below, gradients + ws.offsets[i],
                     child);
      from_above = below;
    });
  }

  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    detail::visit(layers, ws.children, [&](const auto& layer, auto& child, std::size_t i) {
      layer.reduce_gradients(b, gradients + ws.offsets[i], child);
    });
  }

 private:
  // Output of layer i.
  template <Backend B> static activation<B> between(workspace<B>& ws, std::size_t i, index_t n) {
    return {ws.between[ws.keep_all ? i : i % 2].view(n).data, ws.shapes[i + 1].with_n(n)};
  }
};

}  // namespace detail

/// y = last(...(first(x))): layers of different types, fixed at compile time. Parameters are named by
/// position.
template <class... Layers> struct sequence : detail::chain<std::tuple<Layers...>> {
  static_assert(sizeof...(Layers) > 0, "a sequence needs at least one layer");
  explicit sequence(Layers... parts) : detail::chain<std::tuple<Layers...>>{{std::move(parts)...}} {}
};

/// The same for layers of one type, how many is known at run time (at least one).
template <class L> struct repeat : detail::chain<std::vector<L>> {
  explicit repeat(std::vector<L> parts) : detail::chain<std::vector<L>>{std::move(parts)} {
    require(!this->layers.empty(), "repeat", "there are no layers; it needs at least one");
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
