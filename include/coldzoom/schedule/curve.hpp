/// Severities that grow along a curve from 0 to 1.
#pragma once

#include <cmath>
#include <coldzoom/core/error.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <string>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// A curve `C` is a number of each time u = t / T from 0 to 1: c(0) = 0, c(1) = 1, and it never falls. Copyable.
template <class C>
concept Curve = std::copyable<C> && requires(const C c, double u) {
  { c(u) } -> std::same_as<double>;
};

/// level(t) = curve(t / T).
template <Curve C> class curve_schedule {
 public:
  /// Throws `error` unless steps >= 1.
  explicit curve_schedule(int steps, C curve = C()) : steps_(steps), curve_(std::move(curve)) {
    require(steps >= 1, "curve_schedule",
            [&] { return "the number of steps is " + std::to_string(steps) + "; it must be at least 1"; });
  }
  int steps() const { return steps_; }
  float level(int t) const {
    return t == steps_ ? 1.0f : static_cast<float>(curve_(static_cast<double>(t) / steps_));
  }

 private:
  int steps_;
  C curve_;
};

namespace detail {
inline void require_curve(const char* where, double number, double above) {
  require(number > above && std::isfinite(number), where, [&] {
    return "the number of the curve is " + std::to_string(number) + "; it must be above " +
           std::to_string(above) + " and finite";
  });
}
}  // namespace detail

/// u^exponent. Above 1 the first steps are small, below 1 the last.
class power_curve {
 public:
  /// Throws `error` unless exponent > 0.
  explicit power_curve(double exponent = 2) : exponent_(exponent) {
    detail::require_curve("power_curve", exponent, 0);
  }
  double operator()(double u) const { return std::pow(u, exponent_); }

 private:
  double exponent_;
};

/// (1 - cos(pi u)) / 2: the first and the last steps are small.
struct cosine_curve {
  double operator()(double u) const { return (1 - std::cos(3.14159265358979323846 * u)) / 2; }
};

/// The logistic function between -steepness and steepness, brought to 0 and 1: as cosine_curve, and the more so the
/// steeper it is.
class sigmoid_curve {
 public:
  /// Throws `error` unless steepness > 0.
  explicit sigmoid_curve(double steepness = 3) : steepness_(steepness) {
    detail::require_curve("sigmoid_curve", steepness, 0);
  }
  double operator()(double u) const {
    return (std::tanh(steepness_ * (u - 0.5)) / std::tanh(steepness_ / 2) + 1) / 2;
  }

 private:
  double steepness_;
};

/// (ratio^u - 1) / (ratio - 1): each step is larger than the one before it by the same factor, and the last is about
/// `ratio` times the first.
class exponential_curve {
 public:
  /// Throws `error` unless ratio > 1.
  explicit exponential_curve(double ratio = 20) : ratio_(ratio) {
    detail::require_curve("exponential_curve", ratio, 1);
  }
  double operator()(double u) const { return std::expm1(u * std::log(ratio_)) / (ratio_ - 1); }

 private:
  double ratio_;
};

using power_schedule = curve_schedule<power_curve>;
using cosine_schedule = curve_schedule<cosine_curve>;
using sigmoid_schedule = curve_schedule<sigmoid_curve>;
using exponential_schedule = curve_schedule<exponential_curve>;

/// level(t) = levels[t], T + 1 numbers of one's own.
class table_schedule {
 public:
  /// Throws `error` unless there are at least two levels, all finite, none below the level before it.
  explicit table_schedule(std::vector<float> levels) : levels_(std::move(levels)) {
    require(levels_.size() >= 2, "table_schedule", [&] {
      return "the number of levels is " + std::to_string(levels_.size()) + "; it must be at least 2";
    });
    for (std::size_t t = 0; t < levels_.size(); ++t) {
      require(std::isfinite(levels_[t]) && (t == 0 || levels_[t] >= levels_[t - 1]), "table_schedule", [&] {
        return "level " + std::to_string(t) + " is " + std::to_string(levels_[t]) +
               "; it must be finite and at least the level before it";
      });
    }
  }
  /// The levels of another schedule, without its other members.
  template <Schedule S> static table_schedule of(const S& schedule) {
    std::vector<float> levels;
    for (int t = 0; t <= schedule.steps(); ++t) levels.push_back(schedule.level(t));
    return table_schedule(std::move(levels));
  }

  int steps() const { return static_cast<int>(levels_.size()) - 1; }
  float level(int t) const { return levels_[static_cast<std::size_t>(t)]; }

 private:
  std::vector<float> levels_;
};

static_assert(Schedule<power_schedule> && Schedule<cosine_schedule> && Schedule<sigmoid_schedule> &&
              Schedule<exponential_schedule> && Schedule<table_schedule>);

}  // namespace coldzoom::inline COLDZOOM_ISA
