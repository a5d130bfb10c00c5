/// What a layer is: a small value that describes shapes, with stateless passes over caller-owned memory.
#pragma once

#include <cmath>
#include <coldzoom/backend/backend.hpp>
#include <coldzoom/backend/device/handing.hpp>
#include <coldzoom/backend/image_callback.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/random.hpp>
#include <concepts>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Whether a workspace must carry what the backward pass needs.
enum class pass { predict, train };

/// What a network may read beside its input, one entry per image. Unused ones stay empty.
template <Backend B> struct side_inputs {
  vector_view<const real_t<B>, typename B::space> time;      // t / T in [0, 1]
  vector_view<const std::int32_t, typename B::space> label;  // class index
  const_activation<B> embedding;     // n x E x 1 x 1, of `embedded`, for the layers in it
  activation<B> embedding_gradient;  // in the backward pass: readers of the embedding add to it

  side_inputs images(index_t first, index_t count) const {
    side_inputs part;
    if (embedding.data) part.embedding = embedding.images(first, count);
    if (embedding_gradient.data) part.embedding_gradient = embedding_gradient.images(first, count);
    if (time.data) part.time = time.slice(first, count);
    if (label.data) part.label = label.slice(first, count);
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

namespace detail {
template <class B> struct receivers {
  using input = image_callback<real_t<B>>;
  using gradient = image_callback<real_t<B>>;
};
template <BlockBackend B> struct receivers<B> {
  using input = device::planes_at<real_t<B>>;
  using gradient = device::gradient_callback<B>;
};
}  // namespace detail

/// What a layer hands its output to, image by image, in place of memory; on a backend of blocks, where the
/// spectrum of all images goes. Empty by default.
template <Backend B> using input_receiver_t = typename detail::receivers<B>::input;
/// The same for its gradient; on a backend of blocks a call for all images.
template <Backend B> using gradient_receiver_t = typename detail::receivers<B>::gradient;

/// A layer `L` on backend `B`. All parameters of a network lie in one flat array; a layer sees its own part.
///
/// - `output_shape(in)`: throws `error` where the input does not fit;
/// - `parameter_count()`; `describe(list, prefix)` appends its parameters in storage order;
/// - `make_workspace(b, in, pass)`: memory for up to in.n images, nothing else allocates;
/// - `pack_weights(b, parameters, ws)`: once after the parameters changed (transposed or transformed
///   weights);
/// - `forward(b, parameters, x, side, y, ws)`;
/// - `backward(b, parameters, x, side, dy, dx, gradients, ws)`: for the last forward; ADDS to gradients (or
///   to sums in ws); dx.data may be null; dy may be overwritten;
/// - `reduce_gradients(b, gradients, ws)`: adds what backward has summed in ws since the last
///   `reduce_gradients`.
///
/// Neighbours in a chain may pass on what they make, without memory for the activation between them: image by
/// image, in the tasks of the pool and while the image is in the cache; on a backend of blocks as a spectrum,
/// all images in one kernel. Optional members for that:
/// - `hands_output<B>` = true, and `forward(..., ws, next)`: next(image, y of it) for every complete image,
///   or the spectrum of y to `next`; y.data may be null;
/// - `input_receiver(ws)`: what the layer before gets as `next`, empty where the layer cannot. `forward` then
///   comes with x.data null, and so does `backward`;
/// - `hands_gradient<B>` = true, and `backward(..., ws, next)`: next(image, dx of it), or next(images, the
///   spectrum of dx), dx.data null; `may_hand_gradient(ws)` = false where it cannot after all;
/// - `gradient_receiver(ws)`: likewise; `backward` then comes with dy.data null.
///
/// A layer is const throughout, so one network may predict on several threads, each with a workspace of its
/// own. A pass may be recorded and replayed (backend/graph_capture.hpp): what changes from call to call lies in
/// the backend's memory.
template <class L, class B>
concept Layer = Backend<B> && std::copyable<L> &&
    requires(const L& layer, B& b, shape s, const real_t<B>* parameters, real_t<B>* gradients,
             const_activation<B> x, activation<B> y, side_inputs<B> side, parameter_list& list,
             typename L::template workspace<B>& ws) {
  { layer.output_shape(s) } -> std::same_as<shape>;
  { layer.parameter_count() } -> std::same_as<index_t>;
  layer.describe(list, std::string());
  { layer.make_workspace(b, s, pass::train) } -> std::same_as<typename L::template workspace<B>>;
  layer.pack_weights(b, parameters, ws);
  layer.forward(b, parameters, x, side, y, ws);
  layer.backward(b, parameters, x, side, y, y, gradients, ws);
  layer.reduce_gradients(b, gradients, ws);
};

namespace detail {

template <class L, class B> consteval bool hands_output() {
  if constexpr (requires { L::template hands_output<B>; }) return L::template hands_output<B>;
  return false;
}
template <class L, class B> consteval bool hands_gradient() {
  if constexpr (requires { L::template hands_gradient<B>; }) return L::template hands_gradient<B>;
  return false;
}
template <Backend B, class L, class Workspace> bool may_hand_gradient(const L& layer, Workspace& ws) {
  if constexpr (requires { layer.template may_hand_gradient<B>(ws); })
    return layer.template may_hand_gradient<B>(ws);
  return hands_gradient<L, B>();
}
template <Backend B, class L, class Workspace>
input_receiver_t<B> input_receiver(const L& layer, Workspace& ws) {
  if constexpr (requires { layer.template input_receiver<B>(ws); })
    return layer.template input_receiver<B>(ws);
  return {};
}
template <Backend B, class L, class Workspace>
gradient_receiver_t<B> gradient_receiver(const L& layer, Workspace& ws) {
  if constexpr (requires { layer.template gradient_receiver<B>(ws); })
    return layer.template gradient_receiver<B>(ws);
  return {};
}

}  // namespace detail

/// Explains what is missing where `L` is no layer on backend `B`.
template <class L, class B> consteval bool check_layer() {
  constexpr bool shaped = requires(const L& layer, shape s, parameter_list& list) {
    { layer.output_shape(s) } -> std::same_as<shape>;
    { layer.parameter_count() } -> std::same_as<index_t>;
    layer.describe(list, std::string());
  };
  static_assert(
      shaped,
      "coldzoom: give your network `shape output_shape(shape) const`, `index_t parameter_count() const` "
      "and `describe(parameter_list&, const std::string&) const`; see docs/concepts/layer.md");
  constexpr bool has_workspace = requires(const L& layer, B& b, shape s) {
    { layer.make_workspace(b, s, pass::train) } -> std::same_as<typename L::template workspace<B>>;
  };
  static_assert(
      !shaped || has_workspace,
      "coldzoom: give your network `template <Backend B> struct workspace` and `workspace<B> "
      "make_workspace(B&, shape, pass) const`, or derive from plain_layer; see docs/concepts/layer.md");
  constexpr bool layer = Layer<L, B>;
  static_assert(!shaped || !has_workspace || layer,
                "coldzoom: give your network const members pack_weights, forward, backward and "
                "reduce_gradients with the "
                "parameters that docs/concepts/layer.md lists, and let it be copied");
  return layer;
}

/// The members of a layer without parameters and without memory of its own.
struct plain_layer {
  template <Backend B> struct workspace {};

  index_t parameter_count() const { return 0; }
  void describe(parameter_list&, const std::string&) const {}
  template <Backend B> workspace<B> make_workspace(B&, shape, pass) const { return {}; }
  template <Backend B, class Workspace> void pack_weights(B&, const real_t<B>*, Workspace&) const {}
  template <Backend B, class Workspace> void reduce_gradients(B&, real_t<B>*, Workspace&) const {}
};

/// The number of parameters of a layer: the sum of what it describes.
template <class L> index_t parameter_count(const L& layer) {
  parameter_list list;
  layer.describe(list, "");
  index_t total = 0;
  for (const parameter_info& p : list) total += p.size();
  return total;
}

/// Initial values of all parameters of `network`, in storage order: PyTorch's defaults, drawn from `seed`.
template <class Network> std::vector<float> initial_parameters(const Network& network, std::uint64_t seed) {
  parameter_list list;
  network.describe(list, "");
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(network.parameter_count()));
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
