/// Learning rates as functions of the step.
#pragma once

#include <cmath>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/view.hpp>
#include <concepts>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA {

/// rate(step), step = 0 for the first update.
template <class L>
concept LearningRate = requires(const L rate, index_t step) {
  { rate(step) } -> std::convertible_to<double>;
};

/// The same rate for ever.
struct constant_rate {
  double value = 2e-4;
  double operator()(index_t) const { return value; }
};

/// Linear from 0 to `peak` over `warmup` steps, then half a cosine down to `floor` at `total` steps
/// (Loshchilov and Hutter 2017, one cycle).
struct warmup_cosine {
  double peak = 2e-4;
  index_t warmup = 0, total = 1;
  double floor = 0;

  double operator()(index_t step) const {
    if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
    if (step >= total) return floor;
    const double done = static_cast<double>(step - warmup) / static_cast<double>(total - warmup);
    return floor + (peak - floor) * 0.5 * (1 + std::cos(3.14159265358979323846 * done));
  }
};

static_assert(LearningRate<constant_rate> && LearningRate<warmup_cosine>);

}  // namespace coldzoom::inline COLDZOOM_ISA
