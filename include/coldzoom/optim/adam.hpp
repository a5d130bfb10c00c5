/// The Adam optimiser and the running average of weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/error.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Index: parameter.
template <class Real> struct adam_update {
  Real beta1, beta2, eps, step_size, second_scale;
  const Real* gradient;
  Real* parameter;
  Real* first;
  Real* second;

  COLDZOOM_HD void operator()(index_t i) const {
    const Real g = gradient[i];
    first[i] = beta1 * first[i] + (1 - beta1) * g;
    second[i] = beta2 * second[i] + (1 - beta2) * g * g;
    parameter[i] -= step_size * first[i] / (std::sqrt(second[i]) * second_scale + eps);
  }
};

/// average = decay * average + (1 - decay) * parameter. Index: parameter.
template <class Real> struct average_update {
  Real decay;
  const Real* parameter;
  Real* average;

  COLDZOOM_HD void operator()(index_t i) const { average[i] += (1 - decay) * (parameter[i] - average[i]); }
};

}  // namespace detail

struct adam_options {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
};

/// Adam (Kingma and Ba 2015, algorithm 1) over one flat array of parameters, the same as PyTorch's.
template <Backend B> class adam {
 public:
  adam(B& b, index_t parameters, adam_options options = {})
      : options_(options),
        first_(b.template allocate<real_t<B>>(parameters)),
        second_(b.template allocate<real_t<B>>(parameters)) {}

  /// One update of `parameters` by `gradients`, both in the backend's memory.
  void step(B& b, const real_t<B>* gradients, real_t<B>* parameters, double rate) {
    using real = real_t<B>;
    ++steps_;
    const double correction1 = 1 - std::pow(options_.beta1, static_cast<double>(steps_));
    const double correction2 = 1 - std::pow(options_.beta2, static_cast<double>(steps_));
    b.for_each_index(
        first_.size(),
        detail::adam_update<real>{static_cast<real>(options_.beta1), static_cast<real>(options_.beta2),
                                  static_cast<real>(options_.eps), static_cast<real>(rate / correction1),
                                  static_cast<real>(1 / std::sqrt(correction2)), gradients, parameters,
                                  first_.data(), second_.data()},
        10);
  }

  index_t steps() const { return steps_; }
  void set_steps(index_t steps) { steps_ = steps; }
  /// First and second moments, one value a parameter: the state that a checkpoint holds.
  buffer_t<B>& first() { return first_; }
  buffer_t<B>& second() { return second_; }

 private:
  adam_options options_;
  index_t steps_ = 0;
  buffer_t<B> first_, second_;
};

/// Exponential moving average of parameters. The decay grows from 0.1 to `decay` as (1 + t) / (10 + t), so
/// that the first weights are soon forgotten.
template <Backend B> class weight_average {
 public:
  /// Throws `error` unless 0 < decay < 1.
  weight_average(B& b, index_t parameters, double decay)
      : decay_(decay),
        average_(b.template allocate<real_t<B>>(parameters)) {
    require(decay > 0 && decay < 1, "weight_average",
            [&] { return "the decay is " + std::to_string(decay) + "; it must lie between 0 and 1"; });
  }

  /// Takes in the parameters after optimiser step number `step`, counted from 1.
  void update(B& b, const real_t<B>* parameters, index_t step) {
    const double t = static_cast<double>(step);
    const double decay = std::min(decay_, (1 + t) / (10 + t));
    // The first call finds nothing to average with.
    b.for_each_index(average_.size(),
                     detail::average_update<real_t<B>>{static_cast<real_t<B>>(step == 1 ? 0.0 : decay),
                                                       parameters, average_.data()},
                     3);
  }
  buffer_t<B>& values() { return average_; }

 private:
  double decay_;
  buffer_t<B> average_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
