/// Losses that compare element by element: squared, absolute, Huber's.
#pragma once

#include <cmath>
#include <coldzoom/backend/operations.hpp>
#include <coldzoom/nn/loss.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// loss[n] = scale * weight of image n * sum over its elements of weight * f.value(y - target), summed in
/// double; d = its gradient unless null, padding lanes zero. Index: [n].
template <class Function, class In, class Target, class Out, class Real> struct pixel_loss_rows {
  Function f;
  In y;
  Target target, pixel;
  const Real* image;
  double scale;
  Real* loss;
  Out d;

  COLDZOOM_HD void operator()(index_t n) const {
    const Real one = 1;
    const Target weight = weights_or_one(pixel, one);
    const double share = scale * image_weight(image, n);
    loss[n] = static_cast<Real>(share * sum(n, weight));
    if (d.data) write_gradient(n, weight, static_cast<Real>(share));
  }

 private:
  /// Apart from the gradient: were both one loop, a compiler could make two versions of it, with and without
  /// the gradient, which round their multiply-adds differently.
  COLDZOOM_HD double sum(index_t n, const Target& weight) const {
    double total = 0;
    for (index_t first = 0; first < y.dims.c; first += In::lanes) {
      index_t at = y.offset(n, first, 0);
      for (index_t row = 0; row < y.dims.h; ++row) {
        for (index_t col = 0; col < y.dims.w; ++col, at += In::lanes) {
          for (index_t lane = 0; lane < In::lanes && first + lane < y.dims.c; ++lane) {
            const index_t c = first + lane;
            const double difference = static_cast<double>(y.data[at + lane] - target(n, c, row, col));
            total += static_cast<double>(weight(n, c, row, col)) * f.value(difference);
          }
        }
      }
    }
    return total;
  }

  COLDZOOM_HD void write_gradient(index_t n, const Target& weight, Real share) const {
    for (index_t first = 0; first < d.dims.c; first += Out::lanes) {
      index_t at = d.offset(n, first, 0);
      for (index_t row = 0; row < d.dims.h; ++row) {
        for (index_t col = 0; col < d.dims.w; ++col, at += Out::lanes) {
          for (index_t lane = 0; lane < Out::lanes; ++lane) d.data[at + lane] = 0;
          for (index_t lane = 0; lane < Out::lanes && first + lane < d.dims.c; ++lane) {
            const index_t c = first + lane;
            const Real difference = y.data[at + lane] - target(n, c, row, col);
            d.data[at + lane] = share * weight(n, c, row, col) * f.slope(difference);
          }
        }
      }
    }
  }
};

/// The same by blocks; the sum is a tree over the threads. Block: [n].
template <class Function, class In, class Target, class Out, class Real> struct pixel_loss_blocks {
  static constexpr int most_threads = device::usual_threads;
  Function f;
  In y;
  Target target, pixel;
  const Real* image;
  double scale;
  Real* loss;
  Out d;

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    const index_t n = block.index(), size = y.dims.image(), pixels = y.dims.pixels();
    const double share = scale * image_weight(image, n);
    double* shared = block.template shared<double>(block.threads());
    const double total = device::sum(block, shared, [&](int thread) {
      double part = 0;
      for (index_t i = thread; i < size; i += block.threads()) {
        const index_t c = device::quotient(i, pixels), rest = i - c * pixels;
        const index_t row = device::quotient(rest, y.dims.w), col = rest - row * y.dims.w, at = n * size + i;
        const Real weight = pixel.data ? pixel(n, c, row, col) : Real(1);
        const Real difference = y.data[at] - target(n, c, row, col);
        part += static_cast<double>(weight) * f.value(static_cast<double>(difference));
        if (d.data) d.data[at] = static_cast<Real>(share) * weight * f.slope(difference);
      }
      return part;
    });
    block.for_each_thread([&](int thread) {
      if (thread == 0) loss[n] = static_cast<Real>(share * total);
    });
  }
};

}  // namespace detail

/// Mean over all elements of weight * f(prediction - target). Targets are images (N, C, H, W) of the
/// prediction's shape, any strides. `Function` is a trivially copyable struct with a static `name` and
/// COLDZOOM_HD const members `value(d)` and its derivative `slope(d)`, both templates over the real type, and
/// `for_each_number(f)`, see `Loss`. Throws `error` where shapes differ. Costs one pass over the prediction,
/// two with the gradient.
template <class Function> struct pixel_loss {
  template <Backend B> using target = const_tensor<B>;
  static constexpr const char* name = Function::name;

  Function f = {};

  double scale(shape batch) const { return 1.0 / static_cast<double>(batch.size()); }

  template <Backend B>
  void operator()(B& b, const_activation<B> prediction, const_tensor<B> targets, loss_weights<B> weights,
                  double scale, activation<B> d_prediction,
                  vector_view<real_t<B>, typename B::space> per_image) const {
    using real = real_t<B>;
    const shape dims = prediction.dims;
    require(targets.dims == dims, name, [&] {
      return "the target is " + to_string(targets.dims) + ", the prediction " + to_string(dims);
    });
    detail::require_weights(name, weights, dims);
    detail::require_output<B>(name, dims, d_prediction);
    detail::require_count(name, "places for losses", per_image.size, dims.n);
    using rows = detail::pixel_loss_rows<Function, const_activation<B>, const_tensor<B>, activation<B>, real>;
    using tiles =
        detail::pixel_loss_blocks<Function, const_activation<B>, const_tensor<B>, activation<B>, real>;
    const auto kernel = [&]<class Kernel>(std::type_identity<Kernel>) {
      return Kernel{f,     prediction,     targets,     weights.pixel, weights.image.data,
                    scale, per_image.data, d_prediction};
    };
    for_each_image(b, dims.n, dims.image(), 6 * dims.image(), kernel(std::type_identity<rows>{}),
                   kernel(std::type_identity<tiles>{}));
  }
  template <class Visit> void for_each_number(const Visit& visit) const { f.for_each_number(visit); }
};

struct square_function {
  static constexpr const char* name = "mean_squared_error";
  template <class Real> COLDZOOM_HD Real value(Real d) const { return d * d; }
  template <class Real> COLDZOOM_HD Real slope(Real d) const { return 2 * d; }
  template <class Visit> void for_each_number(const Visit&) const {}
};

/// Slope 0 at 0.
struct absolute_function {
  static constexpr const char* name = "mean_absolute_error";
  template <class Real> COLDZOOM_HD Real value(Real d) const { return d < 0 ? -d : d; }
  template <class Real> COLDZOOM_HD Real slope(Real d) const { return static_cast<Real>((d > 0) - (d < 0)); }
  template <class Visit> void for_each_number(const Visit&) const {}
};

/// d^2 / 2 up to |d| = delta, then delta * (|d| - delta / 2) (Huber 1964). delta > 0.
struct huber_function {
  static constexpr const char* name = "huber";
  double delta = 1;

  template <class Real> COLDZOOM_HD Real value(Real d) const {
    const Real most = static_cast<Real>(delta), size = d < 0 ? -d : d;
    return size <= most ? d * d / 2 : most * (size - most / 2);
  }
  template <class Real> COLDZOOM_HD Real slope(Real d) const {
    const Real most = static_cast<Real>(delta);
    return d > most ? most : d < -most ? -most : d;
  }
  template <class Visit> void for_each_number(const Visit& visit) const { visit("delta", delta); }
};

/// Mean of (prediction - target)^2, as PyTorch's MSELoss.
using mean_squared_error = pixel_loss<square_function>;
/// Mean of |prediction - target|, as PyTorch's L1Loss.
using mean_absolute_error = pixel_loss<absolute_function>;
/// Square near 0 and straight beyond delta, as PyTorch's HuberLoss: `huber{0.5}` has delta 0.5.
using huber = pixel_loss<huber_function>;

}  // namespace coldzoom::inline COLDZOOM_ISA
