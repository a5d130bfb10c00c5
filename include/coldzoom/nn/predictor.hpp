/// Runs a network on batches of images of any number.
#pragma once

#include <algorithm>
#include <coldzoom/backend/generic/elementwise.hpp>
#include <coldzoom/backend/graph_capture.hpp>
#include <coldzoom/nn/placed_network.hpp>
#include <concepts>
#include <tuple>

namespace coldzoom::inline COLDZOOM_ISA {

/// How many images pass through a network at a time: few enough for the activations to stay in the last-level
/// cache.
inline constexpr index_t micro_batch_size = 32;

namespace detail {
template <class B> consteval index_t micro_batch() {
  if constexpr (requires { B::micro_batch; }) return B::micro_batch;
  return micro_batch_size;
}
}  // namespace detail
/// The same on backend B, which may have a `micro_batch` of its own: a device wants more at a time.
template <class B> inline constexpr index_t micro_batch_of = detail::micro_batch<B>();

/// Images into the layout of activations.
template <Backend B>
void pack_images(B& b, tensor_view<const float, typename B::space> images, activation<B> x) {
  if constexpr (B::lanes == 1 && std::same_as<real_t<B>, float>) {
    if (images.contiguous()) return b.copy(images.data, x.data, x.size());
  }
  const index_t rows = x.dims.n * x.lane_groups() * x.dims.h;
  b.for_each_index(rows, generic::pack<decltype(images), activation<B>>{images, x}, 2 * x.dims.w * B::lanes);
}

/// Activations into images.
template <Backend B>
void unpack_images(B& b, const_activation<B> x, tensor_view<float, typename B::space> images) {
  if constexpr (B::lanes == 1 && std::same_as<real_t<B>, float>) {
    if (images.contiguous()) return b.copy(x.data, images.data, x.size());
  }
  b.for_each_index(x.dims.n * x.dims.c * x.dims.h,
                   generic::unpack<const_activation<B>, decltype(images)>{x, images}, 2 * x.dims.w);
}

/// A network with its parameters, ready to predict. Images go through in micro-batches; the bits of an image
/// do not depend on the batch it comes in. Not for use from two threads at once: give each thread a predictor
/// and a backend of its own.
template <Backend B, Layer<B> Network> class predictor {
 public:
  /// `parameters` as in a checkpoint, in host memory; `image` gives C, H and W of the input. `most` images go
  /// through at a time, which decides about the memory. Throws `error` where the number of parameters is not
  /// the network's.
  predictor(B& b, Network network, shape image, const std::vector<float>& parameters,
            index_t most = micro_batch_of<B>)
      : b_(&b),
        most_(std::max<index_t>(1, most)),
        network_(b, std::move(network), image.with_n(most_), pass::predict),
        parameters_(b.template allocate<real_t<B>>(static_cast<index_t>(parameters.size()))),
        time_(b.template allocate<real_t<B>>(most_)),
        x_(b, image.with_n(most_)),
        y_(b, this->network().output_shape(image.with_n(most_))) {
    const index_t wanted = parameter_count(this->network());
    require(static_cast<index_t>(parameters.size()) == wanted, "predictor", [&] {
      return "there are " + std::to_string(parameters.size()) + " parameters; the network has " +
             std::to_string(wanted);
    });
    const std::vector<real_t<B>> values(parameters.begin(), parameters.end());
    b.upload(values.data(), parameters_.data(), static_cast<index_t>(values.size()));
    network_.pack_weights(b, parameters_.data());
  }

  const Network& network() const { return network_.network(); }

  /// out = network(x, side); dense or strided images in the backend's memory, one side input an image.
  void operator()(tensor_view<const float, typename B::space> x, const side_inputs<B>& side,
                  tensor_view<float, typename B::space> out) {
    run_(*b_, {memory_of(x), memory_of(out), side.time.data, side.label.data}, [&] {
      for (index_t first = 0; first < x.dims.n; first += most_) {
        const index_t n = std::min(most_, x.dims.n - first);
        pack_images(*b_, x.images(first, n), x_.view(n));
        network_.forward(*b_, parameters_.data(), x_.view(n), side.images(first, n), y_.view(n));
        unpack_images(*b_, y_.view(n), out.images(first, n));
      }
    });
  }

  /// The same with one time, t / T, for all images.
  void operator()(tensor_view<const float, typename B::space> x, float time,
                  tensor_view<float, typename B::space> out) {
    if (x.dims.n > time_.size()) time_ = b_->template allocate<real_t<B>>(x.dims.n);
    b_->for_each_index(x.dims.n, generic::fill<real_t<B>>{static_cast<real_t<B>>(time), time_.data()});
    (*this)(x, {{time_.data(), x.dims.n}, {}}, out);
  }

 private:
  /// Equal for two views that use the same memory in the same way.
  using memory_key =
      std::tuple<const void*, index_t, index_t, index_t, index_t, index_t, index_t, index_t, index_t>;
  template <class View> static memory_key memory_of(const View& v) {
    return {v.data, v.dims.n, v.dims.c, v.dims.h, v.dims.w, v.stride_n, v.stride_c, v.stride_y, v.stride_x};
  }

  B* b_;
  index_t most_;
  placed_network<B, Network> network_;
  buffer_t<B> parameters_;
  buffer_t<B> time_;
  activation_buffer<B> x_, y_;
  graph_capture<B, std::tuple<memory_key, memory_key, const void*, const void*>> run_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
