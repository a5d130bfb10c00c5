/// Pooling: every window of the picture becomes one pixel.
#pragma once

#include <coldzoom/nn/layer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Where window i = [n][lane group][p][q] of an in_h x in_w picture begins, in pixels of all its lanes.
COLDZOOM_HD constexpr index_t window_begin(index_t i, index_t h, index_t w, index_t in_h, index_t in_w) {
  const index_t out_h = in_h / h, out_w = in_w / w;
  const index_t q = i % out_w, p = i / out_w % out_h, plane = i / (out_w * out_h);
  return (plane * in_h + p * h) * in_w + q * w;
}

/// to = scale * sum over each h x w window of from. Index: [n][lane group][p][q] of `to`, all its lanes.
template <class In, class Out, class Real> struct window_sum {
  In from;
  Out to;
  index_t h, w;
  Real scale;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t begin = window_begin(i, h, w, from.dims.h, from.dims.w);
    Real total[Out::lanes] = {};  // the lanes innermost: one vector
    for (index_t a = 0; a < h; ++a) {
      for (index_t b = 0; b < w; ++b) {
        const Real* pixel = from.data + (begin + a * from.dims.w + b) * Out::lanes;
        for (index_t lane = 0; lane < Out::lanes; ++lane) total[lane] += pixel[lane];
      }
    }
    for (index_t lane = 0; lane < Out::lanes; ++lane) to.data[i * Out::lanes + lane] = scale * total[lane];
  }
};

/// Every pixel of an h x w window of `to` = scale * the window's pixel of `from`; the transpose of
/// window_sum. Index: [n][lane group][p][q] of `from`, all its lanes.
template <class In, class Out, class Real> struct window_spread {
  In from;
  Out to;
  index_t h, w;
  Real scale;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t begin = window_begin(i, h, w, to.dims.h, to.dims.w);
    for (index_t a = 0; a < h; ++a) {
      for (index_t b = 0; b < w; ++b) {
        for (index_t lane = 0; lane < Out::lanes; ++lane) {
          to.data[(begin + a * to.dims.w + b) * Out::lanes + lane] = scale * from.data[i * Out::lanes + lane];
        }
      }
    }
  }
};

/// The offset of the largest element of a window in one lane; the first in row order where several are equal.
template <class In>
COLDZOOM_HD index_t window_argmax(const In& x, index_t begin, index_t h, index_t w, index_t lane) {
  index_t best = begin * In::lanes + lane;
  for (index_t a = 0; a < h; ++a) {
    for (index_t b = 0; b < w; ++b) {
      const index_t at = (begin + a * x.dims.w + b) * In::lanes + lane;
      if (x.data[at] > x.data[best]) best = at;
    }
  }
  return best;
}

/// y = the largest of each h x w window of x. Index: [n][lane group][p][q] of y, all its lanes.
template <class In, class Out> struct window_max {
  In x;
  Out y;
  index_t h, w;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t begin = window_begin(i, h, w, x.dims.h, x.dims.w);
    for (index_t lane = 0; lane < Out::lanes; ++lane)
      y.data[i * Out::lanes + lane] = x.data[window_argmax(x, begin, h, w, lane)];
  }
};

/// dx = dy where x is the largest of its window, 0 elsewhere. Index: [n][lane group][p][q] of dy, all its
/// lanes.
template <class In, class Out> struct window_max_backward {
  In x, dy;
  Out dx;
  index_t h, w;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t begin = window_begin(i, h, w, x.dims.h, x.dims.w);
    for (index_t lane = 0; lane < Out::lanes; ++lane) {
      const index_t best = window_argmax(x, begin, h, w, lane);
      for (index_t a = 0; a < h; ++a) {
        for (index_t b = 0; b < w; ++b) {
          const index_t at = (begin + a * x.dims.w + b) * Out::lanes + lane;
          dx.data[at] = at == best ? dy.data[i * Out::lanes + lane] : 0;
        }
      }
    }
  }
};

/// The common members of the pooling layers: windows of h x w pixels side by side, which must fill the
/// picture.
struct pooling_windows : plain_layer {
  index_t h, w;

  pooling_windows(index_t height, index_t width, const char* name) : h(height), w(width), name_(name) {
    require(h > 0 && w > 0, name_, [&] {
      return "the window is " + std::to_string(h) + " x " + std::to_string(w) + "; it must be at least 1 x 1";
    });
  }
  shape output_shape(shape in) const {
    require(in.h > 0 && in.w > 0 && in.h % h == 0 && in.w % w == 0, name_, [&] {
      return "the input " + to_string(in) + " does not divide into windows of " + std::to_string(h) + " x " +
             std::to_string(w);
    });
    return {in.n, in.c, in.h / h, in.w / w};
  }

 private:
  const char* name_;
};

}  // namespace detail

/// y = mean of each h x w window: (N, C, H, W) -> (N, C, H / h, W / w); h and w must divide H and W.
/// PyTorch's AvgPool2d((h, w)). The whole picture as one window is global average pooling.
struct average_pool : detail::pooling_windows {
  explicit average_pool(index_t size) : average_pool(size, size) {}
  average_pool(index_t height, index_t width) : detail::pooling_windows(height, width, "average_pool") {}

  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               workspace<B>&) const {
    using kernel = detail::window_sum<const_activation<B>, activation<B>, real_t<B>>;
    b.for_each_index(y.size() / B::lanes, kernel{x, y, h, w, weight<B>()}, h * w * B::lanes);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B>, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>*, workspace<B>&) const {
    if (!dx.data) return;
    using kernel = detail::window_spread<const_activation<B>, activation<B>, real_t<B>>;
    b.for_each_index(dy.size() / B::lanes, kernel{dy, dx, h, w, weight<B>()}, h * w * B::lanes);
  }

 private:
  template <Backend B> real_t<B> weight() const { return real_t<B>(1) / static_cast<real_t<B>>(h * w); }
};

/// y = largest of each h x w window: (N, C, H, W) -> (N, C, H / h, W / w); h and w must divide H and W.
/// PyTorch's MaxPool2d((h, w)). The gradient goes to the first of equal elements, in row order.
struct max_pool : detail::pooling_windows {
  explicit max_pool(index_t size) : max_pool(size, size) {}
  max_pool(index_t height, index_t width) : detail::pooling_windows(height, width, "max_pool") {}

  template <Backend B>
  void forward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> y,
               workspace<B>&) const {
    using kernel = detail::window_max<const_activation<B>, activation<B>>;
    b.for_each_index(y.size() / B::lanes, kernel{x, y, h, w}, h * w * B::lanes);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>*, const_activation<B> x, const side_inputs<B>&, activation<B> dy,
                activation<B> dx, real_t<B>*, workspace<B>&) const {
    if (!dx.data) return;
    using kernel = detail::window_max_backward<const_activation<B>, activation<B>>;
    b.for_each_index(dy.size() / B::lanes, kernel{x, dy, dx, h, w}, 2 * h * w * B::lanes);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
