/// The convolution of the CPU backend: the cheapest of its algorithms.
#pragma once

#include <coldzoom/backend/cpu/bf16_convolution.hpp>
#include <coldzoom/backend/cpu/direct_convolution.hpp>
#include <coldzoom/backend/cpu/transformed_convolution.hpp>
#include <coldzoom/backend/image_callback.hpp>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

namespace coldzoom::inline COLDZOOM_ISA {

/// The factors that convolutions of floats may multiply: floats, or floats rounded to bfloat16 (8 bits) where
/// that is faster. Sums, weights and all else stay float.
enum class cpu_precision { float32, bf16 };

/// One convolution layer on the CPU: its weights in the form its algorithm wants, scratch memory, gradient
/// sums. It is a ConvolutionOperation of backend/operations.hpp, and its passes may run further work in their
/// tasks.
///
/// They take most of the compile time of a program; coldzoom::engine holds them compiled, see engine.hpp.
template <class T> class cpu_convolution {
 public:
  using scratch_memory = convolution_scratch<T>;

  /// For up to `capacity` images a call. Throws `error` where `algorithm` is forced and cannot do the
  /// geometry. Objects that are called one after another may share `scratch`.
  cpu_convolution(const convolution_geometry& g, index_t capacity, bool train,
                  convolution_algorithm algorithm = convolution_algorithm::automatic,
                  std::shared_ptr<scratch_memory> scratch = std::make_shared<scratch_memory>());

  /// The cheapest algorithm.
  static convolution_algorithm choose(const convolution_geometry& g,
                                      cpu_precision precision = cpu_precision::float32);
  convolution_algorithm algorithm() const { return algorithm_; }

  index_t capacity() const;
  index_t bytes() const;

  void pack_weights(shared_threads& b, const T* weights, const T* bias);
  /// `epilogue(image, y of it)` runs in the task of a complete image; where there is one, y may be null.
  void forward(shared_threads& b, index_t n, const T* x, T* y, image_callback<T> epilogue = {});
  /// Adds to sums inside.
  void backward(shared_threads& b, index_t n, const T* x, T* dy, T* dx, T* dw, T* db);
  /// The same with `prologue(image, dy of it)` before dy of an image is read, and `epilogue(image, dx of it)`
  /// when dx of it is complete; with an epilogue, dx may be null.
  void backward_images(shared_threads& b, index_t n, const T* x, T* dy, T* dx, image_callback<T> prologue,
                       image_callback<T> epilogue);

  /// Whether x and dy may be handed over image by image, before `forward` and `backward` with null for them.
  bool takes_images() const { return algorithm_ == convolution_algorithm::transformed; }
  /// Only where takes_images().
  void take_input(index_t image, const T* x);
  void take_gradient(index_t image, const T* dy);

  void reduce_gradients(shared_threads& b, T* dw, T* db);

 private:
  static constexpr bool rounds = std::is_same_v<T, float>;
  using alternatives =
      std::conditional_t<rounds,
                         std::variant<direct_convolution<T>, transformed_convolution<T>, bf16_convolution>,
                         std::variant<direct_convolution<T>, transformed_convolution<T>>>;

  static alternatives make(const convolution_geometry& g, index_t capacity, bool train,
                           convolution_algorithm algorithm, std::shared_ptr<scratch_memory> scratch);

  convolution_algorithm algorithm_;
  alternatives held_;
};

// Outside the class, so that they are not inline: compilers instantiate inline members in every unit,
// whatever is declared extern.
template <class T>
cpu_convolution<T>::cpu_convolution(const convolution_geometry& g, index_t capacity, bool train,
                                    convolution_algorithm algorithm, std::shared_ptr<scratch_memory> scratch)
    : algorithm_(algorithm == convolution_algorithm::automatic ? choose(g) : algorithm),
      held_(make(g, capacity, train, algorithm_, std::move(scratch))) {}

template <class T>
convolution_algorithm cpu_convolution<T>::choose(const convolution_geometry& g, cpu_precision precision) {
  const double direct = direct_convolution<T>::cost(g), transformed = transformed_convolution<T>::cost(g);
  if (rounds && precision == cpu_precision::bf16 && bf16_convolution::cost(g) < std::min(direct, transformed))
    return convolution_algorithm::bf16;
  return transformed < direct ? convolution_algorithm::transformed : convolution_algorithm::direct;
}

template <class T> index_t cpu_convolution<T>::capacity() const {
  return std::visit([](const auto& c) { return c.capacity(); }, held_);
}
template <class T> index_t cpu_convolution<T>::bytes() const {
  return std::visit([](const auto& c) { return c.bytes(); }, held_);
}

template <class T> void cpu_convolution<T>::pack_weights(shared_threads& b, const T* weights, const T* bias) {
  std::visit([&](auto& c) { c.pack_weights(b.pool(), weights, bias); }, held_);
}

template <class T>
void cpu_convolution<T>::forward(shared_threads& b, index_t n, const T* x, T* y, image_callback<T> epilogue) {
  std::visit([&](auto& c) { c.forward(b.pool(), n, x, y, epilogue); }, held_);
}

template <class T>
void cpu_convolution<T>::backward(shared_threads& b, index_t n, const T* x, T* dy, T* dx, T*, T*) {
  backward_images(b, n, x, dy, dx, {}, {});
}
template <class T>
void cpu_convolution<T>::backward_images(shared_threads& b, index_t n, const T* x, T* dy, T* dx,
                                         image_callback<T> prologue, image_callback<T> epilogue) {
  const bool wanted = dx || epilogue;
  std::visit([&](auto& c) { c.backward(b.pool(), n, x, dy, dx, wanted, prologue, epilogue); }, held_);
}

template <class T> void cpu_convolution<T>::take_input(index_t image, const T* x) {
  std::get<transformed_convolution<T>>(held_).take_input(image, x);
}
template <class T> void cpu_convolution<T>::take_gradient(index_t image, const T* dy) {
  std::get<transformed_convolution<T>>(held_).take_gradient(image, dy);
}

template <class T> void cpu_convolution<T>::reduce_gradients(shared_threads& b, T* dw, T* db) {
  std::visit([&](auto& c) { c.reduce_gradients(b.pool(), dw, db); }, held_);
}

template <class T>
auto cpu_convolution<T>::make(const convolution_geometry& g, index_t capacity, bool train,
                              convolution_algorithm algorithm, std::shared_ptr<scratch_memory> scratch)
    -> alternatives {
  if (algorithm == convolution_algorithm::bf16) {
    require(rounds, "cpu_convolution", "the algorithm is bf16, which is for floats; the numbers are doubles");
    if constexpr (rounds) {
      return alternatives(std::in_place_type<bf16_convolution>, g, capacity, train, std::move(scratch));
    }
  }
  if (algorithm == convolution_algorithm::transformed) {
    return alternatives(std::in_place_type<transformed_convolution<T>>, g, capacity, train,
                        std::move(scratch));
  }
  return alternatives(std::in_place_type<direct_convolution<T>>, g, capacity, train, std::move(scratch));
}

}  // namespace coldzoom::inline COLDZOOM_ISA
