/// The laws that every schedule must obey, for the tests of authors of schedules.
#pragma once

#include <cmath>
#include <coldzoom/core/error.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA::testing {

/// Throws `error` with the first law that `schedule` breaks: steps() >= 1; level(t) is finite for t = 0 .. T,
/// never falls and ends higher than it begins; a noise schedule keeps signal^2 + noise^2 = 1, adds betas in
/// [0, 1] and has level = noise.
template <Schedule S> void schedule_laws(const S& schedule) {
  const char* const where = "schedule_laws";
  const auto at = [](const char* what, int t, double value) {
    return std::string(what) + "(" + std::to_string(t) + ") is " + std::to_string(value);
  };
  const int steps = schedule.steps();
  require(steps >= 1, where,
          [&] { return "steps() is " + std::to_string(steps) + "; it must be at least 1"; });
  for (int t = 0; t <= steps; ++t) {
    const float level = schedule.level(t);
    require(std::isfinite(level), where, [&] { return at("level", t, level) + "; it must be finite"; });
    require(t == 0 || level >= schedule.level(t - 1), where, [&] {
      return at("level", t, level) + ", below " + at("level", t - 1, schedule.level(t - 1)) +
             "; it must not fall";
    });
    if constexpr (NoiseSchedule<S>) {
      const double beta = schedule.beta(t), signal = schedule.signal(t), noise = schedule.noise(t);
      require(beta >= 0 && beta <= 1, where, [&] { return at("beta", t, beta) + "; it must be 0 to 1"; });
      // Two squares, each rounded to half an ulp of at most 1.
      require(std::abs(signal * signal + noise * noise - 1) <= 4 * 0x1p-53, where, [&] {
        return at("signal", t, signal) + " and " + at("noise", t, noise) + "; their squares must add up to 1";
      });
      require(level == static_cast<float>(noise), where, [&] {
        return at("level", t, level) + " and " + at("noise", t, noise) + "; they must be equal";
      });
    }
  }
  require(schedule.level(steps) > schedule.level(0), where, [&] {
    return at("level", steps, schedule.level(steps)) + " and " + at("level", 0, schedule.level(0)) +
           "; the last must be the higher";
  });
}

}  // namespace coldzoom::inline COLDZOOM_ISA::testing
