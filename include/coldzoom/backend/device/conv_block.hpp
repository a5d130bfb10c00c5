/// Convolution, normalisation and activation by block kernels: one sweep after the convolution, or in the
/// sweep that transforms planes between two convolutions.
#pragma once

#include <coldzoom/backend/conv_block_geometry.hpp>
#include <coldzoom/backend/device/convolution.hpp>
#include <coldzoom/backend/device/normalisation.hpp>
#include <coldzoom/backend/device/plane_sweep.hpp>
#include <concepts>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA::device {

/// A ConvBlockOperation of backend/operations.hpp. Between blocks whose norm takes single planes, and whose
/// convolutions work on spectra that lie on one tile, planes pass as spectra, all images in one kernel: only
/// device::convolution takes and gives them, a backend's own convolution gets memory.
template <BlockBackend B, class Convolution, generic::normalisation_geometry::affine_shape Affine,
          class Function>
class conv_block {
  using real = real_t<B>;
  using place = planes_at<real>;
  static constexpr bool has_spectra = std::same_as<Convolution, device::convolution<B>>;
  static constexpr bool may_sweep =
      has_spectra && Affine == generic::normalisation_geometry::affine_shape::pixels;

 public:
  using input_port = place;
  using gradient_port = gradient_callback<B>;

  conv_block(B& b, Convolution convolution, const conv_block_geometry& g, index_t capacity, bool train)
      : g_(g),
        train_(train),
        convolution_(std::move(convolution)),
        norm_(b, g.norm, static_cast<real>(g.eps), g.plain ? 0 : capacity, train),
        convolved_(b, g.output(g.plain ? 0 : capacity)),
        d_convolved_(b, g.output(g.plain || !train ? 0 : capacity)) {
    if (!sweeps() || !train) return;
    const index_t rows = most_sweep_blocks<real>(capacity, g.convolution.out_channels);
    parts_ = b.template allocate<real>(rows * 2 * g.norm.pixels);
  }

  void pack_weights(B& b, const real* parameters) {
    convolution_.pack_weights(b, parameters, parameters + g_.bias());
    affine_ = parameters + g_.affine();
  }

  void forward(B& b, index_t n, const real* x, real* addend, real* y, const input_port& next = {}) {
    addend_ = addend;
    if (g_.plain) return convolution_.forward(b, n, x, y);
    if constexpr (may_sweep) {
      if (sweeps() && (spectral() || next)) return sweep_forward(b, n, x, y, next);
    }
    convolution_.forward(b, n, x, convolved(n));
    norm_.forward(b, n, convolved(n), affine_, y, addend);
  }

  void backward(B& b, index_t n, const real* x, real* dy, real* dx, real* gradients,
                const gradient_port& next = {}) {
    if (g_.plain) return convolution_backward(b, n, x, dy, dx, gradients, next);
    if constexpr (may_sweep) {
      if (sweeps() && (spectral() || !dy)) return sweep_backward(b, n, x, dy, dx, gradients, next);
    }
    if (addend_) {
      const index_t rows = n * g_.convolution.out_channels;
      sum_rows(b, rows, g_.norm.pixels, dy, addend_);
    }
    norm_.backward(b, n, convolved(n), affine_, dy, d_convolved(n), gradients + g_.affine());
    convolution_backward(b, n, x, d_convolved(n), dx, gradients, next);
  }

  void reduce_gradients(B& b, real* gradients) {
    convolution_.reduce_gradients(b, gradients, gradients + g_.bias());
  }

  bool hands_output() const { return sweeps(); }
  bool hands_gradient() { return spectral() != nullptr; }
  input_port input() {
    if constexpr (has_spectra) {
      if (auto* fft = spectral()) return fft->input();
    }
    return {};
  }
  gradient_port gradient() {
    if constexpr (may_sweep) {
      constexpr auto take = [](conv_block& to, index_t images, handed_gradient<B>* dy) {
        to.take_gradient(*dy->backend, images, dy->planes);
      };
      if (sweeps()) return gradient_port::template bind<take>(*this);
    }
    return {};
  }

 private:
  /// Whether norm and activation take single planes.
  bool sweeps() const { return may_sweep && !g_.plain && g_.norm.groups == g_.norm.channels; }
  auto* spectral() {
    if constexpr (has_spectra) {
      return convolution_.spectral();
    } else {
      return static_cast<fft_convolution<B>*>(nullptr);
    }
  }
  real* convolved(index_t n) { return convolved_.view(n).data; }
  real* d_convolved(index_t n) { return d_convolved_.view(n).data; }
  tiled_planes planes() const {
    const shape s = g_.output(1);
    return whole_planes(s.c, s.h, s.w);
  }

  void convolution_backward(B& b, index_t n, const real* x, real* dy, real* dx, real* gradients,
                            [[maybe_unused]] const gradient_port& next) {
    if constexpr (has_spectra) {
      convolution_.backward(b, n, x, dy, dx, gradients, gradients + g_.bias(), next);
    } else {
      convolution_.backward(b, n, x, dy, dx, gradients, gradients + g_.bias());
    }
  }

  void sweep_forward(B& b, index_t n, const real* x, real* y, const input_port& next) {
    auto* fft = spectral();
    const place to = next ? next : place{y};
    normalise_planes<Function, real> work{
        {}, static_cast<real>(g_.eps), affine_, addend_, nullptr, norm_.mean(), norm_.rstd()};
    if (fft && (!next || next.points == fft->shared_points())) {
      if (train_) work.x = convolved(n);
      fft->forward(b, n, x, to, work);
    } else {
      convolution_.forward(b, n, x, convolved(n));
      sweep(b, planes(), n, {convolved(n)}, to, work);
    }
  }
  /// dy, in memory or a spectrum, becomes the gradient of the convolution's output, where that wants it.
  void take_gradient(B& b, index_t n, const place& dy) {
    auto* fft = spectral();
    const bool at_once = fft && (!dy.spectrum || dy.points == fft->shared_points());
    const place to = at_once ? fft->gradient() : place{d_convolved(n)};
    const normalise_planes_back<Function, real> work{{},           affine_, convolved(n), norm_.mean(),
                                                     norm_.rstd(), addend_, parts_.data()};
    sweep_blocks_ = sweep(b, planes(), n, dy, to, work);
    if (fft && !at_once) fft->take_gradient(b, n, to.memory);
  }
  void sweep_backward(B& b, index_t n, const real* x, real* dy, real* dx, real* gradients,
                      const gradient_port& next) {
    if (dy) take_gradient(b, n, {dy});
    add_in_order(b, sweep_blocks_, 2 * g_.norm.pixels, parts_.data(), gradients + g_.affine());
    if (auto* fft = spectral()) {
      // The norm takes the mean of every plane away, so the gradient of the bias is zero.
      fft->backward(b, n, nullptr, dx, gradients, next);
    } else {
      convolution_backward(b, n, x, d_convolved(n), dx, gradients, {});
    }
  }

  conv_block_geometry g_;
  bool train_;
  Convolution convolution_;
  normalisation<B, Function> norm_;
  activation_buffer<B> convolved_, d_convolved_;
  buffer_t<B> parts_;         // of the gradient of the affine, one row for each block of a sweep
  index_t sweep_blocks_ = 0;  // of the last sweep back
  const real* affine_ = nullptr;
  real* addend_ = nullptr;
};

}  // namespace coldzoom::inline COLDZOOM_ISA::device
