/// Element-by-element kernels: packing, activations, sums. They run on any backend.
#pragma once

#include <cmath>
#include <coldzoom/core/view.hpp>

namespace coldzoom::inline COLDZOOM_ISA::generic {

/// Images (any strides) into the activation layout; padding lanes become zero. Index: [n][lane group][row],
/// all its pixels and lanes.
template <class In, class Out> struct pack {
  In images;
  Out x;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t row = i % x.dims.h, plane = i / x.dims.h;
    const index_t n = plane / x.lane_groups(), first = plane % x.lane_groups() * Out::lanes,
                  left = x.dims.c - first;
    using real = typename Out::value_type;
    const auto* from = &images(n, first, row, 0);
    real* to = x.data + i * x.dims.w * Out::lanes;
    for (index_t pixel = 0; pixel < x.dims.w; ++pixel, from += images.stride_x, to += Out::lanes) {
      for (index_t lane = 0; lane < Out::lanes; ++lane) to[lane] = 0;
      for (index_t lane = 0; lane < Out::lanes && lane < left; ++lane)
        to[lane] = static_cast<real>(from[lane * images.stride_c]);
    }
  }
};

/// The activation layout into images (any strides). Index: [n][c][row], all its pixels.
template <class In, class Out> struct unpack {
  In x;
  Out images;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t row = i % x.dims.h, c = i / x.dims.h % x.dims.c, n = i / (x.dims.h * x.dims.c);
    const auto* from = x.data + x.offset(n, c, row * x.dims.w);
    auto* to = &images(n, c, row, 0);
    for (index_t pixel = 0; pixel < x.dims.w; ++pixel)
      to[pixel * images.stride_x] = static_cast<typename Out::value_type>(from[pixel * In::lanes]);
  }
};

struct identity_function {
  template <class Real> COLDZOOM_HD Real value(Real z) const { return z; }
  template <class Real> COLDZOOM_HD Real slope(Real) const { return Real(1); }
};

/// Gaussian error linear unit, exact form z * Phi(z) (Hendrycks and Gimpel 2016).
struct gelu_function {
  template <class Real> COLDZOOM_HD Real value(Real z) const {
    return z * Real(0.5) * std::erfc(z * Real(-0.70710678118654752440));
  }
  template <class Real> COLDZOOM_HD Real slope(Real z) const {
    const Real density = Real(0.39894228040143267794) * std::exp(Real(-0.5) * z * z);
    return Real(0.5) * std::erfc(z * Real(-0.70710678118654752440)) + z * density;
  }
};

/// Sigmoid linear unit z / (1 + exp(-z)).
struct silu_function {
  template <class Real> COLDZOOM_HD Real value(Real z) const { return z / (Real(1) + std::exp(-z)); }
  template <class Real> COLDZOOM_HD Real slope(Real z) const {
    const Real s = Real(1) / (Real(1) + std::exp(-z));
    return s * (Real(1) + z * (Real(1) - s));
  }
};

/// y = f(x). Index: memory order.
template <class Function, class Real> struct apply_function {
  Function f;
  const Real* x;
  Real* y;

  COLDZOOM_HD void operator()(index_t i) const { y[i] = f.value(x[i]); }
};

/// dx = dy * f'(x). Index: memory order.
template <class Function, class Real> struct apply_slope {
  Function f;
  const Real* x;
  const Real* dy;
  Real* dx;

  COLDZOOM_HD void operator()(index_t i) const { dx[i] = dy[i] * f.slope(x[i]); }
};

/// y = value. Index: memory order.
template <class Real> struct fill {
  Real value;
  Real* y;

  COLDZOOM_HD void operator()(index_t i) const { y[i] = value; }
};

/// y += x. Index: memory order.
template <class Real> struct add {
  const Real* x;
  Real* y;

  COLDZOOM_HD void operator()(index_t i) const { y[i] += x[i]; }
};

/// to[i] += sum over r < count of rows[r][i], in the order of r; rows lie `leading` apart. Index: [i].
template <class Real> struct add_rows {
  const Real* rows;
  index_t count, leading;
  Real* to;

  COLDZOOM_HD void operator()(index_t i) const {
    Real total = 0;
    for (index_t r = 0; r < count; ++r) total += rows[r * leading + i];
    to[i] += total;
  }
};

/// y[n, c, all pixels] += e[n, c]. Index: [n][lane group][pixel][lane] of y.
template <class In, class Out> struct add_per_channel {
  In e;
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / y.image_size(), c = y.channel(i);
    if (c < y.dims.c) y.data[i] += e.data[e.offset(n, c, 0)];
  }
};

/// e[n, c] = sum over pixels of dy[n, c]. Index: [n][c].
template <class In, class Out> struct sum_per_channel {
  In dy;
  Out e;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / dy.dims.c, c = i % dy.dims.c;
    typename Out::value_type total = 0;
    for (index_t p = 0; p < dy.dims.pixels(); ++p) total += dy.data[dy.offset(n, c, p)];
    e.data[e.offset(n, c, 0)] = total;
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA::generic
