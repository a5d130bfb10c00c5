/// Convolution, normalisation, activation, and a condition added per channel.
#pragma once

#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/normalisation.hpp>
#include <coldzoom/nn/time_condition.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {
template <class B, class Norm, class Activation>
concept fused_normalisation = fast_convolution<B> && requires {
  typename B::template normalisation<Norm::affine, typename Activation::function>;
};
template <class B, class Norm, class Activation>
concept block_normalisation =
    BlockBackend<B> && std::derived_from<Norm, normalisation_base<Norm>> && requires {
  typename Activation::function;
};
template <class B, class Norm, class Activation>
concept spectral_normalisation =
    block_normalisation<B, Norm, Activation> && hands_spectra<B> && std::same_as<Norm, layer_norm_pixels>;
}  // namespace detail

/// y = activation(norm(conv(x))) + condition(side), the condition giving one number per channel.
/// The same as the layers one after another; where the backend has a fast convolution and a fused
/// `normalisation`, they run in the convolution's own tasks, while the image is in the cache. A backend of
/// blocks takes norm, activation and condition in one sweep; a norm of single planes, in the sweep that
/// transforms them between this convolution and its neighbours.
template <class Norm, class Activation, class Condition = no_condition> struct conv_block {
  conv2d conv;
  Norm norm;
  Condition condition{};

  template <class B> static constexpr bool fused = detail::fused_normalisation<B, Norm, Activation>;
  template <class B>
  using fused_norm = typename B::template normalisation<Norm::affine, typename Activation::function>;
  template <class B> static constexpr bool in_blocks = detail::block_normalisation<B, Norm, Activation>;
  template <class B> static constexpr bool spectral = detail::spectral_normalisation<B, Norm, Activation>;
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
  template <Backend B> struct spectral_workspace {};
  template <Backend B>
    requires spectral<B>
  struct spectral_workspace<B> {
    bool train = false;
    const real_t<B>* affine = nullptr;
    buffer_t<B> parts;  // of the gradient of the affine
    index_t rows = 0;
  };
  template <Backend B> struct generic_workspace {
    conv2d::workspace<B> conv;
    typename Norm::template workspace<B> norm;
    typename Activation::template workspace<B> act;
    activation_buffer<B> convolved, normalised;
    condition_workspace<B> condition;
    [[no_unique_address]] spectral_workspace<B> spectral;
  };
  /// Each image has a place of its own for statistics and for the gradients of the affine, which `reduce_gradients`
  /// adds up in the order of the places, so that no result depends on the threads.
  template <Backend B> struct fused_workspace {
    conv2d::workspace<B> conv;
    fused_norm<B> norm;
    pass mode;
    activation_buffer<B> x_hat;    // train only
    buffer_t<B> statistics;        // [image][norm.statistics_size()]
    buffer_t<B> affine;            // [2][norm.affine_size()], in the form that `norm` wants
    buffer_t<B> affine_gradients;  // [image][2][norm.affine_size()]
    condition_workspace<B> condition;
  };
  template <class B> struct choose_workspace { using type = generic_workspace<B>; };
  template <class B>
    requires fused<B>
  struct choose_workspace<B> {
    using type = fused_workspace<B>;
  };
  template <Backend B> using workspace = typename choose_workspace<B>::type;

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    const shape out = output_shape(in);
    workspace<B> ws = [&]() -> workspace<B> {
      if constexpr (fused<B>) {
        const auto g = norm.geometry(out);
        const fused_norm<B> n{g.channels, g.pixels, g.groups, static_cast<real_t<B>>(norm.eps),
                              nullptr,    nullptr};
        const index_t slots = mode == pass::train ? in.n : 0;
        return {conv.make_workspace(b, in, mode),
                n,
                mode,
                {b, out.with_n(slots)},
                b.template allocate<real_t<B>>(in.n * n.statistics_size()),
                b.template allocate<real_t<B>>(2 * n.affine_size()),
                b.template allocate<real_t<B>>(slots * 2 * n.affine_size()),
                {}};
      } else {
        return {conv.make_workspace(b, in, mode),
                norm.make_workspace(b, out, mode),
                {},
                {b, out},
                {b, out},
                {},
                {}};
      }
    }();
    if constexpr (spectral<B>) {
      if (mode == pass::train) {
        const index_t rows = device::most_sweep_blocks<real_t<B>>(in.n, out.c);
        ws.spectral = {true, nullptr, b.template allocate<real_t<B>>(rows * 2 * out.pixels())};
      }
    }
    if constexpr (conditioned) {
      ws.condition = {condition.make_workspace(b, in.n, mode), {b, {in.n, out.c, 1, 1}}};
    }
    return ws;
  }

  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    conv.pack_weights(b, parameters, ws.conv);
    if constexpr (fused<B>) {
      const index_t size = ws.norm.affine_size();
      for (index_t part = 0; part < 2; ++part) {
        const real_t<B>* from = norm_part(parameters) + part * norm.affine_size();
        to_affine_layout(b, ws.norm, from, ws.affine.data() + part * size);
      }
      ws.norm.gamma = ws.affine.data();
      ws.norm.beta = ws.affine.data() + size;
    }
    if constexpr (spectral<B>) ws.spectral.affine = norm_part(parameters);
    if constexpr (conditioned) condition.pack_weights(b, condition_part(parameters), ws.condition.network);
  }

  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws, input_receiver_t<B> next = {}) const {
    const index_t n = x.dims.n;
    activation<B> e;
    if constexpr (conditioned) {
      e = ws.condition.e.view(n);
      condition.forward(b, condition_part(parameters), side, e, ws.condition.network);
    }
    if constexpr (fused<B>) {
      const auto epilogue = [&](index_t image, real_t<B>* z) {
        real_t<B>* const statistics = ws.statistics.data() + image * ws.norm.statistics_size();
        const real_t<B>* const addend = conditioned ? e.images(image, 1).data : nullptr;
        if (ws.mode == pass::train) {
          ws.norm.forward_image(z, statistics, ws.x_hat.view(n).images(image, 1).data, addend);
        } else {
          ws.norm.predict_image(z, statistics, addend);
        }
        next(image, z);
      };
      conv.forward(b, parameters, x, side, y, ws.conv, epilogue);
    } else {
      if constexpr (spectral<B>) {
        if (forward_planes(b, parameters, x, side, e, y, ws, next)) return;
      }
      conv.forward(b, parameters, x, side, ws.convolved.view(n), ws.conv);
      if constexpr (in_blocks<B>) {
        norm.template forward_with<typename Activation::function>(b, norm_part(parameters),
                                                                  ws.convolved.view(n), e, y, ws.norm);
      } else {
        norm.forward(b, norm_part(parameters), ws.convolved.view(n), side, ws.normalised.view(n), ws.norm);
        Activation{}.forward(b, parameters, ws.normalised.view(n), side, y, ws.act);
        if constexpr (conditioned) {
          b.for_each_index(y.size(), generic::add_per_channel<activation<B>, activation<B>>{e, y}, 8);
        }
      }
    }
  }

  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws,
                gradient_receiver_t<B> next = {}) const {
    const index_t n = x.dims.n;
    activation<B> de;
    if constexpr (conditioned) de = ws.condition.e.view(n);
    if constexpr (fused<B>) {
      const auto begin = [&](index_t image, real_t<B>* d) { backward_image<B>(ws, image, d); };
      conv.backward_with(b, x, dy, dx, ws.conv, begin, next);
    } else if constexpr (in_blocks<B>) {
      bool done = false;
      if constexpr (spectral<B>) done = backward_planes(b, parameters, x, side, dy, dx, gradients, ws, next);
      if (!done) {
        if constexpr (conditioned) device::sum_rows(b, n * dy.dims.c, dy.dims.pixels(), dy.data, de.data);
        norm.template backward_with<typename Activation::function>(
            b, norm_part(parameters), ws.convolved.view(n), dy, ws.normalised.view(n), norm_part(gradients),
            ws.norm);
        conv.backward(b, parameters, x, side, ws.normalised.view(n), dx, gradients, ws.conv, next);
      }
    } else {
      if constexpr (conditioned) {
        b.for_each_index(n * dy.dims.c, generic::sum_per_channel<activation<B>, activation<B>>{dy, de},
                         dy.dims.pixels());
      }
      Activation{}.backward(b, parameters, ws.normalised.view(n), side, dy, ws.normalised.view(n), gradients,
                            ws.act);
      norm.backward(b, norm_part(parameters), ws.convolved.view(n), side, ws.normalised.view(n),
                    ws.convolved.view(n), norm_part(gradients), ws.norm);
      conv.backward(b, parameters, x, side, ws.convolved.view(n), dx, gradients, ws.conv);
    }
    if constexpr (conditioned) {
      condition.backward(b, condition_part(parameters), side, de, condition_part(gradients),
                         ws.condition.network);
    }
  }

  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    conv.reduce_gradients(b, gradients, ws.conv);
    if constexpr (fused<B>) {
      const index_t size = ws.norm.affine_size(), places = ws.affine_gradients.size() / (2 * size);
      b.for_each_index(2 * norm.affine_size(),
                       add_affine_gradients<real_t<B>, activation<B>>{
                           ws.affine_gradients.data(), places, size, norm.affine_size(),
                           affine_view(b, ws.norm), norm_part(gradients)},
                       2 * places);
      b.for_each_index(ws.affine_gradients.size(), generic::fill<real_t<B>>{0, ws.affine_gradients.data()});
    }
    if constexpr (conditioned) condition.reduce_gradients(b, condition_part(gradients), ws.condition.network);
  }

  // Handing over, see layer.hpp.
  template <class B> static constexpr bool hands_output = fused<B> || spectral<B>;
  template <class B>
  static constexpr bool hands_gradient = fused<B> || (in_blocks<B> && detail::hands_spectra<B>);
  template <Backend B> bool may_hand_gradient(workspace<B>& ws) const {
    return hands_gradient<B> && conv.may_hand_gradient<B>(ws.conv);
  }
  template <Backend B> input_receiver_t<B> input_receiver(workspace<B>& ws) const {
    return conv.input_receiver<B>(ws.conv);
  }
  template <Backend B> gradient_receiver_t<B> gradient_receiver([[maybe_unused]] workspace<B>& ws) const {
    if constexpr (fused<B>) {
      if (ws.conv.convolution.takes_images()) {
        constexpr auto take = [](const conv_block&, workspace<B>& to, index_t image, real_t<B>* dy) {
          backward_image<B>(to, image, dy);
          to.conv.convolution.take_gradient(image, dy);
        };
        return gradient_receiver_t<B>::template bind<take>(*this, ws);
      }
    } else if constexpr (spectral<B>) {
      constexpr auto take = [](const conv_block& layer, workspace<B>& to, index_t images,
                               device::handed_gradient<B>* dy) {
        layer.undo_planes(*dy->backend, to, images, dy->planes);
      };
      return gradient_receiver_t<B>::template bind<take>(*this, ws);
    }
    return {};
  }

 private:
  // Norm, activation and condition in the sweep between two convolutions: where this or the next one works on
  // spectra that lie on one tile.

  static device::tiled_planes planes(shape s) { return device::whole_planes(s.c, s.h, s.w); }
  /// False where neither does.
  template <BlockBackend B>
  bool forward_planes(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                      const_activation<B> e, activation<B> y, workspace<B>& ws,
                      const input_receiver_t<B>& next) const {
    auto* fft = ws.conv.convolution.spectral();
    if (!fft && !next) return false;
    const index_t n = x.dims.n;
    const device::planes_at<real_t<B>> to = next ? next : device::planes_at<real_t<B>>{y.data};
    const activation<B> convolved = ws.convolved.view(n);
    device::normalise_planes<typename Activation::function, real_t<B>> work{{},
                                                                            static_cast<real_t<B>>(norm.eps),
                                                                            ws.spectral.affine,
                                                                            e.data,
                                                                            nullptr,
                                                                            ws.norm.mean.data(),
                                                                            ws.norm.rstd.data()};
    if (fft && (!next || next.points == fft->shared_points())) {
      if (ws.spectral.train) work.x = convolved.data;
      fft->forward(b, n, x.data, to, work);
    } else {
      conv.forward(b, parameters, x, side, convolved, ws.conv);
      device::sweep(b, planes(convolved.dims), n, {convolved.data}, to, work);
    }
    return true;
  }
  /// dy, in memory or a spectrum, becomes the gradient of the convolution's output, where that wants it.
  template <BlockBackend B>
  void undo_planes(B& b, workspace<B>& ws, index_t n, const device::planes_at<real_t<B>>& dy) const {
    auto* fft = ws.conv.convolution.spectral();
    const bool at_once = fft && (!dy.spectrum || dy.points == fft->shared_points());
    const device::planes_at<real_t<B>> to =
        at_once ? fft->gradient() : device::planes_at<real_t<B>>{ws.normalised.view(n).data};
    real_t<B>* condition_gradient = nullptr;
    if constexpr (conditioned) condition_gradient = ws.condition.e.view(n).data;
    const activation<B> convolved = ws.convolved.view(n);
    const device::normalise_planes_back<typename Activation::function, real_t<B>> work{
        {},
        ws.spectral.affine,
        convolved.data,
        ws.norm.mean.data(),
        ws.norm.rstd.data(),
        condition_gradient,
        ws.spectral.parts.data()};
    ws.spectral.rows = device::sweep(b, planes(convolved.dims), n, dy, to, work);
    if (fft && !at_once) fft->take_gradient(b, n, to.memory);
  }
  /// False where this convolution takes no spectra and dy lies in memory.
  template <BlockBackend B>
  bool backward_planes(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                       activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws,
                       const gradient_receiver_t<B>& next) const {
    auto* fft = ws.conv.convolution.spectral();
    if (!fft && dy.data) return false;
    const index_t n = x.dims.n;
    if (dy.data) undo_planes(b, ws, n, {dy.data});
    device::add_in_order(b, ws.spectral.rows, 2 * norm.affine_size(), ws.spectral.parts.data(),
                         norm_part(gradients));
    if (fft) {
      // The norm takes the mean of every plane away, so the gradient of the bias is zero.
      fft->backward(b, n, nullptr, dx.data, gradients, next);
    } else {
      conv.backward(b, parameters, x, side, ws.normalised.view(n), dx, gradients, ws.conv);
    }
    return true;
  }

  /// dy of one image becomes the gradient of the convolution's output.
  template <Backend B> static void backward_image(workspace<B>& ws, index_t image, real_t<B>* dy) {
    const index_t size = ws.norm.affine_size();
    real_t<B>* const affine = ws.affine_gradients.data() + image * 2 * size;
    real_t<B>* condition = nullptr;
    if constexpr (conditioned) condition = ws.condition.e.view(image + 1).images(image, 1).data;
    ws.norm.backward_image(ws.x_hat.view(image + 1).images(image, 1).data,
                           ws.statistics.data() + image * ws.norm.statistics_size(), dy, affine,
                           affine + size, condition);
  }

  // Norm with an affine for each element: dense (C, H, W) in the parameters, blocked like an activation in
  // `norm`.
  static constexpr bool blocked_affine = Norm::affine == generic::normalisation_geometry::affine_shape::image;

  template <class B> static activation<B> affine_view(B&, const fused_norm<B>& n) {
    return {nullptr, blocked_affine ? shape{1, n.channels, 1, n.pixels} : shape{}};
  }
  template <class B>
  void to_affine_layout(B& b, const fused_norm<B>& n, const real_t<B>* from, real_t<B>* to) const {
    if constexpr (blocked_affine) {
      activation<B> view = affine_view(b, n);
      view.data = to;
      const const_tensor<B> dense(from, view.dims);
      b.for_each_index(view.lane_groups(), generic::pack<const_tensor<B>, activation<B>>{dense, view},
                       2 * n.pixels * B::lanes);
    } else {
      b.copy(from, to, n.affine_size());
    }
  }

  /// gradients[part][i] += sum over the places of what lies there for (part, i). Index: [part][i], dense.
  template <class Real, class View> struct add_affine_gradients {
    const Real* from;
    index_t places, size, dense_size;
    View layout;
    Real* gradients;

    COLDZOOM_HD void operator()(index_t i) const {
      const index_t part = i / dense_size, element = i % dense_size;
      index_t at = element;
      if constexpr (blocked_affine) at = layout.offset(0, element / layout.dims.w, element % layout.dims.w);
      Real total = 0;
      for (index_t place = 0; place < places; ++place) total += from[(place * 2 + part) * size + at];
      gradients[i] += total;
    }
  };

  template <class Real> Real* norm_part(Real* parameters) const {
    return parameters + conv.parameter_count();
  }
  template <class Real> Real* condition_part(Real* parameters) const {
    return parameters + conv.parameter_count() + norm.parameter_count();
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
