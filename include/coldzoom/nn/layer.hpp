/// The concept of a layer: a small value that describes shapes, with stateless passes over memory of the
/// caller.
#pragma once

#include <cmath>
#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/random.hpp>
#include <concepts>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Whether a workspace must keep values for the backward pass.
enum class pass { predict, train };

/// The inputs of a network beside its images, one entry per image. Unused ones stay empty.
template <Backend B> struct side_inputs {
  vector_view<const real_t<B>, typename B::space> time{};      // t / T in [0, 1]
  vector_view<const std::int32_t, typename B::space> label{};  // class index
  const_activation<B> embedding{};     // n x E x 1 x 1, of `embedded`, for the layers in it
  activation<B> embedding_gradient{};  // in the backward pass: readers of the embedding add to it
  vector_view<const sample_key, typename B::space> keys{};  // of random values; empty unless in training

  side_inputs images(index_t first, index_t count) const {
    side_inputs part;
    if (embedding.data) part.embedding = embedding.images(first, count);
    if (embedding_gradient.data) part.embedding_gradient = embedding_gradient.images(first, count);
    if (time.data) part.time = time.slice(first, count);
    if (label.data) part.label = label.slice(first, count);
    if (keys.data) part.keys = keys.slice(first, count);
    return part;
  }
};

/// One named parameter tensor and its initial values.
struct parameter_info {
  std::string name;
  std::vector<index_t> dims;
  float constant = 0;  // initial value where bound = 0
  float bound = 0;     // otherwise uniform in (-bound, bound)

  index_t size() const {
    index_t total = 1;
    for (const index_t d : dims) total *= d;
    return total;
  }
};
using parameter_list = std::vector<parameter_info>;

/// A layer `L` on backend `B`. All parameters of a network lie in one flat array; a layer sees its own part.
///
/// - `output_shape(in)`: throws `error` where the input does not fit;
/// - `describe(list, prefix)`: appends its parameters in storage order;
/// - `make_workspace(b, in, pass)`: memory for up to in.n images, nothing else allocates;
/// - `pack_weights(b, parameters, ws)`: once after the parameters changed (transposed or transformed
///   weights);
/// - `forward(b, parameters, x, side, y, ws)`;
/// - `backward(b, parameters, x, side, dy, dx, gradients, ws)`: for the last forward; ADDS to gradients (or
///   to sums in ws); dx.data may be null; dy may be overwritten;
/// - `reduce_gradients(b, gradients, ws)`: adds the sums that backward has left in ws since the last
///   `reduce_gradients`.
///
/// A layer is const throughout, so one network may predict on several threads, each with a workspace of its
/// own. A pass may be captured and replayed (backend/graph_capture.hpp), so values that change from call
/// to call lie in the backend's memory.
template <class L, class B>
concept Layer = Backend<B> && std::copyable<L> &&
    requires(const L& layer, B& b, shape s, const real_t<B>* parameters, real_t<B>* gradients,
             const_activation<B> x, activation<B> y, side_inputs<B> side, parameter_list& list,
             typename L::template workspace<B>& ws) {
  { layer.output_shape(s) } -> std::same_as<shape>;
  layer.describe(list, std::string());
  { layer.make_workspace(b, s, pass::train) } -> std::same_as<typename L::template workspace<B>>;
  layer.pack_weights(b, parameters, ws);
  layer.forward(b, parameters, x, side, y, ws);
  layer.backward(b, parameters, x, side, y, y, gradients, ws);
  layer.reduce_gradients(b, gradients, ws);
};

/// Explains what is missing where `L` is no layer on backend `B`.
template <class L, class B> consteval bool check_layer() {
  constexpr bool shaped = requires(const L& layer, shape s, parameter_list& list) {
    { layer.output_shape(s) } -> std::same_as<shape>;
    layer.describe(list, std::string());
  };
  static_assert(
      shaped,
      "coldzoom: give your network `shape output_shape(shape) const` and `describe(parameter_list&, const "
      "std::string&) const`; see docs/concepts/layer.md");
  constexpr bool has_workspace = requires(const L& layer, B& b, shape s) {
    { layer.make_workspace(b, s, pass::train) } -> std::same_as<typename L::template workspace<B>>;
  };
  static_assert(
      !shaped || has_workspace,
      "coldzoom: give your network `template <Backend B> struct workspace` and `workspace<B> "
      "make_workspace(B&, shape, pass) const`, or derive from plain_layer; see docs/concepts/layer.md");
  constexpr bool layer = Layer<L, B>;
  static_assert(
      !shaped || !has_workspace || layer,
      "coldzoom: give your network const members pack_weights, forward, backward and "
      "reduce_gradients with the parameters that docs/concepts/layer.md lists, and let it be copied");
  return layer;
}

/// The members of a layer without parameters and without memory of its own.
struct plain_layer {
  template <Backend B> struct workspace {};

  void describe(parameter_list&, const std::string&) const {}
  template <Backend B> workspace<B> make_workspace(B&, shape, pass) const { return {}; }
  template <Backend B, class Workspace> void pack_weights(B&, const real_t<B>*, Workspace&) const {}
  template <Backend B, class Workspace> void reduce_gradients(B&, real_t<B>*, Workspace&) const {}
};

/// The tensors that a whole network describes, in storage order.
template <class L> parameter_list parameters_of(const L& layer) {
  parameter_list list;
  layer.describe(list, "");
  return list;
}

/// Number of parameters of `layer`: those that `describe` lists. It makes the list, so ask once and not in
/// every pass.
template <class L> index_t parameter_count(const L& layer) {
  const parameter_list list = parameters_of(layer);
  index_t total = 0;
  for (const parameter_info& p : list) total += p.size();
  return total;
}

/// Initial values of all parameters of `network`, in storage order: PyTorch's defaults, drawn from `seed`.
template <class Network> std::vector<float> initial_parameters(const Network& network, std::uint64_t seed) {
  const parameter_list list = parameters_of(network);
  std::vector<float> values;
  for (std::size_t tensor = 0; tensor < list.size(); ++tensor) {
    const sample_key key{seed, stream::initialisation, tensor};
    for (index_t i = 0; i < list[tensor].size(); ++i) {
      const float u = 2 * random_uniform(key, static_cast<std::uint64_t>(i)) - 1;
      values.push_back(list[tensor].bound > 0 ? list[tensor].bound * u : list[tensor].constant);
    }
  }
  return values;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
