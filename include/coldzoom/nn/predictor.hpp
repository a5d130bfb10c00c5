/// Runs a network on batches of images of any number.
#pragma once

#include <algorithm>
#include <coldzoom/backend/generic/elementwise.hpp>
#include <coldzoom/nn/layer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// How many images pass through a network at a time: few enough for the activations to stay in the last-level
/// cache.
inline constexpr index_t micro_batch_size = 32;

/// Images into the layout of activations.
template <Backend B>
void pack_images(B& b, tensor_view<const float, typename B::space> images, activation<B> x) {
  const index_t rows = x.dims.n * x.blocks() * x.dims.h;
  b.for_each_index(rows, generic::pack<decltype(images), activation<B>>{images, x}, 2 * x.dims.w * B::lanes);
}

/// Activations into images.
template <Backend B>
void unpack_images(B& b, const_activation<B> x, tensor_view<float, typename B::space> images) {
  b.for_each_index(x.dims.n * x.dims.c * x.dims.h,
                   generic::unpack<const_activation<B>, decltype(images)>{x, images}, 2 * x.dims.w);
}

/// A network with its parameters, ready to predict. Images go through in micro-batches; the bits of an image
/// do not depend on the batch it comes in. Not for use from two threads at once: give each thread a predictor
/// and a backend of its own.
template <Backend B, Layer<B> Network> class predictor {
 public:
  /// `parameters` as in a checkpoint, in host memory; `image` gives C, H and W of the input.
  /// Throws `error` where their number is not the network's.
  predictor(B& b, Network network, shape image, const std::vector<float>& parameters)
      : b_(&b),
        network_(std::move(network)),
        parameters_(b.template allocate<real_t<B>>(static_cast<index_t>(parameters.size()))),
        workspace_(network_.make_workspace(b, image.with_n(micro_batch_size), pass::predict)),
        time_(b.template allocate<real_t<B>>(micro_batch_size)),
        x_(b, image.with_n(micro_batch_size)),
        y_(b, network_.output_shape(image.with_n(micro_batch_size))) {
    require(static_cast<index_t>(parameters.size()) == network_.parameter_count(), "predictor", [&] {
      return "there are " + std::to_string(parameters.size()) + " parameters; the network has " +
             std::to_string(network_.parameter_count());
    });
    const std::vector<real_t<B>> values(parameters.begin(), parameters.end());
    b.upload(values.data(), parameters_.data(), static_cast<index_t>(values.size()));
    network_.prepare(b, parameters_.data(), workspace_);
  }

  const Network& network() const { return network_; }

  /// out = network(x, side); dense or strided images in the backend's memory, one side input an image.
  void operator()(tensor_view<const float, typename B::space> x, const side_inputs<B>& side,
                  tensor_view<float, typename B::space> out) {
    for (index_t first = 0; first < x.dims.n; first += micro_batch_size) {
      const index_t n = std::min(micro_batch_size, x.dims.n - first);
      pack_images(*b_, x.images(first, n), x_.view(n));
      network_.forward(*b_, parameters_.data(), x_.view(n), side.images(first, n), y_.view(n), workspace_);
      unpack_images(*b_, y_.view(n), out.images(first, n));
    }
  }

  /// The same with one time, t / T, for all images.
  void operator()(tensor_view<const float, typename B::space> x, float time,
                  tensor_view<float, typename B::space> out) {
    const std::vector<real_t<B>> times(micro_batch_size, static_cast<real_t<B>>(time));
    b_->upload(times.data(), time_.data(), micro_batch_size);
    for (index_t first = 0; first < x.dims.n; first += micro_batch_size) {
      const index_t n = std::min(micro_batch_size, x.dims.n - first);
      (*this)(x.images(first, n), {{time_.data(), n}, {}}, out.images(first, n));
    }
  }

 private:
  B* b_;
  Network network_;
  buffer_t<B> parameters_;
  typename Network::template workspace<B> workspace_;
  buffer_t<B> time_;
  activation_buffer<B> x_, y_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
