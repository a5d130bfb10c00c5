/// Layer and group normalisation with the activation behind it, by blocks: one sweep forward, one back.
#pragma once

#include <cmath>
#include <coldzoom/backend/device/reduction.hpp>
#include <coldzoom/backend/generic/normalisation.hpp>

namespace coldzoom::inline COLDZOOM_ISA::device {

/// y = f(weight * x_hat + bias) + addend, x_hat as in generic::normalise_forward; y may be x. Keeps mean and
/// 1 / sqrt(variance + eps). Block: [n][group].
template <class Function, class Real> struct normalise_forward {
  static constexpr int most_threads = usual_threads;
  generic::normalisation_geometry g;
  Function f;
  Real eps;
  const Real* x;
  const Real* weight;
  const Real* bias;
  const Real* addend;  // [n][channel] or null
  Real* y;
  Real* mean;  // [n][group]
  Real* rstd;  // [n][group]

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    const index_t group = block.index(), size = g.group_channels() * g.pixels;
    const index_t first = group % g.groups * g.group_channels(), n = group / g.groups;
    const int threads = block.threads();
    const Real* from = x + group * size;
    Real* shared = block.template shared<Real>(threads);
    const Real count = static_cast<Real>(size);
    const Real centre = sum(block, shared,
                            [&](int thread) {
                              Real total = 0;
                              for (index_t i = thread; i < size; i += threads) total += from[i];
                              return total;
                            }) /
                        count;
    const Real squares = sum(block, shared, [&](int thread) {
      Real total = 0;
      for (index_t i = thread; i < size; i += threads) total += (from[i] - centre) * (from[i] - centre);
      return total;
    });
    const Real scale = Real(1) / std::sqrt(squares / count + eps);
    block.for_each_thread([&](int thread) {
      for (index_t i = thread; i < size; i += threads) {
        const index_t c = first + (g.group_channels() == 1 ? 0 : quotient(i, g.pixels));
        const index_t k = g.affine_index(c, i - (c - first) * g.pixels);
        const Real u = (from[i] - centre) * scale * weight[k] + bias[k];
        y[group * size + i] = f.value(u) + (addend ? addend[n * g.channels + c] : Real(0));
      }
      if (thread == 0) {
        mean[group] = centre;
        rstd[group] = scale;
      }
    });
  }
};

/// dy becomes du = dy * f'(weight * x_hat + bias), and dx is written unless null. Block: [n][group].
template <class Function, class Real> struct normalise_backward {
  static constexpr int most_threads = usual_threads;
  generic::normalisation_geometry g;
  Function f;
  const Real* x;
  const Real* weight;
  const Real* bias;
  const Real* mean;
  const Real* rstd;
  Real* dy;
  Real* dx;

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    const index_t group = block.index(), size = g.group_channels() * g.pixels;
    const index_t first = group % g.groups * g.group_channels();
    const int threads = block.threads();
    const Real* from = x + group * size;
    Real* du = dy + group * size;
    const Real centre = mean[group], scale = rstd[group];
    const auto affine = [&](index_t i) {
      const index_t c = first + (g.group_channels() == 1 ? 0 : quotient(i, g.pixels));
      return g.affine_index(c, i - (c - first) * g.pixels);
    };
    auto* shared = block.template shared<sum_pair<Real>>(threads);
    const sum_pair<Real> totals = sum(block, shared, [&](int thread) {
      sum_pair<Real> total{0, 0};  // of the gradient of x_hat, and of it times x_hat
      for (index_t i = thread; i < size; i += threads) {
        const index_t k = affine(i);
        const Real x_hat = (from[i] - centre) * scale;
        du[i] *= f.slope(weight[k] * x_hat + bias[k]);
        total += {weight[k] * du[i], weight[k] * du[i] * x_hat};
      }
      return total;
    });
    if (!dx) return;
    block.for_each_thread([&](int thread) {
      for (index_t i = thread; i < size; i += threads) {
        const Real x_hat = (from[i] - centre) * scale;
        dx[group * size + i] = scale * (weight[affine(i)] * du[i] -
                                        (totals.first + x_hat * totals.second) / static_cast<Real>(size));
      }
    });
  }
};

/// The terms of the gradient of an affine of `columns` elements for rows of that length (shapes `pixels` and
/// `image`): du * x_hat and du, for column_sums over [rows][columns].
template <class Real> struct affine_terms {
  using real = Real;
  using value = sum_pair<Real>;
  index_t columns, group_size;
  const Real* x;
  const Real* du;
  const Real* mean;
  const Real* rstd;

  COLDZOOM_HD value operator()(index_t row, index_t k) const {
    const index_t at = row * columns + k, group = group_of(row, k);
    return {du[at] * (x[at] - mean[group]) * rstd[group], du[at]};
  }
  COLDZOOM_HD static void store(Real* parts, index_t split, index_t columns, index_t k, const value& sum) {
    parts[2 * split * columns + k] = sum.first;
    parts[(2 * split + 1) * columns + k] = sum.second;
  }

 private:
  /// (row * columns + k) / group_size; either divides the other.
  COLDZOOM_HD index_t group_of(index_t row, index_t k) const {
    return columns < group_size ? quotient(row, group_size / columns)
                                : row * (columns / group_size) + quotient(k, group_size);
  }
};

/// An affine of one element a channel: parts[n] = [sum of du * x_hat, sum of du] over the pixels.
/// Block: [n][channel].
template <class Real> struct affine_channels {
  static constexpr int most_threads = usual_threads;
  generic::normalisation_geometry g;
  const Real* x;
  const Real* du;
  const Real* mean;
  const Real* rstd;
  Real* parts;

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    const index_t n = block.index() / g.channels, c = block.index() % g.channels;
    const index_t group = n * g.groups + c / g.group_channels(), at = block.index() * g.pixels;
    const Real centre = mean[group], scale = rstd[group];
    auto* shared = block.template shared<sum_pair<Real>>(block.threads());
    const sum_pair<Real> totals = sum(block, shared, [&](int thread) {
      sum_pair<Real> total{0, 0};
      for (index_t i = at + thread; i < at + g.pixels; i += block.threads())
        total += {du[i] * (x[i] - centre) * scale, du[i]};
      return total;
    });
    block.for_each_thread([&](int thread) {
      if (thread > 0) return;
      parts[2 * n * g.channels + c] = totals.first;
      parts[(2 * n + 1) * g.channels + c] = totals.second;
    });
  }
};

/// Rows of the matrix whose columns the affine's gradient sums; for one element a channel, images.
inline index_t affine_rows(const generic::normalisation_geometry& g, index_t images) {
  return g.affine == generic::normalisation_geometry::affine_shape::pixels ? images * g.channels : images;
}
/// Elements of scratch memory that `normalise_back` wants for up to `images` images.
template <class Real> index_t affine_scratch(const generic::normalisation_geometry& g, index_t images) {
  const bool channels = g.affine == generic::normalisation_geometry::affine_shape::channels;
  const index_t rows = affine_rows(g, images);
  return 2 * g.affine_size() * (channels ? rows : column_sums<affine_terms<Real>>::splits(rows));
}

/// y = Function(normalised x) + addend for `images` images, dense. `affine` is weight and then bias.
template <class Function, BlockBackend B>
void normalise(B& b, const generic::normalisation_geometry& g, index_t images, real_t<B> eps,
               const real_t<B>* x, const real_t<B>* affine, const real_t<B>* addend, real_t<B>* y,
               real_t<B>* mean, real_t<B>* rstd) {
  using real = real_t<B>;
  const int threads = threads_for(g.group_channels() * g.pixels);
  b.for_each_block(images * g.groups, threads, threads * static_cast<index_t>(sizeof(real)) + 16,
                   normalise_forward<Function, real>{
                       g, {}, eps, x, affine, affine + g.affine_size(), addend, y, mean, rstd});
}

/// The gradients of it. dy is overwritten; dx may be null, and may not be x or dy. Adds to `gradients`, laid
/// out as `affine`. `scratch` has affine_scratch elements.
template <class Function, BlockBackend B>
void normalise_back(B& b, const generic::normalisation_geometry& g, index_t images, const real_t<B>* x,
                    const real_t<B>* affine, const real_t<B>* mean, const real_t<B>* rstd, real_t<B>* dy,
                    real_t<B>* dx, real_t<B>* gradients, real_t<B>* scratch) {
  using real = real_t<B>;
  constexpr index_t pair = sizeof(sum_pair<real>);
  const index_t group_size = g.group_channels() * g.pixels, size = g.affine_size();
  const int threads = threads_for(group_size);
  b.for_each_block(images * g.groups, threads, threads * pair + 16,
                   normalise_backward<Function, real>{g, {}, x, affine, affine + size, mean, rstd, dy, dx});
  const index_t rows = affine_rows(g, images);
  index_t parts = rows;
  if (g.affine == generic::normalisation_geometry::affine_shape::channels) {
    const int pixel_threads = threads_for(g.pixels);
    b.for_each_block(images * g.channels, pixel_threads, pixel_threads * pair + 16,
                     affine_channels<real>{g, x, dy, mean, rstd, scratch});
  } else {
    using sums = column_sums<affine_terms<real>>;
    const sums kernel{rows, size, {size, group_size, x, dy, mean, rstd}, scratch};
    parts = sums::splits(rows);
    b.for_each_block(kernel.blocks(), sums::most_threads, sums::shared_bytes(), kernel);
  }
  add_in_order(b, parts, 2 * size, scratch, gradients);
}

/// Normalisation and then `Function` on backends of block kernels, a NormalisationOperation of
/// backend/operations.hpp.
template <BlockBackend B, class Function> class normalisation {
  using real = real_t<B>;

 public:
  normalisation(B& b, const generic::normalisation_geometry& g, real eps, index_t capacity, bool train)
      : g_(g),
        eps_(eps),
        mean_(b.template allocate<real>(capacity * g.groups)),
        rstd_(b.template allocate<real>(capacity * g.groups)),
        scratch_(b.template allocate<real>(train ? affine_scratch<real>(g, capacity) : 0)) {}

  /// y = Function(norm(x)) + addend, one number per image and channel, or null.
  void forward(B& b, index_t n, const real* x, const real* affine, real* y, const real* addend = nullptr) {
    normalise<Function>(b, g_, n, eps_, x, affine, addend, y, mean(), rstd());
  }
  /// The gradients of it but that of the addend. dy is overwritten; dx may not be x or dy.
  void backward(B& b, index_t n, const real* x, const real* affine, real* dy, real* dx, real* gradients) {
    normalise_back<Function>(b, g_, n, x, affine, mean(), rstd(), dy, dx, gradients, scratch_.data());
  }

  /// Of the last forward pass, [n][group].
  real* mean() { return mean_.data(); }
  real* rstd() { return rstd_.data(); }

 private:
  generic::normalisation_geometry g_;
  real eps_;
  buffer_t<B> mean_, rstd_, scratch_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA::device
