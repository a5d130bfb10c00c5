/// The concept of a schedule: how severe the degradation is at each step.
#pragma once

#include <coldzoom/core/view.hpp>
#include <concepts>

namespace coldzoom::inline COLDZOOM_ISA {

/// `steps()` is T, the number of steps of the training schedule; `level(t)`, t = 0 .. T, is the severity at
/// step t, monotone in t. What level(0) and level(T) are is up to the schedule; they need not be 0 and 1.
///
/// Optional members, for t = 1 .. T: `float time(t)`, the time that a network is told in place of t / T; and
/// `double share(t)`, at least 0, how often training draws step t, in parts of the sum of all.
template <class S>
concept Schedule = std::copyable<S> && requires(const S s, int t) {
  { s.steps() } -> std::same_as<int>;
  { s.level(t) } -> std::same_as<float>;
};

namespace detail {
/// The time of step t that a network is told: t / T, unless the schedule has another.
template <class S> float time_of(const S& schedule, int t) {
  if constexpr (requires { schedule.time(t); }) return schedule.time(t);
  return static_cast<float>(t) / static_cast<float>(schedule.steps());
}
/// How often training draws step t = 1 .. T, in parts of the sum: all alike, unless the schedule has shares.
template <class S> double share_of(const S& schedule, int t) {
  if constexpr (requires { schedule.share(t); }) return schedule.share(t);
  return 1;
}
}  // namespace detail

/// A schedule of variance-preserving Gaussian noise, x_t = signal(t) x0 + noise(t) e with signal^2 + noise^2
/// = 1; `beta(t)` is the variance that step t adds and level(t) = noise(t).
template <class S>
concept NoiseSchedule = Schedule<S> && requires(const S s, int t) {
  { s.beta(t) } -> std::same_as<double>;
  { s.signal(t) } -> std::same_as<double>;
  { s.noise(t) } -> std::same_as<double>;
};

/// Explains what is missing where `S` is no schedule.
template <class S> consteval bool check_schedule() {
  constexpr bool has_steps = requires(const S s) {
    { s.steps() } -> std::same_as<int>;
  };
  static_assert(has_steps,
                "coldzoom: give your schedule `int steps() const`, the number of steps T; see "
                "docs/concepts/schedule.md");
  constexpr bool has_level = requires(const S s, int t) {
    { s.level(t) } -> std::same_as<float>;
  };
  static_assert(
      has_level,
      "coldzoom: give your schedule `float level(int t) const`, the severity at step t = 0 .. T; see "
      "docs/concepts/schedule.md");
  constexpr bool copies = std::copyable<S>;
  static_assert(copies, "coldzoom: let your schedule be copied and assigned; see docs/concepts/schedule.md");
  return Schedule<S>;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
