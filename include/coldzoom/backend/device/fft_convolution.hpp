/// Convolution by fast Fourier transforms, with its gradients, by blocks.
#pragma once

#include <algorithm>
#include <coldzoom/backend/convolution_geometry.hpp>
#include <coldzoom/backend/device/plane_sweep.hpp>
#include <coldzoom/backend/device/spectral_product.hpp>
#include <limits>

namespace coldzoom::inline COLDZOOM_ISA::device {

/// "Same" convolution of stride 1 as a product of spectra (Mathieu, Henaff, LeCun 2014, "Fast training of
/// convolutional networks through FFTs"), as the host's fft_convolution does it. The kernels are correlated,
/// so they lie turned about their centre on a tile. Pictures that do not fit one tile with half a kernel of
/// zeros are cut into tiles by overlap-save; their gradients are then transformed twice, whole for the data
/// gradient and without overlap for that of the weights.
///
/// Spectra are [frequency][image, tile][channel], so a product reads and writes whole lines. Results do not
/// depend on the other images of a batch; rounding errors are those of direct summation or less.
template <BlockBackend B> class fft_convolution {
  using real = real_t<B>;
  using value = complex<real>;

 public:
  static bool supports(const convolution_geometry& g) {
    return g.same() && std::max(g.kernel_h, g.kernel_w) <= largest_kernel;
  }
  /// Estimated time of an image and pass in multiply-adds, from the shapes alone; infinite where not
  /// supported.
  static double cost(const convolution_geometry& g) {
    return supports(g) ? cost(g, best_tile(g)) : std::numeric_limits<double>::infinity();
  }

  /// For up to `capacity` images a call. Throws `error` for a geometry that is not supported.
  fft_convolution(B& b, const convolution_geometry& g, index_t capacity, bool train)
      : g_(g),
        points_(supports(g) ? best_tile(g) : 0) {
    require(points_ > 0, "fft_convolution",
            "the geometry must be stride 1, padding kernel / 2, kernel <= 17");
    const axes rows = cut(g.in_h, g.kernel_h, points_), cols = cut(g.in_w, g.kernel_w, points_);
    const index_t pixels = g.in_h * g.in_w, tiles = index_t(rows.whole.tiles) * cols.whole.tiles;
    const auto planes = [&](const tile_axis& down, const tile_axis& across, index_t channels) {
      return tiled_planes{down, across, static_cast<int>(channels), channels * pixels, pixels};
    };
    x_ = planes(rows.whole, cols.whole, g.in_channels);
    dx_ = planes(rows.parts, cols.parts, g.in_channels);
    dy_ = planes(rows.whole, cols.whole, g.out_channels);
    y_ = planes(rows.parts, cols.parts, g.out_channels);
    kernels_ = {rows.kernel, cols.kernel, static_cast<int>(g.out_channels), g.taps(),
                g.in_channels * g.taps()};
    const auto numbers = [&](index_t rows_and_columns) {
      return b.template allocate<value>(frequencies(points_) * rows_and_columns);
    };
    inputs_ = numbers(capacity * tiles * g.in_channels);
    outputs_ = numbers(capacity * tiles * g.out_channels);
    weights_ = numbers(g.in_channels * g.out_channels);
    if (train) dw_ = numbers(g.in_channels * g.out_channels);
  }

  /// Takes the weights over. `bias` stays where it is until the next call.
  void pack_weights(B& b, const real* weights, const real* bias) {
    bias_ = bias;
    analyse(b, kernels_, g_.in_channels, weights, weights_);
  }

  /// Points of the tiles, where a picture fits on one; else 0: then nobody hands spectra over.
  int shared_points() const { return x_.tiles() == 1 ? points_ : 0; }
  /// Where a layer before puts the spectrum of its output, before `forward` with null for x.
  planes_at<real> input() { return at(inputs_); }
  /// Where the layer itself puts the spectrum of dy, before `backward` with null for dy.
  planes_at<real> gradient() { return at(outputs_); }

  /// y = work(convolution(x) + bias).
  template <class Work>
  void forward(B& b, index_t images, const real* x, const planes_at<real>& y, const Work& work) {
    if (x) analyse(b, x_, images, x, inputs_);
    multiply<adjoint::none>(b, images * x_.tiles(), g_.out_channels, g_.in_channels, inputs_, weights_,
                            outputs_);
    sweep(b, y_, images, at(outputs_), y, work, bias_);
  }
  /// y = convolution(x) + bias, both dense.
  void forward(B& b, index_t images, const real* x, real* y) { forward(b, images, x, {y}, untouched{}); }

  /// Transforms dy from memory, before `backward` with null for it.
  void take_gradient(B& b, index_t images, const real* dy) { analyse(b, y_, images, dy, outputs_); }

  /// dx unless null, or next(images, where its spectrum is) if there is one; adds to dw. After `forward` for
  /// the same images.
  void backward(B& b, index_t images, const real* dy, real* dx, real* dw, gradient_callback<B> next = {}) {
    const index_t rows = images * x_.tiles(), in = g_.in_channels, out = g_.out_channels;
    if (dy) take_gradient(b, images, dy);
    multiply<adjoint::left>(b, in, out, rows, inputs_, outputs_, dw_);
    sweep(b, kernels_, in, at(dw_), {dw}, untouched{}, nullptr, true);
    if (!dx && !next) return;
    if (x_.tiles() > 1) analyse(b, dy_, images, dy, outputs_);
    multiply<adjoint::right>(b, rows, in, out, outputs_, weights_, inputs_);
    if (next) {
      handed_gradient<B> handed{&b, at(inputs_)};
      next(images, &handed);
    } else {
      sweep(b, dx_, images, at(inputs_), {dx}, untouched{});
    }
  }

 private:
  static constexpr index_t largest_kernel = 17;  // about half of the largest tile

  /// An axis of the pictures, cut up: the tiles whole, the part of each that no wrapping has reached, and the
  /// kernel.
  struct axes {
    tile_axis whole, parts, kernel;
  };
  static axes cut(index_t picture, index_t kernel, int points) {
    const int size = static_cast<int>(picture), taps = static_cast<int>(kernel), pad = taps / 2;
    const tile_axis turned{taps, 1, 0, pad, 0, points, points};
    if (size + pad <= points) {  // the circle's wrap falls on zeros
      const tile_axis one{size, 1, points, 0, 0, size, 0};
      return {one, one, turned};
    }
    const int step = points - taps + 1, tiles = (size + step - 1) / step;
    return {{size, tiles, step, -pad, 0, points, 0}, {size, tiles, step, -pad, pad, pad + step, 0}, turned};
  }
  static index_t frequencies(int points) { return index_t(points) * points / 2 + 2; }

  /// Of a forward pass: transforms and their memory, products and theirs.
  static double cost(const convolution_geometry& g, int points) {
    const index_t tiles =
        index_t(cut(g.in_h, g.kernel_h, points).whole.tiles) * cut(g.in_w, g.kernel_w, points).whole.tiles;
    const double channels = static_cast<double>(g.in_channels + g.out_channels);
    const double pairs = static_cast<double>(g.in_channels * g.out_channels);
    const double pixels = points * points, numbers = static_cast<double>(frequencies(points));
    const double bytes = channels * (pixels + 2 * 2 * numbers) * sizeof(real);
    return static_cast<double>(tiles) * (bytes * multiply_adds_a_byte + numbers * 4 * pairs);
  }
  static int best_tile(const convolution_geometry& g) {
    int best = 32;
    for (const int points : {16, 8}) {
      if (std::max(g.kernel_h, g.kernel_w) <= points / 2 + 1 && cost(g, points) < cost(g, best))
        best = points;
    }
    return best;
  }

  using spectrum = typename B::template buffer<value>;
  index_t stride(const spectrum& of) const { return of.size() / frequencies(points_); }

  planes_at<real> at(spectrum& s) const { return {nullptr, s.data(), stride(s), points_}; }
  void analyse(B& b, const tiled_planes& planes, index_t images, const real* from, spectrum& to) const {
    sweep(b, planes, images, {const_cast<real*>(from)}, at(to), untouched{});
  }
  /// c, m x n, = op(a) op(b), op(a) being m x k.
  template <adjoint Adjoint>
  void multiply(B& backend, index_t m, index_t n, index_t k, const spectrum& a, const spectrum& b,
                spectrum& c) const {
    auto kernel = multiply_spectra<real, Adjoint>::plan(m, n, k);
    kernel.a = a.data();
    kernel.b = b.data();
    kernel.c = c.data();
    kernel.a_stride = stride(a);
    kernel.b_stride = stride(b);
    kernel.c_stride = stride(c);
    backend.for_each_block(kernel.blocks(frequencies(points_)), kernel.threads(), kernel.shared_bytes(),
                           kernel);
  }

  convolution_geometry g_;
  int points_;
  tiled_planes x_{}, dx_{}, y_{}, dy_{}, kernels_{};
  const real* bias_ = nullptr;
  spectrum inputs_, outputs_, weights_, dw_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA::device
