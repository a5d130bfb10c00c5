/// The default backend: all CPUs that the process may keep busy, vectors over channels.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/backend/cpu/attention.hpp>
#include <coldzoom/backend/cpu/engine.hpp>
#include <coldzoom/backend/cpu/gemm.hpp>
#include <coldzoom/backend/cpu/normalisation.hpp>
#include <coldzoom/backend/cpu/simd.hpp>
#include <coldzoom/backend/cpu/thread_pool.hpp>
#include <coldzoom/backend/dense_product.hpp>
#include <coldzoom/backend/generic/elementwise.hpp>
#include <coldzoom/backend/host_memory.hpp>
#include <memory>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// The vector form of an activation function.
template <class Function> struct vector_function;
template <> struct vector_function<generic::gelu_function> { using type = vector_gelu; };
template <> struct vector_function<generic::silu_function> { using type = vector_silu; };
template <> struct vector_function<generic::identity_function> { using type = vector_identity; };

}  // namespace detail

/// Real is float, or double for checks. Copies share one thread pool and scratch memory. Results do not
/// depend on the thread count.
template <std::floating_point Real = float> class cpu_backend : public host_memory, public shared_threads {
 public:
  using real_type = Real;
  static constexpr index_t lanes = native_lanes<Real>;

  // Optional members, see backend/operations.hpp.
  using convolution = cpu_convolution<Real>;
  template <generic::normalisation_geometry::affine_shape Affine, class Function>
  using conv_block = cpu_conv_block<Real, Affine, typename detail::vector_function<Function>::type>;

  /// `threads` = 0 takes all available_cpus(). Throws `error` for bf16 with doubles.
  explicit cpu_backend(int threads = 0, cpu_precision precision = cpu_precision::float32)
      : shared_threads(threads),
        precision_(precision),
        scratch_(std::make_shared<typename convolution::scratch_memory>(this->threads())),
        sums_(std::make_shared<std::vector<double>>()) {
    require(precision == cpu_precision::float32 || std::is_same_v<Real, float>, "cpu_backend",
            "the precision is bf16 and the numbers are doubles; bf16 takes floats");
  }
  cpu_precision precision() const { return precision_; }
  /// The same threads and scratch memory, with that precision.
  cpu_backend with(cpu_precision precision) const requires std::same_as<Real, float> {
    cpu_backend other = *this;
    other.precision_ = precision;
    return other;
  }

  /// A convolution whose scratch memory is that of all convolutions of this backend.
  convolution make_convolution(const convolution_geometry& g, index_t capacity, bool train,
                               convolution_algorithm algorithm = convolution_algorithm::automatic) const {
    if (algorithm == convolution_algorithm::automatic) algorithm = convolution::choose(g, precision_);
    return convolution(g, capacity, train, algorithm, scratch_);
  }
  template <generic::normalisation_geometry::affine_shape Affine, class Function>
  conv_block<Affine, Function> make_conv_block(const conv_block_geometry& g, index_t capacity,
                                               bool train) const {
    return {make_convolution(g.convolution, capacity, train), g, capacity, train};
  }

  template <generic::normalisation_geometry::affine_shape Affine, class Function>
    requires(Affine != generic::normalisation_geometry::affine_shape::image &&
             requires { typename detail::vector_function<Function>::type; })
  auto make_normalisation(const generic::normalisation_geometry& g, Real eps, index_t capacity,
                          bool train) const {
    using activation = typename detail::vector_function<Function>::type;
    return cpu_normalisation<Real, Affine, activation>(g, eps, capacity, train);
  }
  cpu_attention<Real> make_attention(const attention_geometry& g, index_t capacity, bool train) const {
    return {g, capacity, train, this->threads()};
  }

  template <class Kernel> void for_each_index(index_t count, Kernel kernel, index_t cost = 1) {
    const index_t grain = std::max<index_t>(1, task_cost / std::max<index_t>(1, cost));
    pool().run((count + grain - 1) / grain, [&](index_t task, int) {
      const index_t last = std::min(count, (task + 1) * grain);
      for (index_t i = task * grain; i < last; ++i) kernel(i);
    });
  }

  /// Partial sums of 4096 elements each, added in order.
  double sum(const Real* values, index_t count) {
    const index_t parts = (count + sum_grain - 1) / sum_grain;
    std::vector<double>& partial = *sums_;  // kept, so that a training step allocates nothing
    partial.resize(static_cast<std::size_t>(parts));
    pool().run(parts, [&](index_t part, int) {
      double total = 0;
      for (index_t i = part * sum_grain; i < std::min(count, (part + 1) * sum_grain); ++i) {
        total += static_cast<double>(values[i]);
      }
      partial[static_cast<std::size_t>(part)] = total;
    });
    double total = 0;
    for (const double p : partial) total += p;
    return total;
  }

  /// y = Function(x): the vector form of generic::apply_function. `count` is a multiple of the lanes.
  template <class Function>
    requires requires { typename detail::vector_function<Function>::type; }
  void apply(const Real* x, Real* y, index_t count) {
    for_each_vector<Function>(count, [=](const auto& f, index_t i) COLDZOOM_INLINE_LAMBDA {
      store<lanes>(y + i, f(load<lanes>(x + i)).value);
    });
  }
  /// dx = dy * Function'(x), likewise.
  template <class Function>
    requires requires { typename detail::vector_function<Function>::type; }
  void apply_slope(const Real* x, const Real* dy, Real* dx, index_t count) {
    for_each_vector<Function>(count, [=](const auto& f, index_t i) COLDZOOM_INLINE_LAMBDA {
      store<lanes>(dx + i, load<lanes>(dy + i) * f(load<lanes>(x + i)).slope);
    });
  }

  /// Tiles of gemm_rows rows x 2 vectors; every element is summed in the order of k whatever tile it falls in.
  void gemm(bool transpose_a, index_t m, index_t n, index_t k, const Real* a, index_t lda, const Real* b,
            index_t ldb, Real* c, index_t ldc, bool accumulate) {
    const index_t step_i = transpose_a ? 1 : lda, step_l = transpose_a ? lda : 1;
    const index_t grain = std::max<index_t>(1, task_cost / std::max<index_t>(1, gemm_rows * n * k));
    pool().run((m + gemm_rows - 1) / gemm_rows,
               [&](index_t task, int) {
                 const index_t i = task * gemm_rows;
                 gemm_of_one_thread(std::min(gemm_rows, m - i), n, k, a + i * step_i, step_i, step_l, b, ldb,
                                    c + i * ldc, ldc, accumulate);
               },
               grain);
  }

  /// As MultipliesMatrices asks.
  template <class Product> void for_each_product(index_t count, Product product, index_t cost) {
    for_each_index(
        count,
        [&product](index_t i) {
          const dense_product p = product(i);
          gemm_of_one_thread(p.m, p.n, p.k, p.a, p.step_i, p.step_l, p.b, p.ldb, p.c, p.ldc, false);
        },
        cost / (2 * native_lanes<float>));
  }

 private:
  template <class Function, class Body> void for_each_vector(index_t count, Body body) {
    constexpr index_t grain = 4096;
    pool().run((count + grain - 1) / grain, [&](index_t task, int) {
      const typename detail::vector_function<Function>::type::template on<Real, lanes> f;
      const index_t last = std::min(count, (task + 1) * grain);
      for (index_t i = task * grain; i < last; i += lanes) body(f, i);
    });
  }

  static constexpr index_t task_cost = 32768;  // operations worth handing to a thread: about 10 us
  static constexpr index_t sum_grain = 4096;

  cpu_precision precision_;
  std::shared_ptr<typename convolution::scratch_memory> scratch_;
  std::shared_ptr<std::vector<double>> sums_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
