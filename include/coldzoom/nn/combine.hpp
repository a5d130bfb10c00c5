/// Layers that route their input around another layer, and the change from pictures to vectors.
#pragma once

#include <coldzoom/backend/operations.hpp>
#include <coldzoom/nn/layer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// A run of pixels of one lane group of one image, all its lanes: the work of an index. Divisions by run-time
/// numbers cost more than adding a vector, so a host takes whole pictures; a device, whose neighbouring
/// threads take neighbouring pixels, takes one.
struct lane_run {
  index_t n, group, first, count;

  /// Index: [n][lane group][run] of `view`.
  template <class View> COLDZOOM_HD static lane_run at(index_t i, const View& view, index_t length) {
    const index_t pixels = view.dims.pixels(), runs = (pixels + length - 1) / length;
    const index_t plane = i / runs, first = i % runs * length;
    return {plane / view.lane_groups(), plane % view.lane_groups(), first,
            first + length < pixels ? length : pixels - first};
  }
  /// Where the run begins in memory.
  template <class View> COLDZOOM_HD index_t offset(const View& view) const {
    return view.offset(n, group * View::lanes, first);
  }
};

/// make(length) as the kernel of all runs of `view`, `cost` for each element.
template <class B, class View, class Make>
void for_each_run(B& b, const View& view, index_t cost, const Make& make) {
  const index_t pixels = view.dims.pixels(), length = BlockBackend<B> ? 1 : pixels;
  if (view.size() == 0) return;
  b.for_each_index(view.dims.n * view.lane_groups() * ((pixels + length - 1) / length), make(length),
                   cost * View::lanes * length);
}

/// to[n, c] += from[n, c] for the channels of `to`; `from` may have more. Padding lanes become zero: a sum in
/// place of what they held could grow from step to step. Index: see lane_run.
template <class In, class Out> struct add_leading_channels {
  index_t length;
  In from;
  Out to;

  COLDZOOM_HD void operator()(index_t i) const {
    const lane_run run = lane_run::at(i, to, length);
    const auto* const own = from.data + run.offset(from);
    auto* const sum = to.data + run.offset(to);
    const index_t used = to.dims.c - run.group * Out::lanes;
    if (used >= Out::lanes) {
      for (index_t k = 0; k < run.count * Out::lanes; ++k) sum[k] += own[k];
    } else {
      for (index_t k = 0; k < run.count * Out::lanes; ++k)
        sum[k] = k % Out::lanes < used ? sum[k] + own[k] : 0;
    }
  }
};

/// to = channels c .. c + lanes - 1 of a run of pixels of x; 0 beyond the last channel.
template <class In, class Real>
COLDZOOM_HD void copy_lanes(const In& x, index_t c, const lane_run& run, Real* to) {
  if (c % In::lanes == 0) {  // they lie side by side
    const Real* const from = x.data + x.offset(run.n, c, run.first);
    const index_t used = x.dims.c - c;
    for (index_t k = 0; k < run.count * In::lanes; ++k)
      to[k] = used >= In::lanes || k % In::lanes < used ? from[k] : 0;
    return;
  }
  for (index_t pixel = 0; pixel < run.count; ++pixel) {
    for (index_t lane = 0; lane < In::lanes; ++lane)
      to[pixel * In::lanes + lane] =
          c + lane < x.dims.c ? x.data[x.offset(run.n, c + lane, run.first + pixel)] : 0;
  }
}

/// y = [first, second] along the channels; padding lanes become zero. Index: see lane_run.
template <class In, class Out> struct concatenate_channels {
  index_t length;
  In first, second;
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const lane_run run = lane_run::at(i, y, length);
    const index_t begin = run.group * Out::lanes, split = first.dims.c;
    auto* const to = y.data + run.offset(y);
    if (begin >= split) return copy_lanes(second, begin - split, run, to);
    copy_lanes(first, begin, run, to);
    for (index_t lane = split - begin; lane < Out::lanes && begin + lane < y.dims.c; ++lane) {
      for (index_t pixel = 0; pixel < run.count; ++pixel)
        to[pixel * Out::lanes + lane] =
            second.data[second.offset(run.n, begin + lane - split, run.first + pixel)];
    }
  }
};

/// The channels of x from `begin` on; padding lanes become zero. Index: see lane_run.
template <class In, class Out> struct trailing_channels {
  index_t length;
  In x;
  index_t begin;
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const lane_run run = lane_run::at(i, y, length);
    copy_lanes(x, begin + run.group * Out::lanes, run, y.data + run.offset(y));
  }
};

/// to += the leading channels of `from`.
template <Backend B> void add_channels(B& b, const_activation<B> from, activation<B> to) {
  for_each_run(b, to, 2, [&](index_t length) {
    return add_leading_channels<const_activation<B>, activation<B>>{length, from, to};
  });
}
/// y = [first, second] along the channels.
template <Backend B>
void join_channels(B& b, const_activation<B> first, const_activation<B> second, activation<B> y) {
  for_each_run(b, y, 2, [&](index_t length) {
    return concatenate_channels<const_activation<B>, activation<B>>{length, first, second, y};
  });
}
/// y = the channels of x from `begin` on, as many as y has.
template <Backend B> void take_channels(B& b, const_activation<B> x, index_t begin, activation<B> y) {
  for_each_run(b, y, 2, [&](index_t length) {
    return trailing_channels<const_activation<B>, activation<B>>{length, x, begin, y};
  });
}

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
    detail::add_channels(b, x, y);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const activation<B> kept = ws.dy.view(dy.dims.n);
    if (dx.data) b.copy(dy.data, kept.data, dy.size());
    this->inner.backward(b, parameters, x, side, dy, dx, gradients, ws.inner);
    if (dx.data) detail::add_channels<B>(b, kept, dx);
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
    detail::join_channels<B>(b, x, inner_y, y);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const activation<B> inner_dy = ws.y.view(x.dims.n);
    detail::take_channels<B>(b, dy, x.dims.c, inner_dy);
    this->inner.backward(b, parameters, x, side, inner_dy, dx, gradients, ws.inner);
    if (!dx.data) return;
    detail::add_channels<B>(b, dy, dx);
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
