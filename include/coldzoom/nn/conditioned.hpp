/// Layers that apply a condition by themselves: addition, and scale and shift.
#pragma once

#include <coldzoom/nn/combine.hpp>
#include <coldzoom/nn/embedding.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// y = x + e, e one number a channel and image. Index: see lane_run.
template <class In, class Out> struct add_lane_numbers {
  index_t length;
  In x, e;
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const lane_run run = lane_run::at(i, y, length);
    const auto* const from = x.data + run.offset(x);
    const auto* const shift = e.data + e.offset(run.n, run.group * Out::lanes, 0);
    auto* const to = y.data + run.offset(y);
    for (index_t pixel = 0; pixel < run.count; ++pixel) {
      for (index_t lane = 0; lane < Out::lanes; ++lane)
        to[pixel * Out::lanes + lane] = from[pixel * Out::lanes + lane] + shift[lane];
    }
  }
};

/// de[n, c] = sum of dy over the pixels in their order. Index: [n][lane group].
template <class In, class Out> struct sum_lane_pixels {
  In dy;
  Out de;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto* const from = dy.data + i * dy.dims.pixels() * In::lanes;
    typename Out::value_type total[In::lanes] = {};
    for (index_t pixel = 0; pixel < dy.dims.pixels(); ++pixel) {
      for (index_t lane = 0; lane < In::lanes; ++lane) total[lane] += from[pixel * In::lanes + lane];
    }
    for (index_t lane = 0; lane < In::lanes; ++lane) de.data[i * In::lanes + lane] = total[lane];
  }
};

/// y = x (1 + scale) + shift, scale and shift one number a channel and image: channels c and C + c of `film`.
/// Index: element of y.
template <class In, class Out> struct film_forward {
  In x, film;
  Out y;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / y.image_size(), c = y.channel(i);
    y.data[i] = c < y.dims.c ? x.data[i] * (1 + film.data[film.offset(n, c, 0)]) +
                                   film.data[film.offset(n, y.dims.c + c, 0)]
                             : 0;
  }
};

/// d film[n, c] = sum of dy x, d film[n, C + c] = sum of dy, over the pixels in their order. Index: [n][c].
template <class In, class Out> struct film_backward_numbers {
  In x, dy;
  Out d_film;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / x.dims.c, c = i % x.dims.c;
    typename Out::value_type scale = 0, shift = 0;
    for (index_t pixel = 0; pixel < x.dims.pixels(); ++pixel) {
      const auto d = dy.data[dy.offset(n, c, pixel)];
      scale += d * x.data[x.offset(n, c, pixel)];
      shift += d;
    }
    d_film.data[d_film.offset(n, c, 0)] = scale;
    d_film.data[d_film.offset(n, x.dims.c + c, 0)] = shift;
  }
};

/// dx = dy (1 + scale). Index: element.
template <class In, class Out> struct film_backward_image {
  In dy, film;
  Out dx;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t n = i / dx.image_size(), c = dx.channel(i);
    dx.data[i] = c < dx.dims.c ? dy.data[i] * (1 + film.data[film.offset(n, c, 0)]) : 0;
  }
};

}  // namespace detail

/// y = x + condition(side), one number per image and channel, as a layer of its own: for places where it does
/// not stand behind a conv_block.
template <class C> struct condition_addition {
  C condition;
  index_t c;

  condition_addition(C of, index_t channels) : condition(std::move(of)), c(channels) {}

  shape output_shape(shape in) const {
    require(in.c == c, "condition_addition", [&] {
      return "the input has " + std::to_string(in.c) + " channels, the condition " + std::to_string(c);
    });
    return in;
  }
  void describe(parameter_list& list, const std::string& prefix) const { condition.describe(list, prefix); }

  template <Backend B> struct workspace {
    typename C::template workspace<B> condition;
    activation_buffer<B> e;  // of the condition; in the backward pass its gradient
  };
  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    output_shape(in);  // checks
    return {condition.make_workspace(b, in.n, mode), {b, {in.n, c, 1, 1}}};
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    condition.pack_weights(b, parameters, ws.condition);
  }
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    const activation<B> e = ws.e.view(x.dims.n);
    condition.forward(b, parameters, side, e, ws.condition);
    detail::for_each_run(b, y, 1, [&](index_t length) {
      return detail::add_lane_numbers<const_activation<B>, activation<B>>{length, x, e, y};
    });
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const activation<B> e = ws.e.view(x.dims.n);
    b.for_each_index(x.dims.n * dy.lane_groups(),
                     detail::sum_lane_pixels<activation<B>, activation<B>>{dy, e},
                     dy.dims.pixels() * B::lanes);
    if (dx.data) b.copy(dy.data, dx.data, dy.size());
    condition.backward(b, parameters, side, e, gradients, ws.condition);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    condition.reduce_gradients(b, gradients, ws.condition);
  }
};

/// y = x (1 + s) + t with s and t of the embedding, one of each a channel: feature-wise linear modulation
/// (Perez et al. 2018). A layer of its own, to stand behind a norm or a block.
struct film {
  embedding_addition numbers;
  index_t c;

  film(index_t width, index_t channels) : numbers(width, 2 * channels), c(channels) {}

  shape output_shape(shape in) const {
    require(in.c == c, "film", [&] {
      return "the input has " + std::to_string(in.c) + " channels, the modulation " + std::to_string(c);
    });
    return in;
  }
  void describe(parameter_list& list, const std::string& prefix) const { numbers.describe(list, prefix); }

  template <Backend B> struct workspace {
    embedding_addition::workspace<B> numbers;
    activation_buffer<B> film, d_film;
  };
  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    output_shape(in);  // checks
    const shape two{in.n, 2 * c, 1, 1};
    return {numbers.make_workspace(b, in.n, mode), {b, two}, {b, two.with_n(mode == pass::train ? in.n : 0)}};
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    numbers.pack_weights(b, parameters, ws.numbers);
  }
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    const activation<B> two = ws.film.view(x.dims.n);
    numbers.forward(b, parameters, side, two, ws.numbers);
    using kernel = detail::film_forward<const_activation<B>, activation<B>>;
    b.for_each_index(y.size(), kernel{x, two, y}, 8);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    const index_t n = x.dims.n;
    const activation<B> d_two = ws.d_film.view(n);
    using numbers_kernel = detail::film_backward_numbers<const_activation<B>, activation<B>>;
    b.for_each_index(n * c, numbers_kernel{x, dy, d_two}, 4 * x.dims.pixels());
    if (dx.data) {
      using image_kernel = detail::film_backward_image<const_activation<B>, activation<B>>;
      b.for_each_index(dx.size(), image_kernel{dy, ws.film.view(n), dx}, 8);
    }
    numbers.backward(b, parameters, side, d_two, gradients, ws.numbers);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    numbers.reduce_gradients(b, gradients, ws.numbers);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
