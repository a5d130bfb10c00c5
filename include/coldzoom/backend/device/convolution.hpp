/// The convolution of backends of blocks: the cheaper of two algorithms.
#pragma once

#include <coldzoom/backend/device/direct_convolution.hpp>
#include <coldzoom/backend/device/fft_convolution.hpp>
#include <coldzoom/backend/device/reduction.hpp>
#include <utility>
#include <variant>

namespace coldzoom::inline COLDZOOM_ISA::device {

/// One convolution layer on a backend of blocks: its plans, weights and scratch memory. A
/// ConvolutionOperation of backend/operations.hpp.
template <BlockBackend B> class convolution {
  using real = real_t<B>;

 public:
  /// For up to `capacity` images a call. Throws `error` where `algorithm` is forced and cannot do the
  /// geometry.
  convolution(B& b, const convolution_geometry& g, index_t capacity, bool train,
              convolution_algorithm algorithm = convolution_algorithm::automatic)
      : g_(g),
        held_(make(b, g, capacity, train, algorithm)),
        bias_parts_(b.template allocate<real>(train ? capacity * g.out_channels : 0)) {}

  static convolution_algorithm choose(const convolution_geometry& g) {
    const bool fft = fft_convolution<B>::cost(g) < direct_convolution<B>::cost(g);
    return fft ? convolution_algorithm::transformed : convolution_algorithm::direct;
  }

  /// Both stay where they are until the next call.
  void pack_weights(B& b, const real* weights, const real* bias) {
    std::visit([&](auto& c) { c.pack_weights(b, weights, bias); }, held_);
  }
  /// y = convolution(x) + bias, both dense.
  void forward(B& b, index_t images, const real* x, real* y) {
    std::visit([&](auto& c) { c.forward(b, images, x, y); }, held_);
  }
  /// The algorithm, where it takes and gives spectra that lie on one tile; else null.
  fft_convolution<B>* spectral() {
    auto* fft = std::get_if<fft_convolution<B>>(&held_);
    return fft && fft->shared_points() > 0 ? fft : nullptr;
  }
  /// dx unless null, or next(images, where its spectrum is) if there is one, which only spectral() may be
  /// given; adds to dw and db. After `forward` for the same images.
  void backward(B& b, index_t images, const real* x, const real* dy, real* dx, real* dw, real* db,
                gradient_callback<B> next = {}) {
    if (auto* fft = std::get_if<fft_convolution<B>>(&held_)) {
      fft->backward(b, images, dy, dx, dw, next);
    } else {
      std::get<direct_convolution<B>>(held_).backward(b, images, x, dy, dx, dw);
    }
    sum_rows(b, images * g_.out_channels, g_.out_h() * g_.out_w(), dy, bias_parts_.data());
    add_in_order(b, images, g_.out_channels, bias_parts_.data(), db);
  }
  void reduce_gradients(B&, real*, real*) const {}

 private:
  using alternatives = std::variant<direct_convolution<B>, fft_convolution<B>>;

  static alternatives make(B& b, const convolution_geometry& g, index_t capacity, bool train,
                           convolution_algorithm algorithm) {
    if (algorithm == convolution_algorithm::automatic) algorithm = choose(g);
    if (algorithm == convolution_algorithm::transformed) return fft_convolution<B>(b, g, capacity, train);
    return direct_convolution<B>(b, g, capacity, train);
  }

  convolution_geometry g_;
  alternatives held_;
  buffer_t<B> bias_parts_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA::device
