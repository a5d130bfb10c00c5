/// Two-dimensional convolution.
#pragma once

#include <coldzoom/backend/device/convolution.hpp>
#include <coldzoom/backend/generic/convolution.hpp>
#include <coldzoom/nn/layer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {
template <class B>
concept fast_convolution = requires(B& b, const convolution_geometry& g) {
  { b.make_convolution(g, index_t{1}, true) } -> std::same_as<typename B::convolution>;
};
template <class B>
concept own_block_convolution = requires(B& b, const convolution_geometry& g) {
  { b.make_block_convolution(g, index_t{1}, true) } -> std::same_as<typename B::block_convolution>;
};

/// Whether convolutions are those of block kernels, which take and give spectra.
template <class B>
concept hands_spectra = BlockBackend<B> && !own_block_convolution<B>;

/// The convolution of a backend of blocks, whole batches at a time: its own, or that of block kernels.
template <BlockBackend B>
auto make_block_convolution(B& b, const convolution_geometry& g, index_t capacity, bool train) {
  if constexpr (own_block_convolution<B>) {
    return b.make_block_convolution(g, capacity, train);
  } else {
    return device::convolution<B>(b, g, capacity, train);
  }
}
}  // namespace detail

/// Convolution with bias: weights (out_channels, in_channels, kernel_h, kernel_w), zeros outside the picture.
/// Cost: out_channels * in_channels * taps multiply-adds per output pixel, or less where the backend knows
/// better.
struct conv2d {
  index_t in_channels = 1, out_channels = 1;
  index_t kernel_h = 1, kernel_w = 1;
  index_t pad_h = 0, pad_w = 0;
  index_t stride_h = 1, stride_w = 1;

  /// Square odd kernel, output as large as the input.
  static conv2d same(index_t in_channels, index_t out_channels, index_t kernel) {
    return {in_channels, out_channels, kernel, kernel, kernel / 2, kernel / 2, 1, 1};
  }

  convolution_geometry geometry(shape in) const {
    return {in_channels, out_channels, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, in.h, in.w};
  }
  shape output_shape(shape in) const {
    require(in.c == in_channels, "conv2d", [&] {
      return "the input has " + std::to_string(in.c) + " channels, the weights want " +
             std::to_string(in_channels);
    });
    require(kernel_h > 0 && kernel_w > 0 && stride_h > 0 && stride_w > 0 && pad_h >= 0 && pad_w >= 0,
            "conv2d", "kernel and stride must be at least 1, padding at least 0");
    require(in.h + 2 * pad_h >= kernel_h && in.w + 2 * pad_w >= kernel_w, "conv2d", [&] {
      return "the kernel " + std::to_string(kernel_h) + " x " + std::to_string(kernel_w) +
             " is larger than the padded input " + to_string(in);
    });
    const convolution_geometry g = geometry(in);
    return {in.n, out_channels, g.out_h(), g.out_w()};
  }

  index_t parameter_count() const { return out_channels * (in_channels * kernel_h * kernel_w + 1); }
  void describe(parameter_list& list, const std::string& prefix) const {
    const float bound = 1.0f / std::sqrt(static_cast<float>(in_channels * kernel_h * kernel_w));
    list.push_back({prefix + ".weight", {out_channels, in_channels, kernel_h, kernel_w}, 0, bound});
    list.push_back({prefix + ".bias", {out_channels}, 0, bound});
  }

  template <Backend B> struct generic_workspace { convolution_geometry geometry; };
  template <detail::fast_convolution B> struct fast_workspace { typename B::convolution convolution; };
  template <BlockBackend B> struct block_workspace {
    decltype(detail::make_block_convolution(std::declval<B&>(), {}, 0, true)) convolution;
  };
  template <class B> struct choose_workspace { using type = generic_workspace<B>; };
  template <BlockBackend B> struct choose_workspace<B> { using type = block_workspace<B>; };
  template <detail::fast_convolution B> struct choose_workspace<B> { using type = fast_workspace<B>; };
  template <Backend B> using workspace = typename choose_workspace<B>::type;

  template <Backend B> workspace<B> make_workspace([[maybe_unused]] B& b, shape in, pass mode) const {
    output_shape(in);  // checks
    if constexpr (detail::fast_convolution<B>) {
      return {b.make_convolution(geometry(in), in.n, mode == pass::train)};
    } else if constexpr (BlockBackend<B>) {
      return {detail::make_block_convolution(b, geometry(in), in.n, mode == pass::train)};
    } else {
      return {geometry(in)};
    }
  }

  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    if constexpr (detail::fast_convolution<B>) {
      ws.convolution.pack_weights(b.pool(), parameters, bias(parameters));
    } else if constexpr (BlockBackend<B>) {
      ws.convolution.pack_weights(b, parameters, bias(parameters));
    }
  }

  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>&,
               activation<B> y, workspace<B>& ws, [[maybe_unused]] input_receiver_t<B> next = {}) const {
    if constexpr (detail::fast_convolution<B>) {
      ws.convolution.forward(b.pool(), x.dims.n, x.data, y.data, next);
    } else if constexpr (BlockBackend<B>) {
      ws.convolution.forward(b, x.dims.n, x.data, y.data);
    } else {
      using kernel = generic::convolution_forward<const_activation<B>, activation<B>, real_t<B>>;
      b.for_each_index(y.dims.size(), kernel{ws.geometry, x, parameters, bias(parameters), y},
                       in_channels * kernel_h * kernel_w);
    }
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>&,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws,
                [[maybe_unused]] gradient_receiver_t<B> next = {}) const {
    if constexpr (detail::fast_convolution<B>) {
      backward_with(b, x, dy, dx, ws, {}, next);
    } else if constexpr (detail::hands_spectra<B>) {
      ws.convolution.backward(b, x.dims.n, x.data, dy.data, dx.data, gradients, bias(gradients), next);
    } else if constexpr (BlockBackend<B>) {
      ws.convolution.backward(b, x.dims.n, x.data, dy.data, dx.data, gradients, bias(gradients));
    } else {
      const convolution_geometry& g = ws.geometry;
      const const_activation<B> dy_in = dy;
      if (dx.data) {
        using kernel = generic::convolution_backward_data<const_activation<B>, activation<B>, real_t<B>>;
        b.for_each_index(x.dims.size(), kernel{g, dy_in, parameters, dx}, g.out_channels * g.taps());
      }
      using weights_kernel = generic::convolution_backward_weights<const_activation<B>, real_t<B>>;
      b.for_each_index(g.weights(), weights_kernel{g, x, dy_in, gradients}, dy.dims.n * dy.dims.pixels());
      using bias_kernel = generic::channel_sum<const_activation<B>, real_t<B>>;
      b.for_each_index(out_channels, bias_kernel{dy_in, bias(gradients)}, dy.dims.n * dy.dims.pixels());
    }
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    if constexpr (detail::fast_convolution<B>)
      ws.convolution.reduce_gradients(b.pool(), gradients, bias(gradients));
  }

  // Handing over, see layer.hpp.
  template <class B> static constexpr bool hands_output = detail::fast_convolution<B>;
  template <class B>
  static constexpr bool hands_gradient = detail::fast_convolution<B> || detail::hands_spectra<B>;
  template <Backend B> bool may_hand_gradient([[maybe_unused]] workspace<B>& ws) const {
    if constexpr (detail::hands_spectra<B>) return ws.convolution.spectral() != nullptr;
    return hands_gradient<B>;
  }
  template <Backend B> input_receiver_t<B> input_receiver([[maybe_unused]] workspace<B>& ws) const {
    if constexpr (detail::hands_spectra<B>) {
      if (auto* spectral = ws.convolution.spectral()) return spectral->input();
    }
    if constexpr (detail::fast_convolution<B>) {
      if (ws.convolution.takes_images()) {
        constexpr auto take = [](const conv2d&, workspace<B>& to, index_t image, real_t<B>* x) {
          to.convolution.take_input(image, x);
        };
        return image_callback<real_t<B>>::template bind<take>(*this, ws);
      }
    }
    return {};
  }
  template <Backend B> gradient_receiver_t<B> gradient_receiver([[maybe_unused]] workspace<B>& ws) const {
    if constexpr (detail::fast_convolution<B>) {
      if (ws.convolution.takes_images()) {
        constexpr auto take = [](const conv2d&, workspace<B>& to, index_t image, real_t<B>* dy) {
          to.convolution.take_gradient(image, dy);
        };
        return image_callback<real_t<B>>::template bind<take>(*this, ws);
      }
    }
    return {};
  }

  /// The fast backward pass with `prologue(image, dy of it)` just before dy of an image is read.
  template <detail::fast_convolution B>
  void backward_with(B& b, const_activation<B> x, activation<B> dy, activation<B> dx, workspace<B>& ws,
                     image_callback<real_t<B>> prologue, image_callback<real_t<B>> next) const {
    ws.convolution.backward(b.pool(), x.dims.n, x.data, dy.data, dx.data, dx.data || next, prologue, next);
  }

 private:
  template <class Real> Real* bias(Real* parameters) const {
    return parameters + out_channels * in_channels * kernel_h * kernel_w;
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
