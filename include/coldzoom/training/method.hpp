/// A method: the degradation to undo, and how a network learns to undo it.
#pragma once

#include <coldzoom/degradation/additive.hpp>
#include <coldzoom/nn/input.hpp>
#include <coldzoom/nn/loss.hpp>
#include <coldzoom/nn/pixel_losses.hpp>
#include <coldzoom/prediction/prediction.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <coldzoom/training/weighting.hpp>
#include <type_traits>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// All policies that a training run and its samplers share. R is the value range of the images.
template <ValueRange R, class D, class S, Prediction P = predict_x0, class I = plain_input,
          class L = mean_squared_error, class W = uniform_weight>
struct method {
  using range = R;
  using degradation_type = D;
  using schedule_type = S;
  using prediction = P;
  using input_type = I;
  using loss_type = L;
  using weighting_type = W;

  D degradation;
  S schedule;
  P predict{};
  I input{};
  L loss{};
  W weighting{};
};

namespace detail {

struct any_prediction {
  template <class T> static constexpr bool fits = Prediction<T>;
};
struct any_input {
  template <class T> static constexpr bool fits = requires(const T policy, shape image) {
    { policy.channels(image) } -> std::same_as<index_t>;
  };
};
struct any_loss {
  template <class T> static constexpr bool fits = requires(const T policy, shape batch) {
    { policy.scale(batch) } -> std::convertible_to<double>;
  };
};
struct any_weighting {
  template <class T> static constexpr bool fits = Weighting<T>;
};

/// The one of `policies` that fits `Kind`, else Default.
template <class Kind, class Default> constexpr Default pick_policy() { return {}; }
template <class Kind, class Default, class First, class... Rest>
constexpr auto pick_policy(const First& first, const Rest&... rest) {
  if constexpr (Kind::template fits<First>) {
    return first;
  } else {
    return pick_policy<Kind, Default>(rest...);
  }
}

template <class T>
inline constexpr bool is_policy =
    any_prediction::fits<T> || any_input::fits<T> || any_loss::fits<T> || any_weighting::fits<T>;

/// Whether `T` has one of the conversions that make a prediction, so that it was meant as such.
template <class T>
concept meant_as_prediction = requires(double value, amplitudes a) {
  T::target(value, value, a);
}
|| requires(double value, amplitudes a) { T::x0(value, value, a); };
template <class T> consteval bool check_if_prediction() {
  if constexpr (meant_as_prediction<T>) return check_prediction<T>();
  return true;
}

/// Explains which policies do not fit together.
template <class R, class D, class S, class... Policies> consteval bool check_method() {
  constexpr bool schedule = check_schedule<S>();
  constexpr bool range = AcceptsRange<D, R>;
  static_assert(range,
                "coldzoom: this degradation wants pixels of another value range: name its `range` first in "
                "make_method, or take in_range; see docs/concepts/method.md");
  constexpr bool predictions = (check_if_prediction<Policies>() && ...);
  constexpr bool known = ((is_policy<Policies> || meant_as_prediction<Policies>)&&...);
  static_assert(
      known,
      "coldzoom: make_method takes a range, a degradation, a schedule and then, in any order, a prediction, "
      "an input policy, a loss and a weighting; one of yours is none of these; see docs/concepts/method.md");
  constexpr bool once = (int{any_prediction::fits<Policies>} + ... + 0) <= 1 &&
                        (int{any_input::fits<Policies>} + ... + 0) <= 1 &&
                        (int{any_loss::fits<Policies>} + ... + 0) <= 1 &&
                        (int{any_weighting::fits<Policies>} + ... + 0) <= 1;
  static_assert(once, "coldzoom: make_method takes one policy of each kind; see docs/concepts/method.md");
  return schedule && range && predictions && known && once;
}

/// Explains where a prediction or a weighting asks for noise that the degradation does not add.
template <class D, class P, class W> consteval bool check_amplitudes() {
  constexpr bool predicted = !P::needs_amplitudes || Additive<D>;
  static_assert(
      predicted,
      "coldzoom: this degradation adds no noise, so there is no noise, velocity or flow to predict: use "
      "predict_x0, or give the degradation `amplitudes(level)` and `noise(key, element)`; see "
      "docs/concepts/prediction.md");
  constexpr bool weighted = !requires { requires W::needs_amplitudes; }
  || UniformlyAdditive<D>;
  static_assert(
      weighted,
      "coldzoom: this weighting goes by the signal-to-noise ratio, which a degradation has only with "
      "`amplitudes(level)`, such as gaussian_noise; see docs/concepts/method.md");
  return predicted && weighted;
}

}  // namespace detail

/// A method with these policies, and defaults for those that are not given: predict_x0, plain_input,
/// mean_squared_error, uniform_weight.
template <ValueRange R, class D, class S, class... Policies>
auto make_method(R, D degradation, S schedule, Policies... policies) {
  if constexpr (detail::check_method<R, D, S, Policies...>()) {
    auto prediction = detail::pick_policy<detail::any_prediction, predict_x0>(policies...);
    auto input = detail::pick_policy<detail::any_input, plain_input>(policies...);
    auto loss = detail::pick_policy<detail::any_loss, mean_squared_error>(policies...);
    auto weighting = detail::pick_policy<detail::any_weighting, uniform_weight>(policies...);
    if constexpr (detail::check_amplitudes<D, decltype(prediction), decltype(weighting)>()) {
      return method<R, D, S, decltype(prediction), decltype(input), decltype(loss), decltype(weighting)>{
          std::move(degradation), std::move(schedule), prediction,
          std::move(input),       std::move(loss),     std::move(weighting)};
    }
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA
