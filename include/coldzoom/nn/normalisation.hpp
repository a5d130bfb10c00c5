/// Layer norm and group norm, alone and with an activation behind them.
#pragma once

#include <array>
#include <coldzoom/backend/operations.hpp>
#include <coldzoom/nn/layer.hpp>
#include <concepts>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// The common members of the normalisation layers. `Kind` gives `geometry(shape)`, `affine_dims()` and `eps`.
template <class Kind, generic::normalisation_geometry::affine_shape Affine> struct normalisation_base {
  static constexpr auto affine = Affine;
  template <Backend B> using workspace = normalisation_t<B, Affine, generic::identity_function>;

  void describe(parameter_list& list, const std::string& prefix) const {
    const auto dims = self().affine_dims();
    list.push_back({prefix + ".weight", {dims.begin(), dims.end()}, 1, 0});
    list.push_back({prefix + ".bias", {dims.begin(), dims.end()}, 0, 0});
  }
  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    return operation<generic::identity_function>(b, in, mode);
  }
  template <Backend B, class Workspace> void pack_weights(B&, const real_t<B>*, Workspace&) const {}
  template <Backend B, class Workspace> void reduce_gradients(B&, real_t<B>*, Workspace&) const {}

  template <Backend B, class Workspace>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>&,
               activation<B> y, Workspace& ws) const {
    ws.forward(b, x.dims.n, x.data, parameters, y.data);
  }
  template <Backend B, class Workspace>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>&,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, Workspace& ws) const {
    ws.backward(b, x.dims.n, x.data, parameters, dy.data, dx.data, gradients);
  }

  /// Elements of the weight, and of the bias.
  index_t affine_size() const {
    index_t total = 1;
    for (const index_t d : self().affine_dims()) total *= d;
    return total;
  }

 protected:
  template <class Function, Backend B> auto operation(B& b, shape in, pass mode) const {
    self().output_shape(in);  // checks
    return make_normalisation<Affine, Function>(b, self().geometry(in), static_cast<real_t<B>>(self().eps),
                                                in.n, mode == pass::train);
  }

 private:
  const Kind& self() const { return static_cast<const Kind&>(*this); }
};

}  // namespace detail

/// The norms of this header, whose kind of affine is known to the compiler.
template <class N>
concept Normalisation = std::derived_from<N, detail::normalisation_base<N, N::affine>>;

/// Layer norm over the trailing axes (H, W): each channel by itself, with one affine of shape (H, W) shared
/// by the channels. PyTorch's LayerNorm((H, W)) (Ba, Kiros, Hinton 2016).
struct layer_norm_pixels
    : detail::normalisation_base<layer_norm_pixels, generic::normalisation_geometry::affine_shape::pixels> {
  index_t h = 1, w = 1;
  float eps = 1e-5f;

  layer_norm_pixels(index_t height, index_t width) : h(height), w(width) {}
  std::array<index_t, 2> affine_dims() const { return {h, w}; }
  generic::normalisation_geometry geometry(shape in) const { return {in.c, in.pixels(), in.c, affine}; }
  shape output_shape(shape in) const {
    require(in.h == h && in.w == w, "layer_norm_pixels", [&] {
      return "the input is " + to_string(in) + ", the affine is " + std::to_string(h) + " x " +
             std::to_string(w);
    });
    return in;
  }
};

/// Layer norm over the trailing axes (C, H, W), with a full affine of that shape. PyTorch's LayerNorm((C, H,
/// W)).
struct layer_norm_image
    : detail::normalisation_base<layer_norm_image, generic::normalisation_geometry::affine_shape::image> {
  index_t c = 1, h = 1, w = 1;
  float eps = 1e-5f;

  layer_norm_image(index_t channels, index_t height, index_t width) : c(channels), h(height), w(width) {}
  std::array<index_t, 3> affine_dims() const { return {c, h, w}; }
  generic::normalisation_geometry geometry(shape in) const { return {in.c, in.pixels(), 1, affine}; }
  shape output_shape(shape in) const {
    require(in.c == c && in.h == h && in.w == w, "layer_norm_image", [&] {
      return "the input is " + to_string(in) + ", the affine is " + to_string(shape{1, c, h, w});
    });
    return in;
  }
};

/// Group norm: `groups` groups of channels, an affine per channel (Wu and He 2018). PyTorch's GroupNorm.
struct group_norm
    : detail::normalisation_base<group_norm, generic::normalisation_geometry::affine_shape::channels> {
  index_t groups = 1, c = 1;
  float eps = 1e-5f;

  group_norm(index_t group_count, index_t channels) : groups(group_count), c(channels) {
    require(groups > 0 && c > 0 && c % groups == 0, "group_norm", [&] {
      return std::to_string(c) + " channels do not divide into " + std::to_string(groups) + " groups";
    });
  }
  std::array<index_t, 1> affine_dims() const { return {c}; }
  generic::normalisation_geometry geometry(shape in) const { return {in.c, in.pixels(), groups, affine}; }
  shape output_shape(shape in) const {
    require(in.c == c, "group_norm", [&] {
      return "the input has " + std::to_string(in.c) + " channels, the affine " + std::to_string(c);
    });
    return in;
  }
};

/// y = activation(norm(x)) as one operation of the backend; the parameters are those of the norm.
template <Normalisation Norm, class Activation> struct activated : Norm {
  static_assert(
      requires { typename Activation::function; },
      "coldzoom: activated takes a function_layer; put other layers behind the norm in a sequence");
  using function = typename Activation::function;
  explicit activated(Norm norm) : Norm(std::move(norm)) {}

  template <Backend B> using workspace = normalisation_t<B, Norm::affine, function>;
  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    return this->template operation<function>(b, in, mode);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
