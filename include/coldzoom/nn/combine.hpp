/// Layers that route their input around another layer, and the change from pictures to vectors.
#pragma once

#include <coldzoom/nn/layer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// to[n, c] += from[n, c] for the channels of `to`; `from` may have more. Padding lanes become zero: a sum in
/// place of what they held could grow from step to step. Index: [n][lane group][pixel] of `to`, all its
/// lanes.
template <class In, class Out> struct add_leading_channels {
  In from;
  Out to;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t pixels = to.dims.pixels(), plane = i / pixels;
    const index_t n = plane / to.lane_groups(), first = plane % to.lane_groups() * Out::lanes;
    const index_t at = from.offset(n, first, i % pixels);
    for (index_t lane = 0; lane < Out::lanes; ++lane) {
      auto& sum = to.data[i * Out::lanes + lane];
      sum = first + lane < to.dims.c ? sum + from.data[at + lane] : 0;
    }
  }
};

/// to[lane] = channel c + lane of a pixel of x, 0 beyond the last channel.
template <class In, class Real>
COLDZOOM_HD void copy_lanes(const In& x, index_t n, index_t c, index_t pixel, Real* to) {
  if (c % In::lanes == 0) {  // they lie side by side
    const Real* from = x.data + x.offset(n, c, pixel);
    for (index_t lane = 0; lane < In::lanes; ++lane) to[lane] = c + lane < x.dims.c ? from[lane] : 0;
  } else {
    for (index_t lane = 0; lane < In::lanes; ++lane)
      to[lane] = c + lane < x.dims.c ? x.data[x.offset(n, c + lane, pixel)] : 0;
  }
}

/// y = [first, second] along the channels; padding lanes become zero. Index: [n][lane group][pixel] of y, all
/// its lanes.
template <class In, class Out> struct concatenate_channels {
  In first, second;
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t pixel = i % y.dims.pixels(), plane = i / y.dims.pixels();
    const index_t n = plane / y.lane_groups(), begin = plane % y.lane_groups() * Out::lanes,
                  split = first.dims.c;
    auto* to = y.data + i * Out::lanes;
    if (begin >= split) return copy_lanes(second, n, begin - split, pixel, to);
    copy_lanes(first, n, begin, pixel, to);
    for (index_t lane = split - begin; lane < Out::lanes && begin + lane < y.dims.c; ++lane)
      to[lane] = second.data[second.offset(n, begin + lane - split, pixel)];
  }
};

/// The channels of x from `begin` on; padding lanes become zero. Index: [n][lane group][pixel] of y, all its
/// lanes.
template <class In, class Out> struct trailing_channels {
  In x;
  index_t begin;
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t pixel = i % y.dims.pixels(), plane = i / y.dims.pixels();
    copy_lanes(x, plane / y.lane_groups(), begin + plane % y.lane_groups() * Out::lanes, pixel,
               y.data + i * Out::lanes);
  }
};

/// y[n, c * pixels + pixel] = x[n, c, pixel]; padding lanes become zero. Index: memory order of y.
template <class In, class Out> struct flatten_forward {
  In x;
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / y.image_size(), feature = i % y.image_size(), pixels = x.dims.pixels();
    y.data[i] = feature < y.dims.c ? x.data[x.offset(n, feature / pixels, feature % pixels)] : 0;
  }
};

/// The way back. Index: [n][lane group][pixel][lane] of dx.
template <class In, class Out> struct flatten_backward {
  In dy;
  Out dx;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t pixels = dx.dims.pixels(), pixel = i / Out::lanes % pixels, n = i / dx.image_size();
    const index_t c = dx.channel(i);
    dx.data[i] = c < dx.dims.c ? dy.data[dy.offset(n, c * pixels + pixel, 0)] : 0;
  }
};

/// The common members of layers around an inner layer: its parameters, under its own names.
template <class L> struct wrapper {
  L inner;

  void describe(parameter_list& list, const std::string& prefix) const { inner.describe(list, prefix); }
  template <Backend B, class Workspace>
  void pack_weights(B& b, const real_t<B>* parameters, Workspace& ws) const {
    inner.pack_weights(b, parameters, ws.inner);
  }
  template <Backend B, class Workspace>
  void reduce_gradients(B& b, real_t<B>* gradients, Workspace& ws) const {
    inner.reduce_gradients(b, gradients, ws.inner);
  }
};

}  // namespace detail

/// y = x + inner(x), where inner keeps the shape (He et al. 2016).
template <class L> struct residual : detail::wrapper<L> {
  explicit residual(L layer) : detail::wrapper<L>{std::move(layer)} {}

  shape output_shape(shape in) const {
    const shape out = this->inner.output_shape(in);
    require(out == in, "residual", [&] {
      return "the inner layer makes " + to_string(out) + " of " + to_string(in) + "; it must keep the shape";
    });
    return in;
  }

  template <Backend B> struct workspace {
    typename L::template workspace<B> inner;
    activation_buffer<B> dy;  // the inner layer may overwrite what it is given
  };

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    output_shape(in);  // checks
    return {this->inner.make_workspace(b, in, mode), {b, in.with_n(mode == pass::train ? in.n : 0)}};
  }
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    this->inner.forward(b, parameters, x, side, y, ws.inner);
    add(b, x, y);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const activation<B> kept = ws.dy.view(dy.dims.n);
    if (dx.data) b.copy(dy.data, kept.data, dy.size());
    this->inner.backward(b, parameters, x, side, dy, dx, gradients, ws.inner);
    if (dx.data) add<B>(b, kept, dx);
  }

 private:
  template <Backend B> void add(B& b, const_activation<B> from, activation<B> to) const {
    using kernel = detail::add_leading_channels<const_activation<B>, activation<B>>;
    b.for_each_index(to.size() / B::lanes, kernel{from, to}, 2 * B::lanes);
  }
};

/// y = [x, inner(x)] along the channels, where inner keeps N, H and W: the skip connection of a U-Net
/// (Ronneberger et al. 2015).
template <class L> struct skip_concat : detail::wrapper<L> {
  explicit skip_concat(L layer) : detail::wrapper<L>{std::move(layer)} {}

  shape output_shape(shape in) const {
    const shape out = this->inner.output_shape(in);
    require(out.n == in.n && out.h == in.h && out.w == in.w, "skip_concat", [&] {
      return "the inner layer makes " + to_string(out) + " of " + to_string(in) +
             "; it must keep height and width";
    });
    return {in.n, in.c + out.c, in.h, in.w};
  }

  template <Backend B> struct workspace {
    typename L::template workspace<B> inner;
    activation_buffer<B> y;  // of the inner layer; its gradient in the backward pass
  };

  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    output_shape(in);  // checks
    return {this->inner.make_workspace(b, in, mode), {b, this->inner.output_shape(in)}};
  }
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    const activation<B> inner_y = ws.y.view(x.dims.n);
    this->inner.forward(b, parameters, x, side, inner_y, ws.inner);
    using kernel = detail::concatenate_channels<const_activation<B>, activation<B>>;
    b.for_each_index(y.size() / B::lanes, kernel{x, inner_y, y}, 2 * B::lanes);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const activation<B> inner_dy = ws.y.view(x.dims.n);
    using split_kernel = detail::trailing_channels<const_activation<B>, activation<B>>;
    b.for_each_index(inner_dy.size() / B::lanes, split_kernel{dy, x.dims.c, inner_dy}, 2 * B::lanes);
    this->inner.backward(b, parameters, x, side, inner_dy, dx, gradients, ws.inner);
    if (!dx.data) return;
    using add_kernel = detail::add_leading_channels<const_activation<B>, activation<B>>;
    b.for_each_index(dx.size() / B::lanes, add_kernel{dy, dx}, 2 * B::lanes);
  }
};

/// (N, C, H, W) -> (N, C * H * W, 1, 1) in the order of C, H, W, as `linear` wants its input.
/// PyTorch's Flatten.
struct flatten : plain_layer {
  shape output_shape(shape in) const { return {in.n, in.image(), 1, 1}; }

  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               workspace<B>&) const {
    using kernel = detail::flatten_forward<const_activation<B>, activation<B>>;
    b.for_each_index(y.size(), kernel{x, y}, 8);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B>, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>*, workspace<B>&) const {
    if (!dx.data) return;
    using kernel = detail::flatten_backward<const_activation<B>, activation<B>>;
    b.for_each_index(dx.size(), kernel{dy, dx}, 8);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
