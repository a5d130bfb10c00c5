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

template <class Layers> struct ends_of;
template <class... Ls> struct ends_of<std::tuple<Ls...>> {
  using first = std::tuple_element_t<0, std::tuple<Ls...>>;
  using last = std::tuple_element_t<sizeof...(Ls) - 1, std::tuple<Ls...>>;
};
template <class L> struct ends_of<std::vector<L>> {
  using first = L;
  using last = L;
};

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
    // The receivers of each layer that its neighbour hands its output and gradient to; empty where it does
    // not, and an activation lies in memory between them.
    std::vector<input_receiver_t<B>> input;
    std::vector<gradient_receiver_t<B>> output;
    bool keep_all = false;  // whether `between` holds one entry for each layer
  };

  shape output_shape(shape in) const {
    detail::visit(layers, [&](const auto& layer) { in = layer.output_shape(in); });
    return in;
  }
  index_t parameter_count() const {
    index_t total = 0;
    detail::visit(layers, [&](const auto& layer) { total += layer.parameter_count(); });
    return total;
  }
  /// Names the children by position, `first` upwards.
  void describe(parameter_list& list, const std::string& prefix, int first = 0) const {
    int i = first;
    const std::string stem = prefix.empty() ? "" : prefix + ".";
    detail::visit(layers, [&](const auto& layer) { layer.describe(list, stem + std::to_string(i++)); });
  }

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    workspace<B> ws{workspaces_of(b, layers, in, mode), {}, {}, {in}, {}, {}, mode == pass::train};
    detail::visit(layers,
                  [&](const auto& layer) { ws.shapes.push_back(layer.output_shape(ws.shapes.back())); });
    connect(ws);
    shape largest, largest_gradient;
    const auto grow = [](shape& to, const shape& s) {
      if (activation<B>{nullptr, s}.size() > activation<B>{nullptr, to}.size()) to = s;
    };
    for (std::size_t i = 1; i + 1 < ws.shapes.size(); ++i) {
      const bool in_memory = !ws.input[i];
      if (in_memory) grow(largest, ws.shapes[i]);
      if (ws.keep_all) ws.between.emplace_back(b, in_memory ? ws.shapes[i] : shape{});
      if (!ws.output[i - 1]) grow(largest_gradient, ws.shapes[i]);
    }
    for (activation_buffer<B>& gradient : ws.gradient) {
      if (ws.keep_all) {
        gradient = activation_buffer<B>(b, largest_gradient);
      } else {
        ws.between.emplace_back(b, largest);
      }
    }
    return ws;
  }

  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    detail::visit(layers, ws.children, [&](const auto& layer, auto& child, std::size_t) {
      layer.pack_weights(b, parameters, child);
      parameters += layer.parameter_count();
    });
  }

  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws, input_receiver_t<B> next = {}) const {
    const std::size_t last = ws.shapes.size() - 2;
    connect(ws);
    const_activation<B> input = x;
    detail::visit(layers, ws.children, [&](const auto& layer, auto& child, std::size_t i) {
      using L = std::remove_cvref_t<decltype(layer)>;
      const activation<B> output = i == last ? y : between(ws, i, x.dims.n);
      if constexpr (detail::hands_output<L, B>()) {
        layer.forward(b, parameters, input, side, output, child, i == last ? next : ws.input[i + 1]);
      } else {
        layer.forward(b, parameters, input, side, output, child);
      }
      parameters += layer.parameter_count();
      input = output;
    });
  }

  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws,
                gradient_receiver_t<B> next = {}) const {
    const index_t n = x.dims.n;
    index_t offset = parameter_count();
    activation<B> from_above = dy;
    connect(ws);
    detail::visit_reverse(layers, ws.children, [&](const auto& layer, auto& child, std::size_t i) {
      using L = std::remove_cvref_t<decltype(layer)>;
      offset -= layer.parameter_count();
      const const_activation<B> input = i == 0 ? x : const_activation<B>(between(ws, i - 1, n));
      activation<B> below = dx;
      if (i > 0)
        below = {ws.output[i - 1] ? nullptr : ws.gradient[i % 2].view(n).data, ws.shapes[i].with_n(n)};
      if constexpr (detail::hands_gradient<L, B>()) {
        layer.backward(b, parameters + offset, input, side, from_above, below, gradients + offset, child,
                       i == 0 ? next : ws.output[i - 1]);
      } else {
        layer.backward(b, parameters + offset, input, side, from_above, below, gradients + offset, child);
      }
      from_above = below;
    });
  }

  // Handing over, see layer.hpp: a chain does what its first or last layer does.
  template <class B>
  static constexpr bool hands_output = detail::hands_output<typename ends_of<Layers>::last, B>();
  template <class B>
  static constexpr bool hands_gradient = detail::hands_gradient<typename ends_of<Layers>::first, B>();
  template <Backend B> bool may_hand_gradient(workspace<B>& ws) const {
    bool may = false;
    detail::visit(layers, ws.children, [&](const auto& layer, auto& child, std::size_t i) {
      if (i == 0) may = detail::may_hand_gradient<B>(layer, child);
    });
    return may;
  }
  template <Backend B> input_receiver_t<B> input_receiver(workspace<B>& ws) const {
    connect(ws);
    return ws.input.front();
  }
  template <Backend B> gradient_receiver_t<B> gradient_receiver(workspace<B>& ws) const {
    connect(ws);
    return ws.output.back();
  }

  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    detail::visit(layers, ws.children, [&](const auto& layer, auto& child, std::size_t) {
      layer.reduce_gradients(b, gradients, child);
      gradients += layer.parameter_count();
    });
  }

 private:
  /// Fills ws.input and ws.output: input[i] takes what layer i - 1 hands over, output[i] the gradients of
  /// layer i + 1. At the ends they are what the chain itself can take. Anew for each pass, because workspaces
  /// move.
  template <Backend B> void connect(workspace<B>& ws) const {
    ws.input.resize(ws.shapes.size() - 1);
    ws.output.resize(ws.shapes.size() - 1);
    bool hands = true;
    detail::visit(layers, ws.children, [&](const auto& layer, auto& child, std::size_t i) {
      ws.input[i] = hands ? detail::input_receiver<B>(layer, child) : input_receiver_t<B>{};
      hands = detail::hands_output<std::remove_cvref_t<decltype(layer)>, B>();
    });
    hands = true;
    detail::visit_reverse(layers, ws.children, [&](const auto& layer, auto& child, std::size_t i) {
      ws.output[i] = hands ? detail::gradient_receiver<B>(layer, child) : gradient_receiver_t<B>{};
      hands = detail::may_hand_gradient<B>(layer, child);
    });
  }
  // Output of layer i; null where it is handed over.
  template <Backend B> static activation<B> between(workspace<B>& ws, std::size_t i, index_t n) {
    activation<B> output{nullptr, ws.shapes[i + 1].with_n(n)};
    if (!ws.input[i + 1]) output.data = ws.between[ws.keep_all ? i : i % 2].view(n).data;
    return output;
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
