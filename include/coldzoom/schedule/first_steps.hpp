/// The way back from the middle of a schedule.
#pragma once

#include <coldzoom/core/error.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// Steps 0 .. `last` of the schedule `S`: for samplers that start from D(x, last) instead of D(x, T), to restore an
/// image that is partly known. The network is told the time of the whole schedule, for which it was trained.
template <Schedule S> class first_steps {
 public:
  /// Throws `error` unless 1 <= last <= T.
  first_steps(S whole, int last) : whole_(std::move(whole)), last_(last) {
    require(last >= 1 && last <= whole_.steps(), "first_steps", [&] {
      return "the last step is " + std::to_string(last) + "; it must be 1 to " +
             std::to_string(whole_.steps());
    });
  }

  int steps() const { return last_; }
  float level(int t) const { return whole_.level(t); }
  /// What the network is told instead of t / steps().
  float time(int t) const { return detail::time_of(whole_, t); }

  double beta(int t) const requires NoiseSchedule<S> { return whole_.beta(t); }
  double signal(int t) const requires NoiseSchedule<S> { return whole_.signal(t); }
  double noise(int t) const requires NoiseSchedule<S> { return whole_.noise(t); }

 private:
  S whole_;
  int last_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
