/// Normalisation and activation on the CPU as an operation of its own.
#pragma once

#include <algorithm>
#include <coldzoom/backend/cpu/norm_activation.hpp>
#include <coldzoom/backend/cpu/thread_pool.hpp>
#include <coldzoom/backend/host_memory.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// A NormalisationOperation of backend/operations.hpp: one task for each image. Not for an affine of the shape
/// `image`, which would have to be packed.
///
/// Each image has a place of its own for statistics and for the gradients of the affine, which are added in the
/// order of the images, so that no result depends on the threads.
template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
class cpu_normalisation {
  static_assert(Affine != generic::normalisation_geometry::affine_shape::image);

 public:
  cpu_normalisation(const generic::normalisation_geometry& g, T eps, index_t capacity, bool train);

  void forward(shared_threads& b, index_t n, const T* x, const T* affine, T* y);
  void backward(shared_threads& b, index_t n, const T* x, const T* affine, T* dy, T* dx, T* gradients);

 private:
  index_t image_size() const { return norm_.lane_groups() * norm_.pixels * native_lanes<T>; }
  T* statistics(index_t image) { return statistics_.data() + image * norm_.statistics_size(); }

  bool train_;
  norm_activation<T, Affine, Activation> norm_;
  host_buffer<T> statistics_;        // [image][norm_.statistics_size()]
  host_buffer<T> x_hat_;             // [image], training only
  host_buffer<T> affine_gradients_;  // [image][2][norm_.affine_size()], training only
};

// Outside the class, so that they are not inline, see cpu_convolution.
template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
cpu_normalisation<T, Affine, Activation>::cpu_normalisation(const generic::normalisation_geometry& g, T eps,
                                                            index_t capacity, bool train)
    : train_(train),
      norm_{g.channels, g.pixels, g.groups, eps, nullptr, nullptr},
      statistics_(capacity * norm_.statistics_size()),
      x_hat_(train ? capacity * image_size() : 0),
      affine_gradients_(train ? capacity * 2 * norm_.affine_size() : 0) {}

template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
void cpu_normalisation<T, Affine, Activation>::forward(shared_threads& b, index_t n, const T* x,
                                                       const T* affine, T* y) {
  norm_.gamma = affine;
  norm_.beta = affine + norm_.affine_size();
  b.pool().run(n, [&](index_t image, int) {
    const T* const from = x + image * image_size();
    T* const to = y + image * image_size();
    if (train_) {
      norm_.forward_image(from, to, statistics(image), x_hat_.data() + image * image_size(), nullptr);
    } else {
      norm_.predict_image(from, to, statistics(image), nullptr);
    }
  });
}

template <class T, generic::normalisation_geometry::affine_shape Affine, class Activation>
void cpu_normalisation<T, Affine, Activation>::backward(shared_threads& b, index_t n, const T*, const T*,
                                                        T* dy, T* dx, T* gradients) {
  const index_t size = norm_.affine_size();
  b.pool().run(n, [&](index_t image, int) {
    T* const own = affine_gradients_.data() + image * 2 * size;
    T* const d = dy + image * image_size();
    std::fill_n(own, 2 * size, T(0));
    norm_.backward_image(x_hat_.data() + image * image_size(), statistics(image), d,
                         dx ? dx + image * image_size() : d, own, own + size, nullptr);
  });
  const auto add = [&](index_t i, int) {
    T total = 0;
    for (index_t image = 0; image < n; ++image) total += affine_gradients_.data()[image * 2 * size + i];
    gradients[i] += total;
  };
  b.pool().run(2 * size, add, 256);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
