/// Layer and group normalisation, one group at a time, and a function behind it: runs on any backend, oracle of
/// the fast versions.
#pragma once

#include <cmath>
#include <coldzoom/backend/map_function.hpp>

namespace coldzoom::inline COLDZOOM_ISA::generic {

/// How an image of C channels and P pixels is cut into groups, and which element of the affine belongs to an
/// element of the image. Groups are `c / groups` consecutive channels, each normalised over its channels and
/// pixels.
struct normalisation_geometry {
  enum class affine_shape {
    pixels,    // (H, W), shared by the channels
    image,     // (C, H, W)
    channels,  // (C)
  };
  index_t channels = 1, pixels = 1, groups = 1;
  affine_shape affine = affine_shape::pixels;

  COLDZOOM_HD constexpr index_t group_channels() const { return channels / groups; }
  COLDZOOM_HD constexpr index_t affine_size() const {
    return affine == affine_shape::pixels  ? pixels
           : affine == affine_shape::image ? channels * pixels
                                           : channels;
  }
  COLDZOOM_HD constexpr index_t affine_index(index_t c, index_t pixel) const {
    return affine == affine_shape::pixels ? pixel : affine == affine_shape::image ? c * pixels + pixel : c;
  }
};

/// x_hat = (x - mean) / sqrt(variance + eps); y = weight * x_hat + bias. Index: [n][group]. Keeps mean and 1
/// / sqrt(variance + eps) for the backward pass. The variance is biased, as in PyTorch.
template <class In, class Out, class Real> struct normalise_forward {
  normalisation_geometry g;
  Real eps;
  In x;
  const Real* weight;
  const Real* bias;
  Out y;
  Real* mean;  // [n][group]
  Real* rstd;  // [n][group]

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / g.groups, first = i % g.groups * g.group_channels(),
                  last = first + g.group_channels();
    const Real count = static_cast<Real>(g.group_channels() * g.pixels);
    Real total = 0;
    for (index_t c = first; c < last; ++c) {
      for (index_t p = 0; p < g.pixels; ++p) total += x.data[x.offset(n, c, p)];
    }
    const Real centre = total / count;
    Real squares = 0;
    for (index_t c = first; c < last; ++c) {
      for (index_t p = 0; p < g.pixels; ++p) {
        const Real d = x.data[x.offset(n, c, p)] - centre;
        squares += d * d;
      }
    }
    const Real scale = Real(1) / std::sqrt(squares / count + eps);
    for (index_t c = first; c < last; ++c) {
      for (index_t p = 0; p < g.pixels; ++p) {
        const index_t at = x.offset(n, c, p), k = g.affine_index(c, p);
        y.data[at] = (x.data[at] - centre) * scale * weight[k] + bias[k];
      }
    }
    mean[i] = centre;
    rstd[i] = scale;
  }
};

/// dx of the above. Index: [n][group].
template <class In, class Out, class Real> struct normalise_backward {
  normalisation_geometry g;
  In x, dy;
  const Real* weight;
  const Real* mean;
  const Real* rstd;
  Out dx;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / g.groups, first = i % g.groups * g.group_channels(),
                  last = first + g.group_channels();
    const Real count = static_cast<Real>(g.group_channels() * g.pixels);
    Real sum_d = 0, sum_dx = 0;
    for (index_t c = first; c < last; ++c) {
      for (index_t p = 0; p < g.pixels; ++p) {
        const index_t at = x.offset(n, c, p);
        const Real d = dy.data[at] * weight[g.affine_index(c, p)];
        sum_d += d;
        sum_dx += d * (x.data[at] - mean[i]) * rstd[i];
      }
    }
    for (index_t c = first; c < last; ++c) {
      for (index_t p = 0; p < g.pixels; ++p) {
        const index_t at = x.offset(n, c, p);
        const Real d = dy.data[at] * weight[g.affine_index(c, p)];
        const Real x_hat = (x.data[at] - mean[i]) * rstd[i];
        dx.data[at] = rstd[i] * (d - (sum_d + x_hat * sum_dx) / count);
      }
    }
  }
};

/// dweight += sum of dy * x_hat, dbias += sum of dy. Index: element of the affine.
template <class In, class Real> struct normalise_backward_affine {
  normalisation_geometry g;
  In x, dy;
  const Real* mean;
  const Real* rstd;
  Real* dweight;
  Real* dbias;

  COLDZOOM_HD void operator()(index_t k) const {
    using affine_shape = normalisation_geometry::affine_shape;
    const bool all_c = g.affine == affine_shape::pixels, all_p = g.affine == affine_shape::channels;
    const index_t c0 = all_c ? 0 : all_p ? k : k / g.pixels, c1 = all_c ? g.channels : c0 + 1;
    const index_t p0 = all_p ? 0 : k % g.pixels, p1 = all_p ? g.pixels : p0 + 1;
    Real weight_total = 0, bias_total = 0;
    for (index_t n = 0; n < x.dims.n; ++n) {
      for (index_t c = c0; c < c1; ++c) {
        const index_t group = n * g.groups + c / g.group_channels();
        for (index_t p = p0; p < p1; ++p) {
          const index_t at = x.offset(n, c, p);
          weight_total += dy.data[at] * (x.data[at] - mean[group]) * rstd[group];
          bias_total += dy.data[at];
        }
      }
    }
    dweight[k] += weight_total;
    dbias[k] += bias_total;
  }
};

/// Normalisation and then `Function`, element by element, on backends without block kernels: a
/// NormalisationOperation of backend/operations.hpp.
template <Backend B, class Function> class normalisation {
  using real = real_t<B>;
  using in = const_activation<B>;
  using out = activation<B>;
  static constexpr bool bare = std::same_as<Function, identity_function>;

 public:
  normalisation(B& b, const normalisation_geometry& g, real eps, index_t capacity, bool)
      : g_(g),
        eps_(eps),
        mean_(b.template allocate<real>(capacity * g.groups)),
        rstd_(b.template allocate<real>(capacity * g.groups)),
        normalised_(b, dims(bare ? 0 : capacity)) {}

  void forward(B& b, index_t n, const real* x, const real* affine, real* y) {
    real* const normalised = bare ? y : normalised_.view(n).data;
    using kernel = normalise_forward<in, out, real>;
    b.for_each_index(n * g_.groups,
                     kernel{g_,
                            eps_,
                            {x, dims(n)},
                            affine,
                            affine + g_.affine_size(),
                            {normalised, dims(n)},
                            mean_.data(),
                            rstd_.data()},
                     4 * g_.group_channels() * g_.pixels);
    if (!bare) map_function<Function>(b, normalised_.view(n).size(), normalised, y);
  }
  void backward(B& b, index_t n, const real* x, const real* affine, real* dy, real* dx, real* gradients) {
    real* const normalised = bare ? dy : normalised_.view(n).data;
    if (!bare) map_slope<Function>(b, normalised_.view(n).size(), normalised, dy, normalised);
    const in from{x, dims(n)}, slope{normalised, dims(n)};
    const index_t size = g_.affine_size();
    b.for_each_index(size,
                     normalise_backward_affine<in, real>{g_, from, slope, mean_.data(), rstd_.data(),
                                                         gradients, gradients + size},
                     from.dims.size() / size * 4);
    if (!dx) return;
    using kernel = normalise_backward<in, out, real>;
    b.for_each_index(n * g_.groups,
                     kernel{g_, from, slope, affine, mean_.data(), rstd_.data(), {dx, dims(n)}},
                     8 * g_.group_channels() * g_.pixels);
  }

 private:
  shape dims(index_t n) const { return {n, g_.channels, 1, g_.pixels}; }

  normalisation_geometry g_;
  real eps_;
  buffer_t<B> mean_, rstd_;
  activation_buffer<B> normalised_;  // what Function takes; its gradient in the backward pass
};

}  // namespace coldzoom::inline COLDZOOM_ISA::generic
