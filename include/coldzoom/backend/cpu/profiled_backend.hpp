/// A CPU backend with a clock in each of its operations: where the time of a network goes.
#pragma once

#include <chrono>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// One row of a profile: all operations of one kind and geometry, in the order in which they were made.
struct profiled_operation {
  std::string name;
  std::optional<convolution_geometry> convolution{};  // of convolutions, alone or in a block
  convolution_algorithm algorithm = convolution_algorithm::automatic;
  /// Seconds of wall clock of the passes; what has no passes counts as forward.
  double pack_weights = 0, forward = 0, backward = 0, reduce_gradients = 0;
  index_t images = 0;  // that went forward

  double seconds() const { return pack_weights + forward + backward + reduce_gradients; }
};

namespace detail {

using profile = std::vector<std::unique_ptr<profiled_operation>>;

/// Adds the seconds of f() to a sum.
template <class F> decltype(auto) clocked(double& seconds, F&& f) {
  struct clock {
    double& sum;
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    ~clock() { sum += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }
  } const running{seconds};
  return f();
}

/// The operation `Op`, its passes clocked. Its other members, such as ports between blocks, are those of `Op`.
template <class Op> class clocked_operation : public Op {
 public:
  clocked_operation(Op op, profiled_operation& row) : Op(std::move(op)), row_(&row) {}

  template <class B, class... Args> void pack_weights(B& b, Args... args) {
    clocked(row_->pack_weights, [&] { Op::pack_weights(b, args...); });
  }
  template <class B, class... Args> void forward(B& b, index_t n, Args... args) {
    clocked(row_->forward, [&] { Op::forward(b, n, args...); });
    row_->images += n;
  }
  template <class B, class... Args> void backward(B& b, index_t n, Args... args) {
    clocked(row_->backward, [&] { Op::backward(b, n, args...); });
  }
  template <class B, class... Args> void reduce_gradients(B& b, Args... args) {
    clocked(row_->reduce_gradients, [&] { Op::reduce_gradients(b, args...); });
  }

 private:
  profiled_operation* row_;
};

}  // namespace detail

/// Computes what cpu_backend computes, to the same bits. Times of operations do not overlap. In a chain of
/// blocks an operation transforms its images for the next one, so that work stands in its own row. Copies share
/// the profile. One caller at a time, and operations must not outlive the backends.
template <std::floating_point Real = float> class profiled_backend : public cpu_backend<Real> {
  using base = cpu_backend<Real>;
  using affine_shape = generic::normalisation_geometry::affine_shape;

 public:
  using convolution = detail::clocked_operation<cpu_convolution<Real>>;
  template <affine_shape Affine, class Function>
  class conv_block : public detail::clocked_operation<typename base::template conv_block<Affine, Function>> {
   public:
    using convolution = profiled_backend::convolution;
    using detail::clocked_operation<typename base::template conv_block<Affine, Function>>::clocked_operation;
  };

  explicit profiled_backend(base of = base()) : base(std::move(of)) {}

  /// The rows so far, with operations that took no time yet.
  std::vector<profiled_operation> rows() const {
    std::vector<profiled_operation> found;
    for (const auto& row : *profile_) found.push_back(*row);
    return found;
  }
  /// Sets all times and counts to zero.
  void restart() {
    for (const auto& row : *profile_) {
      row->pack_weights = row->forward = row->backward = row->reduce_gradients = 0;
      row->images = 0;
    }
  }

  convolution make_convolution(const convolution_geometry& g, index_t capacity, bool train) const {
    auto made = base::make_convolution(g, capacity, train);
    profiled_operation& row = convolution_row("convolution", g, made.algorithm());
    return {std::move(made), row};
  }
  template <affine_shape Affine, class Function>
  conv_block<Affine, Function> make_conv_block(const conv_block_geometry& g, index_t capacity,
                                               bool train) const {
    return {base::template make_conv_block<Affine, Function>(g, capacity, train),
            convolution_row(g.plain ? "convolution" : "block", g.convolution,
                            cpu_convolution<Real>::choose(g.convolution, this->precision()))};
  }
  template <affine_shape Affine, class Function>
    requires requires(const base& b, const generic::normalisation_geometry& g) {
      b.template make_normalisation<Affine, Function>(g, Real{}, index_t{}, true);
    }
  auto make_normalisation(const generic::normalisation_geometry& g, Real eps, index_t capacity,
                          bool train) const {
    auto made = base::template make_normalisation<Affine, Function>(g, eps, capacity, train);
    return detail::clocked_operation<decltype(made)>(
        std::move(made), row("norm " + std::to_string(g.channels) + " x " + std::to_string(g.pixels)));
  }
  auto make_attention(const attention_geometry& g, index_t capacity, bool train) const {
    return detail::clocked_operation<cpu_attention<Real>>(
        base::make_attention(g, capacity, train),
        row("attention " + std::to_string(g.channels) + " x " + std::to_string(g.pixels) + ", " +
            std::to_string(g.heads) + " heads"));
  }

  template <class Kernel> void for_each_index(index_t count, Kernel kernel, index_t cost = 1) {
    detail::clocked(row("element by element").forward, [&] { base::for_each_index(count, kernel, cost); });
  }
  template <class Function>
    requires requires(base& b, Real* p) { b.template apply<Function>(p, p, index_t{}); }
  void apply(const Real* x, Real* y, index_t count) {
    detail::clocked(row("element by element").forward, [&] { base::template apply<Function>(x, y, count); });
  }
  template <class Function>
    requires requires(base& b, Real* p) { b.template apply<Function>(p, p, index_t{}); }
  void apply_slope(const Real* x, const Real* dy, Real* dx, index_t count) {
    detail::clocked(row("element by element").forward,
                    [&] { base::template apply_slope<Function>(x, dy, dx, count); });
  }
  void gemm(bool transpose_a, index_t m, index_t n, index_t k, const Real* a, index_t lda, const Real* b,
            index_t ldb, Real* c, index_t ldc, bool accumulate) {
    detail::clocked(row("products of matrices").forward,
                    [&] { base::gemm(transpose_a, m, n, k, a, lda, b, ldb, c, ldc, accumulate); });
  }
  template <class T> void copy(const T* from, T* to, index_t size) const {
    detail::clocked(row("copies").forward, [&] { base::copy(from, to, size); });
  }

 private:
  profiled_operation& row(const std::string& name) const {
    for (const auto& known : *profile_) {
      if (known->name == name) return *known;
    }
    profile_->push_back(std::make_unique<profiled_operation>(profiled_operation{name}));
    return *profile_->back();
  }
  profiled_operation& convolution_row(const char* kind, const convolution_geometry& g,
                                      convolution_algorithm algorithm) const {
    const auto times = [](index_t a, index_t b) { return std::to_string(a) + " x " + std::to_string(b); };
    std::string name = std::string(kind) + " " + std::to_string(g.in_channels) + " -> " +
                       std::to_string(g.out_channels) + ", " + times(g.kernel_h, g.kernel_w) + " on " +
                       times(g.in_h, g.in_w);
    if (g.stride_h > 1 || g.stride_w > 1) name += ", stride " + std::to_string(g.stride_h);
    profiled_operation& found = row(name);
    found.convolution = g;
    found.algorithm = algorithm;
    return found;
  }

  std::shared_ptr<detail::profile> profile_ = std::make_shared<detail::profile>();
};

}  // namespace coldzoom::inline COLDZOOM_ISA
