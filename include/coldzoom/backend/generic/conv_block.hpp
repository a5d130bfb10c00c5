/// Convolution, normalisation and activation one after another, on any backend: the oracle of the fast
/// versions.
#pragma once

#include <coldzoom/backend/conv_block_geometry.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA::generic {

/// The port of an operation that takes nothing but memory.
struct no_port {
  explicit operator bool() const { return false; }
};

/// A ConvBlockOperation of backend/operations.hpp around any convolution. It hands nothing over.
template <Backend B, class Convolution, class Function> class conv_block {
  using real = real_t<B>;

 public:
  using input_port = no_port;
  using gradient_port = no_port;

  conv_block(B& b, Convolution convolution, const conv_block_geometry& g, index_t capacity, bool train)
      : g_(g),
        convolution_(std::move(convolution)),
        norm_(b, g.norm, static_cast<real>(g.eps), g.plain ? 0 : capacity, train),
        convolved_(b, g.output(g.plain ? 0 : capacity)) {}

  void pack_weights(B& b, const real* parameters) {
    convolution_.pack_weights(b, parameters, parameters + g_.bias());
    affine_ = parameters + g_.affine();
  }

  void forward(B& b, index_t n, const real* x, real* addend, real* y, no_port = {}) {
    addend_ = addend;
    if (g_.plain) return convolution_.forward(b, n, x, y);
    const activation<B> convolved = convolved_.view(n);
    convolution_.forward(b, n, x, convolved.data);
    norm_.forward(b, n, convolved.data, affine_, y);
    if (!addend) return;
    using kernel = add_per_channel<activation<B>, activation<B>>;
    b.for_each_index(convolved.size(), kernel{addend_view(n), {y, convolved.dims}}, 8);
  }

  void backward(B& b, index_t n, const real* x, real* dy, real* dx, real* gradients, no_port = {}) {
    real* const db = gradients + g_.bias();
    if (g_.plain) return convolution_.backward(b, n, x, dy, dx, gradients, db);
    const activation<B> convolved = convolved_.view(n);
    if (addend_) {
      using kernel = sum_per_channel<activation<B>, activation<B>>;
      b.for_each_index(n * convolved.dims.c, kernel{{dy, convolved.dims}, addend_view(n)},
                       convolved.dims.pixels());
    }
    norm_.backward(b, n, convolved.data, affine_, dy, convolved.data, gradients + g_.affine());
    convolution_.backward(b, n, x, convolved.data, dx, gradients, db);
  }

  void reduce_gradients(B& b, real* gradients) {
    convolution_.reduce_gradients(b, gradients, gradients + g_.bias());
  }

  bool hands_output() const { return false; }
  bool hands_gradient() const { return false; }
  no_port input() { return {}; }
  no_port gradient() { return {}; }

 private:
  activation<B> addend_view(index_t n) const { return {addend_, {n, g_.convolution.out_channels, 1, 1}}; }

  conv_block_geometry g_;
  Convolution convolution_;
  normalisation<B, Function> norm_;
  activation_buffer<B> convolved_;
  const real* affine_ = nullptr;
  real* addend_ = nullptr;
};

}  // namespace coldzoom::inline COLDZOOM_ISA::generic
