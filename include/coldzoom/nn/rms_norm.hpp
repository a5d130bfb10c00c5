/// Normalisation of each pixel by the root of the mean square of its channels.
#pragma once

#include <coldzoom/backend/generic/elementwise.hpp>
#include <coldzoom/nn/layer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// y = gain x r, r = sqrt(C) / max(|x|, 1e-12) over the channels of a pixel. Index: [n][pixel].
template <class In, class Out> struct rms_forward {
  using real = typename Out::value_type;
  In x;
  const real* gain;
  Out y;
  real* scale;  // r, [n][pixel]

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t pixels = x.dims.pixels(), n = i / pixels, pixel = i % pixels;
    real squares[In::lanes] = {};
    for (index_t first = 0; first < x.dims.c; first += In::lanes) {
      const real* const from = x.data + x.offset(n, first, pixel);
      for (index_t lane = 0; lane < In::lanes; ++lane)
        squares[lane] += first + lane < x.dims.c ? from[lane] * from[lane] : 0;
    }
    real total = 0;
    for (const real one : squares) total += one;
    constexpr real least = real(1e-24);
    const real r = std::sqrt(static_cast<real>(x.dims.c) / (total > least ? total : least));
    for (index_t first = 0; first < x.dims.c; first += In::lanes) {
      const index_t at = x.offset(n, first, pixel);
      for (index_t lane = 0; lane < In::lanes; ++lane)
        y.data[at + lane] = first + lane < x.dims.c ? gain[first + lane] * r * x.data[at + lane] : 0;
    }
    scale[i] = r;
  }
};

/// dx = r (gain dy - x r^2 / C sum of gain dy x). Index: [n][pixel].
template <class In, class Out> struct rms_backward {
  using real = typename Out::value_type;
  In x, dy;
  const real* gain;
  const real* scale;
  Out dx;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t pixels = x.dims.pixels(), n = i / pixels, pixel = i % pixels;
    real products[In::lanes] = {};
    for (index_t first = 0; first < x.dims.c; first += In::lanes) {
      const index_t at = x.offset(n, first, pixel);
      for (index_t lane = 0; lane < In::lanes; ++lane)
        products[lane] +=
            first + lane < x.dims.c ? gain[first + lane] * dy.data[at + lane] * x.data[at + lane] : 0;
    }
    real total = 0;
    for (const real one : products) total += one;
    const real r = scale[i], along = total * r * r / static_cast<real>(x.dims.c);
    for (index_t first = 0; first < x.dims.c; first += In::lanes) {
      const index_t at = x.offset(n, first, pixel);
      for (index_t lane = 0; lane < In::lanes; ++lane) {
        dx.data[at + lane] = first + lane < x.dims.c
                                 ? r * (gain[first + lane] * dy.data[at + lane] - along * x.data[at + lane])
                                 : 0;
      }
    }
  }
};

/// part[n][c] = sum of dy x r over the pixels in their order. Index: [n][lane group].
template <class In, class Real> struct rms_gain_parts {
  In x, dy;
  const Real* scale;
  Real* part;  // [n][channels of all lane groups]

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t pixels = x.dims.pixels(), begin = i * pixels * In::lanes;
    const Real* const r = scale + i / x.lane_groups() * pixels;
    Real total[In::lanes] = {};
    for (index_t pixel = 0; pixel < pixels; ++pixel) {
      const index_t at = begin + pixel * In::lanes;
      for (index_t lane = 0; lane < In::lanes; ++lane)
        total[lane] += dy.data[at + lane] * x.data[at + lane] * r[pixel];
    }
    for (index_t lane = 0; lane < In::lanes; ++lane) part[i * In::lanes + lane] = total[lane];
  }
};

}  // namespace detail

/// y = gain x sqrt(C) / max(|x|, 1e-12), |x| the norm of the C channels of a pixel, with a learnt gain for each
/// channel: the root mean square norm (Zhang and Sennrich 2019) as in lucidrains' Unet.
/// Cost: 3 C multiply-adds a pixel forward, 8 C back.
///
/// It is no NormalisationOperation: their groups hold all pixels of some channels, and they subtract the mean.
struct rms_norm {
  index_t c;

  /// Throws `error` for fewer than one channel.
  explicit rms_norm(index_t channels) : c(channels) {
    require(c > 0, "rms_norm", [&] { return "found " + std::to_string(c) + " channels, wanted at least 1"; });
  }

  shape output_shape(shape in) const {
    require(in.c == c, "rms_norm", [&] {
      return "the input has " + std::to_string(in.c) + " channels, the gain " + std::to_string(c);
    });
    return in;
  }
  void describe(parameter_list& list, const std::string& prefix) const {
    list.push_back({prefix + ".weight", {c}, 1, 0});
  }

  template <Backend B> struct workspace {
    buffer_t<B> scale;  // [n][pixel], from forward to backward
    buffer_t<B> part;   // of the gain's gradient, training
  };
  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    output_shape(in);  // checks
    const index_t channels = activation<B>{nullptr, {1, c, 1, 1}}.size();
    return {b.template allocate<real_t<B>>(in.n * in.pixels()),
            b.template allocate<real_t<B>>(mode == pass::train ? in.n * channels : 0)};
  }
  template <Backend B> void pack_weights(B&, const real_t<B>*, workspace<B>&) const {}
  template <Backend B>
  void forward(B& b, const real_t<B>* gain, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               workspace<B>& ws) const {
    using kernel = detail::rms_forward<const_activation<B>, activation<B>>;
    b.for_each_index(x.dims.n * x.dims.pixels(), kernel{x, gain, y, ws.scale.data()}, 2 * c);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* gain, const_activation<B> x, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const index_t n = x.dims.n, pixels = x.dims.pixels(), channels = x.lane_groups() * B::lanes;
    using parts = detail::rms_gain_parts<const_activation<B>, real_t<B>>;
    b.for_each_index(n * x.lane_groups(), parts{x, dy, ws.scale.data(), ws.part.data()},
                     2 * pixels * B::lanes);
    b.for_each_index(c, generic::add_rows<real_t<B>>{ws.part.data(), n, channels, gradients}, n);
    if (!dx.data) return;
    using kernel = detail::rms_backward<const_activation<B>, activation<B>>;
    b.for_each_index(n * pixels, kernel{x, dy, gain, ws.scale.data(), dx}, 3 * c);
  }
  template <Backend B> void reduce_gradients(B&, real_t<B>*, workspace<B>&) const {}
};

}  // namespace coldzoom::inline COLDZOOM_ISA
