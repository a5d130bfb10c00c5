/// A noise schedule that ends in noise alone.
#pragma once

#include <cmath>
#include <coldzoom/core/error.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// The schedule `S`, its signal shifted and scaled so that signal(0) stays and signal(T) is 0 (Lin et al.
/// 2023, "Common diffusion noise schedules and sample steps are flawed", algorithm 1). Then training sees the
/// noise that sampling starts from. At T a prediction of noise says nothing of the image, so trainer and
/// samplers refuse it; predict_x0, predict_velocity, predict_flow and predict_preconditioned fit.
template <NoiseSchedule S> class zero_terminal_snr {
 public:
  /// Throws `error` unless signal(0) is above signal(T).
  explicit zero_terminal_snr(S given) : given_(std::move(given)) {
    const double first = given_.signal(0), last = given_.signal(steps());
    require(first > last, "zero_terminal_snr", [&] {
      return "signal(0) is " + std::to_string(first) + " and signal(T) " + std::to_string(last) +
             "; the signal must fall";
    });
  }

  int steps() const { return given_.steps(); }
  double signal(int t) const {
    const double first = given_.signal(0), last = given_.signal(steps());
    return first * (given_.signal(t) - last) / (first - last);
  }
  double noise(int t) const { return std::sqrt(1 - signal(t) * signal(t)); }
  double beta(int t) const {
    const double ratio = signal(t) / (t > 0 ? signal(t - 1) : 1);
    return 1 - ratio * ratio;
  }
  float level(int t) const { return static_cast<float>(noise(t)); }
  float time(int t) const { return detail::time_of(given_, t); }

 private:
  S given_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
