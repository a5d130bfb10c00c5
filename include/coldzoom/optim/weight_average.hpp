/// The running average of weights.
#pragma once

#include <algorithm>
#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/error.hpp>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// average = decay * average + (1 - decay) * parameter. Index: parameter.
template <class Real> struct average_update {
  Real decay;
  const Real* parameter;
  Real* average;

  COLDZOOM_HD void operator()(index_t i) const { average[i] += (1 - decay) * (parameter[i] - average[i]); }
};

}  // namespace detail

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
  double decay() const { return decay_; }
  buffer_t<B>& values() { return average_; }

 private:
  double decay_;
  buffer_t<B> average_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
