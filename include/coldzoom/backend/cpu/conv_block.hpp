/// Convolution, normalisation and activation on the CPU: norm and activation run in the convolution's own
/// tasks, while the image is in the cache.
#pragma once

#include <algorithm>
#include <coldzoom/backend/conv_block_geometry.hpp>
#include <coldzoom/backend/cpu/convolution.hpp>
#include <coldzoom/backend/cpu/norm_activation.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// A ConvBlockOperation of backend/operations.hpp. Images pass from block to block one by one, in the task
/// that completes them, where the block that takes them transforms them.
///
/// Each image has a place of its own for statistics and for the gradients of the affine, which
/// `reduce_gradients` adds up in the order of the places, so that no result depends on the threads.
template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
class cpu_conv_block {
 public:
  using convolution = cpu_convolution<T>;
  using input_port = image_callback<T>;
  using gradient_port = image_callback<T>;

  cpu_conv_block(convolution c, const conv_block_geometry& g, index_t capacity, bool train);

  void pack_weights(shared_threads& b, const T* parameters);
  void forward(shared_threads& b, index_t n, const T* x, T* addend, T* y, input_port next = {});
  void backward(shared_threads& b, index_t n, const T* x, T* dy, T* dx, T* gradients,
                gradient_port next = {});
  void reduce_gradients(shared_threads& b, T* gradients);

  bool hands_output() const { return true; }
  bool hands_gradient() const { return true; }
  input_port input();
  gradient_port gradient();

 private:
  using norm_type = norm_activation<T, Affine, Activation>;
  static constexpr index_t L = native_lanes<T>;
  static constexpr bool blocked_affine = Affine == generic::normalisation_geometry::affine_shape::image;

  /// The place that `norm_` wants for element i of an affine, which is dense (C, H, W) in the parameters.
  index_t affine_at(index_t i) const {
    if constexpr (!blocked_affine) return i;
    const index_t c = i / norm_.pixels, pixel = i % norm_.pixels;
    return (c / L * norm_.pixels + pixel) * L + c % L;
  }
  T* statistics(index_t image) { return statistics_.data() + image * norm_.statistics_size(); }
  T* x_hat(index_t image) { return x_hat_.data() + image * norm_.lane_groups() * norm_.pixels * L; }
  T* addend(index_t image) const { return addend_ ? addend_ + image * norm_.lane_groups() * L : nullptr; }
  /// dy of one image becomes the gradient of the convolution's output.
  void backward_image(index_t image, T* dy);

  conv_block_geometry g_;
  bool train_;
  convolution convolution_;
  norm_type norm_;
  host_buffer<T> affine_;            // [2][norm_.affine_size()]
  host_buffer<T> statistics_;        // [image][norm_.statistics_size()]
  host_buffer<T> x_hat_;             // [image], training only
  host_buffer<T> affine_gradients_;  // [image][2][norm_.affine_size()], training only
  T* addend_ = nullptr;
};

// Outside the class, so that they are not inline, see cpu_convolution.
template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
cpu_conv_block<T, Affine, Activation>::cpu_conv_block(convolution c, const conv_block_geometry& g,
                                                      index_t capacity, bool train)
    : g_(g),
      train_(train),
      convolution_(std::move(c)),
      norm_{g.norm.channels, g.norm.pixels, g.norm.groups, static_cast<T>(g.eps), nullptr, nullptr} {
  if (g.plain) return;
  const index_t size = norm_.affine_size();
  affine_ = host_buffer<T>(2 * size);
  statistics_ = host_buffer<T>(capacity * norm_.statistics_size());
  if (!train) return;
  x_hat_ = host_buffer<T>(capacity * norm_.lane_groups() * norm_.pixels * L);
  affine_gradients_ = host_buffer<T>(capacity * 2 * size);
}

template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
void cpu_conv_block<T, Affine, Activation>::pack_weights(shared_threads& b, const T* parameters) {
  convolution_.pack_weights(b, parameters, parameters + g_.bias());
  if (g_.plain) return;
  const index_t size = norm_.affine_size(), dense = g_.norm.affine_size();
  for (index_t part = 0; part < 2; ++part) {
    const T* from = parameters + g_.affine() + part * dense;
    T* to = affine_.data() + part * size;
    for (index_t i = 0; i < dense; ++i) to[affine_at(i)] = from[i];
  }
  norm_.gamma = affine_.data();
  norm_.beta = affine_.data() + size;
}

template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
void cpu_conv_block<T, Affine, Activation>::forward(shared_threads& b, index_t n, const T* x, T* addend, T* y,
                                                    input_port next) {
  addend_ = addend;
  if (g_.plain) return convolution_.forward(b, n, x, y, next);
  const auto epilogue = [&](index_t image, T* z) {
    if (train_) {
      norm_.forward_image(z, z, statistics(image), x_hat(image), this->addend(image));
    } else {
      norm_.predict_image(z, z, statistics(image), this->addend(image));
    }
    next(image, z);
  };
  convolution_.forward(b, n, x, y, epilogue);
}

template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
void cpu_conv_block<T, Affine, Activation>::backward(shared_threads& b, index_t n, const T* x, T* dy, T* dx,
                                                     T*, gradient_port next) {
  if (g_.plain) return convolution_.backward_images(b, n, x, dy, dx, {}, next);
  const auto prologue = [&](index_t image, T* d) { backward_image(image, d); };
  convolution_.backward_images(b, n, x, dy, dx, prologue, next);
}

template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
void cpu_conv_block<T, Affine, Activation>::reduce_gradients(shared_threads& b, T* gradients) {
  convolution_.reduce_gradients(b, gradients, gradients + g_.bias());
  if (g_.plain) return;
  const index_t size = norm_.affine_size(), dense = g_.norm.affine_size();
  const index_t places = affine_gradients_.size() / (2 * size);
  const auto add = [&](index_t i, int) {
    const index_t part = i / dense, at = affine_at(i % dense);
    T total = 0;
    for (index_t place = 0; place < places; ++place)
      total += affine_gradients_.data()[(place * 2 + part) * size + at];
    gradients[g_.affine() + i] += total;
  };
  b.pool().run(2 * dense, add, 256);
  std::fill_n(affine_gradients_.data(), affine_gradients_.size(), T(0));
}

template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
auto cpu_conv_block<T, Affine, Activation>::input() -> input_port {
  if (!convolution_.takes_images()) return {};
  constexpr auto take = [](cpu_conv_block& to, index_t image, T* x) { to.convolution_.take_input(image, x); };
  return input_port::template bind<take>(*this);
}

template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
auto cpu_conv_block<T, Affine, Activation>::gradient() -> gradient_port {
  if (!convolution_.takes_images()) return {};
  constexpr auto take = [](cpu_conv_block& to, index_t image, T* dy) {
    if (!to.g_.plain) to.backward_image(image, dy);
    to.convolution_.take_gradient(image, dy);
  };
  return gradient_port::template bind<take>(*this);
}

template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
void cpu_conv_block<T, Affine, Activation>::backward_image(index_t image, T* dy) {
  const index_t size = norm_.affine_size();
  T* const gradients = affine_gradients_.data() + image * 2 * size;
  norm_.backward_image(x_hat(image), statistics(image), dy, dy, gradients, gradients + size, addend(image));
}

}  // namespace coldzoom::inline COLDZOOM_ISA
