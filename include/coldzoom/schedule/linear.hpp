/// The severity that grows evenly.
#pragma once

#include <coldzoom/core/error.hpp>
#include <coldzoom/schedule/schedule.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// level(t) = t / T: from 0 at t = 0 to 1 at t = T.
class linear_schedule {
 public:
  /// Throws `error` unless steps >= 1.
  explicit linear_schedule(int steps) : steps_(steps) {
    require(steps >= 1, "linear_schedule",
            [&] { return "the number of steps is " + std::to_string(steps) + "; it must be at least 1"; });
  }
  int steps() const { return steps_; }
  float level(int t) const { return static_cast<float>(t) / static_cast<float>(steps_); }

 private:
  int steps_;
};

static_assert(Schedule<linear_schedule>);

}  // namespace coldzoom::inline COLDZOOM_ISA
