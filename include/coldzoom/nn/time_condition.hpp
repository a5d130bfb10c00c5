/// A small network from the diffusion time to one number per channel.
#pragma once

#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/linear.hpp>
#include <coldzoom/nn/sequence.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// features[n] = [sin(u w), cos(u w) - 1], u = time[n]. Index: [n][frequency].
template <class Out, class Real> struct sinusoidal_features {
  const Real* time;
  const Real* frequency;
  index_t count;
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / count, k = i % count;
    const Real angle = time[n] * frequency[k];
    y.data[y.offset(n, k, 0)] = std::sin(angle);
    y.data[y.offset(n, count + k, 0)] = std::cos(angle) - Real(1);
  }
};

}  // namespace detail

/// A condition `C` of convolution blocks on backend `B`: one number per image and channel, made of the side
/// inputs. Its members are those of a Layer that has `side` for x and is told a capacity in place of a shape;
/// `forward` writes and `backward` reads an activation of (n, channels, 1, 1), whose padding lanes are
/// finite.
template <class C, class B>
concept Condition = Backend<B> && std::copyable<C> &&
    requires(const C& condition, B& b, const real_t<B>* parameters, real_t<B>* gradients, side_inputs<B> side,
             activation<B> e, parameter_list& list, typename C::template workspace<B>& ws) {
  condition.describe(list, std::string());
  { condition.make_workspace(b, index_t{1}, pass::train) } -> std::same_as<typename C::template workspace<B>>;
  condition.pack_weights(b, parameters, ws);
  condition.forward(b, parameters, side, e, ws);
  condition.backward(b, parameters, side, e, gradients, ws);
  condition.reduce_gradients(b, gradients, ws);
};

/// u -> [sin(u w), cos(u w) - 1] -> `Mlp`, one row an image. Frequencies w = [0, 2 pi 1.5^0, ..., 2 pi 1.5^(F
/// - 2)], computed in double and rounded to float.
template <class Mlp> struct time_network {
  index_t frequencies;
  Mlp mlp;  // from 2 * frequencies numbers

  std::vector<float> frequency_table() const {
    std::vector<float> table{0.0f};
    double w = 2 * 3.14159265358979323846;
    for (index_t i = 1; i < frequencies; ++i, w *= 1.5) table.push_back(static_cast<float>(w));
    return table;
  }

  void describe(parameter_list& list, const std::string& prefix) const { mlp.describe(list, prefix); }

  template <Backend B> struct workspace {
    buffer_t<B> table;
    activation_buffer<B> features;
    typename Mlp::template workspace<B> mlp;
  };
  template <Backend B> workspace<B> make_workspace(B& b, index_t capacity, pass mode) const {
    const shape in{capacity, 2 * frequencies, 1, 1};
    workspace<B> ws{b.template allocate<real_t<B>>(frequencies), {b, in}, mlp.make_workspace(b, in, mode)};
    const std::vector<float> floats = frequency_table();
    const std::vector<real_t<B>> table(floats.begin(), floats.end());
    b.upload(table.data(), ws.table.data(), frequencies);
    return ws;
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    mlp.pack_weights(b, parameters, ws.mlp);
  }
  /// e: (n, channels, 1, 1).
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const side_inputs<B>& side, activation<B> e,
               workspace<B>& ws) const {
    require(side.time.data != nullptr && side.time.size == e.dims.n, "time_condition", [&] {
      return "the batch has " + std::to_string(e.dims.n) + " images and " + std::to_string(side.time.size) +
             " times; each image needs one";
    });
    const activation<B> features = ws.features.view(e.dims.n);
    b.for_each_index(e.dims.n * frequencies,
                     detail::sinusoidal_features<activation<B>, real_t<B>>{side.time.data, ws.table.data(),
                                                                           frequencies, features},
                     40);
    mlp.forward(b, parameters, features, side, e, ws.mlp);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const side_inputs<B>& side, activation<B> de,
                real_t<B>* gradients, workspace<B>& ws) const {
    mlp.backward(b, parameters, ws.features.view(de.dims.n), side, de, {}, gradients, ws.mlp);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    mlp.reduce_gradients(b, gradients, ws.mlp);
  }
};

/// time_network with linear, GELU, ..., linear of the given width: the condition of the original's first
/// block, one number a channel.
struct time_condition : time_network<sequence<linear, gelu, linear, gelu, linear, gelu, linear>> {
  explicit time_condition(index_t channels, index_t frequency_count = 16, index_t width = 128)
      : time_network{frequency_count,
                     sequence(linear{2 * frequency_count, width}, gelu{}, linear{width, width}, gelu{},
                              linear{width, width}, gelu{}, linear{width, channels})} {}
};

/// For blocks that read nothing beside their input.
struct no_condition {
  template <Backend B> struct workspace {};
  void describe(parameter_list&, const std::string&) const {}
  template <Backend B> workspace<B> make_workspace(B&, index_t, pass) const { return {}; }
  template <Backend B> void pack_weights(B&, const real_t<B>*, workspace<B>&) const {}
  template <Backend B>
  void forward(B&, const real_t<B>*, const side_inputs<B>&, activation<B>, workspace<B>&) const {}
  template <Backend B>
  void backward(B&, const real_t<B>*, const side_inputs<B>&, activation<B>, real_t<B>*, workspace<B>&) const {
  }
  template <Backend B> void reduce_gradients(B&, real_t<B>*, workspace<B>&) const {}
};

}  // namespace coldzoom::inline COLDZOOM_ISA
