/// The convolution of the CPU backend: the cheaper of two algorithms.
#pragma once

#include <coldzoom/backend/cpu/direct_convolution.hpp>
#include <coldzoom/backend/cpu/fft_convolution.hpp>
#include <coldzoom/backend/image_callback.hpp>
#include <memory>
#include <utility>
#include <variant>

namespace coldzoom::inline COLDZOOM_ISA {

/// One convolution layer on the CPU: its weights in the form its algorithm wants, scratch memory, gradient
/// sums. The members are those of direct_convolution and fft_convolution.
///
/// They are the larger part of what a program compiles. Where several units use them, compile them once:
/// `template class coldzoom::cpu_convolution<float>;` in one unit, the same behind `extern` in the others.
template <class T> class cpu_convolution {
 public:
  using scratch_memory = convolution_scratch<T>;

  /// For up to `capacity` images a call. Throws `error` where `algorithm` is forced and cannot do the
  /// geometry. Objects that are called one after another may share `scratch`.
  cpu_convolution(const convolution_geometry& g, index_t capacity, bool train,
                  convolution_algorithm algorithm = convolution_algorithm::automatic,
                  std::shared_ptr<scratch_memory> scratch = std::make_shared<scratch_memory>());

  static convolution_algorithm choose(const convolution_geometry& g);
  convolution_algorithm algorithm() const {
    return std::holds_alternative<fft_convolution<T>>(held_) ? convolution_algorithm::fft
                                                             : convolution_algorithm::direct;
  }

  index_t capacity() const;
  index_t bytes() const;
  void pack_weights(thread_pool& pool, const T* weights, const T* bias);
  void forward(thread_pool& pool, index_t n, const T* x, T* y, image_callback<T> epilogue);
  void backward(thread_pool& pool, index_t n, const T* x, T* dy, T* dx, bool wanted,
                image_callback<T> prologue, image_callback<T> epilogue);

  /// Whether x and dy may be handed over image by image, before `forward` and `backward` with null for them.
  bool takes_images() const { return algorithm() == convolution_algorithm::fft; }
  /// Only where takes_images().
  void take_input(index_t image, const T* x);
  void take_gradient(index_t image, const T* dy);

  void reduce_gradients(thread_pool& pool, T* dw, T* db);

 private:
  using alternatives = std::variant<direct_convolution<T>, fft_convolution<T>>;

  static alternatives make(const convolution_geometry& g, index_t capacity, bool train,
                           convolution_algorithm algorithm, std::shared_ptr<scratch_memory> scratch);

  alternatives held_;
};

// Outside the class, so that they are not inline: compilers instantiate inline members in every unit,
// whatever is declared extern.
template <class T>
cpu_convolution<T>::cpu_convolution(const convolution_geometry& g, index_t capacity, bool train,
                                    convolution_algorithm algorithm, std::shared_ptr<scratch_memory> scratch)
    : held_(make(g, capacity, train, algorithm, std::move(scratch))) {}

template <class T> convolution_algorithm cpu_convolution<T>::choose(const convolution_geometry& g) {
  const bool fft =
      fft_convolution<T>::supports(g) && fft_convolution<T>::cost(g) < direct_convolution<T>::cost(g);
  return fft ? convolution_algorithm::fft : convolution_algorithm::direct;
}

template <class T> index_t cpu_convolution<T>::capacity() const {
  return std::visit([](const auto& c) { return c.capacity(); }, held_);
}
template <class T> index_t cpu_convolution<T>::bytes() const {
  return std::visit([](const auto& c) { return c.bytes(); }, held_);
}

template <class T> void cpu_convolution<T>::pack_weights(thread_pool& pool, const T* weights, const T* bias) {
  std::visit([&](auto& c) { c.pack_weights(pool, weights, bias); }, held_);
}

template <class T>
void cpu_convolution<T>::forward(thread_pool& pool, index_t n, const T* x, T* y, image_callback<T> epilogue) {
  std::visit([&](auto& c) { c.forward(pool, n, x, y, epilogue); }, held_);
}

template <class T>
void cpu_convolution<T>::backward(thread_pool& pool, index_t n, const T* x, T* dy, T* dx, bool wanted,
                                  image_callback<T> prologue, image_callback<T> epilogue) {
  std::visit([&](auto& c) { c.backward(pool, n, x, dy, dx, wanted, prologue, epilogue); }, held_);
}

template <class T> void cpu_convolution<T>::take_input(index_t image, const T* x) {
  std::get<fft_convolution<T>>(held_).take_input(image, x);
}
template <class T> void cpu_convolution<T>::take_gradient(index_t image, const T* dy) {
  std::get<fft_convolution<T>>(held_).take_gradient(image, dy);
}

template <class T> void cpu_convolution<T>::reduce_gradients(thread_pool& pool, T* dw, T* db) {
  std::visit([&](auto& c) { c.reduce_gradients(pool, dw, db); }, held_);
}

template <class T>
auto cpu_convolution<T>::make(const convolution_geometry& g, index_t capacity, bool train,
                              convolution_algorithm algorithm, std::shared_ptr<scratch_memory> scratch)
    -> alternatives {
  if (algorithm == convolution_algorithm::automatic) algorithm = choose(g);
  if (algorithm == convolution_algorithm::fft) {
    return alternatives(std::in_place_type<fft_convolution<T>>, g, capacity, train, std::move(scratch));
  }
  return alternatives(std::in_place_type<direct_convolution<T>>, g, capacity, train, std::move(scratch));
}

}  // namespace coldzoom::inline COLDZOOM_ISA
