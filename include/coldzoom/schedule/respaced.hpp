/// A schedule of fewer steps that passes through levels of a longer one.
#pragma once

#include <coldzoom/core/error.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <cstdint>
#include <string>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// `steps` of the T steps of `S`, spread evenly, the last among them: step t is step round(t T / steps) of the whole
/// schedule (Nichol and Dhariwal 2021, section 4, "improving sampling speed"). The network is told the time of
/// the whole schedule. A sampler takes fewer calls without it; train with it where training on steps that sampling
/// never visits would be a waste.
template <Schedule S> class respaced {
 public:
  /// Throws `error` unless 1 <= steps <= T.
  respaced(S whole, int steps) : whole_(std::move(whole)), steps_(steps) {
    require(steps >= 1 && steps <= whole_.steps(), "respaced", [&] {
      return "the number of steps is " + std::to_string(steps) + "; it must be 1 to " +
             std::to_string(whole_.steps());
    });
  }

  int steps() const { return steps_; }
  float level(int t) const { return whole_.level(step(t)); }
  float time(int t) const { return detail::time_of(whole_, step(t)); }

  double signal(int t) const requires NoiseSchedule<S> { return whole_.signal(step(t)); }
  double noise(int t) const requires NoiseSchedule<S> { return whole_.noise(step(t)); }
  /// The variance that all steps of the whole schedule between t - 1 and t add.
  double beta(int t) const requires NoiseSchedule<S> {
    if (t == 0) return whole_.beta(0);
    const double kept = signal(t) / signal(t - 1);
    return 1 - kept * kept;
  }

 private:
  int step(int t) const {
    return static_cast<int>((2 * std::int64_t{t} * whole_.steps() + steps_) / (2 * std::int64_t{steps_}));
  }

  S whole_;
  int steps_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
