/// Predictions: the quantity that a network answers with, and its conversions into an image and into noise.
#pragma once

#include <coldzoom/core/view.hpp>
#include <concepts>

namespace coldzoom::inline COLDZOOM_ISA {

/// One element of an image in which noise e was added to the clean image: x_t = signal x0 + noise e.
struct amplitudes {
  double signal = 1, noise = 0;
};

/// A prediction names the quantity y that a network is trained to answer with and converts y, given the
/// network's input z = x_t. All functions are static, COLDZOOM_HD, and take single elements in double:
///
/// - `name`: a word for files and messages;
/// - `needs_amplitudes`: false where y is the clean image itself, for then any degradation will do;
/// - `target(x0, e, a)`: y of a perfect network;
/// - `x0(z, y, a)`: the clean image that y stands for. It divides by a.signal or by a.signal + a.noise where
///   needed, so the result is infinite or NaN where no signal is left in z and y does not replace it;
/// - `noise(z, y, a)`: the noise that y stands for. It divides by a.noise likewise.
template <class P>
concept Prediction = std::copyable<P> && requires(double value, amplitudes a) {
  { P::name } -> std::convertible_to<const char*>;
  { P::needs_amplitudes } -> std::convertible_to<bool>;
  { P::target(value, value, a) } -> std::same_as<double>;
  { P::x0(value, value, a) } -> std::same_as<double>;
  { P::noise(value, value, a) } -> std::same_as<double>;
};

/// Explains what is missing where `P` is no prediction.
template <class P> consteval bool check_prediction() {
  constexpr bool prediction = Prediction<P>;
  static_assert(
      prediction,
      "coldzoom: give your prediction `name`, `needs_amplitudes` and static functions `double target(x0, "
      "e, a)`, `double x0(z, y, a)` and `double noise(z, y, a)`; see docs/concepts/prediction.md");
  return prediction;
}

/// The clean image (Bansal et al. 2022, equation 1). For every degradation.
struct predict_x0 {
  static constexpr const char* name = "x0";
  static constexpr bool needs_amplitudes = false;

  COLDZOOM_HD static constexpr double target(double x0, double, amplitudes) { return x0; }
  COLDZOOM_HD static constexpr double x0(double, double y, amplitudes) { return y; }
  COLDZOOM_HD static constexpr double noise(double z, double y, amplitudes a) {
    return (z - a.signal * y) / a.noise;
  }
};

/// The noise that was added (Ho, Jain, Abbeel 2020, equation 14).
struct predict_noise {
  static constexpr const char* name = "noise";
  static constexpr bool needs_amplitudes = true;

  COLDZOOM_HD static constexpr double target(double, double e, amplitudes) { return e; }
  COLDZOOM_HD static constexpr double x0(double z, double y, amplitudes a) {
    return (z - a.noise * y) / a.signal;
  }
  COLDZOOM_HD static constexpr double noise(double, double y, amplitudes) { return y; }
};

/// v = signal e - noise x0 (Salimans and Ho 2022, section 4). Its conversions hold for any amplitudes, not
/// only for signal^2 + noise^2 = 1.
struct predict_velocity {
  static constexpr const char* name = "velocity";
  static constexpr bool needs_amplitudes = true;

  COLDZOOM_HD static constexpr double target(double x0, double e, amplitudes a) {
    return a.signal * e - a.noise * x0;
  }
  COLDZOOM_HD static constexpr double x0(double z, double y, amplitudes a) {
    return (a.signal * z - a.noise * y) / (a.signal * a.signal + a.noise * a.noise);
  }
  COLDZOOM_HD static constexpr double noise(double z, double y, amplitudes a) {
    return (a.noise * z + a.signal * y) / (a.signal * a.signal + a.noise * a.noise);
  }
};

/// u = e - x0, the direction of the straight path from image to noise (Liu, Gong, Liu 2023, "Rectified flow";
/// Lipman et al. 2023). Its conversions hold for any amplitudes whose sum is not 0.
struct predict_flow {
  static constexpr const char* name = "flow";
  static constexpr bool needs_amplitudes = true;

  COLDZOOM_HD static constexpr double target(double x0, double e, amplitudes) { return e - x0; }
  COLDZOOM_HD static constexpr double x0(double z, double y, amplitudes a) {
    return (z - a.noise * y) / (a.signal + a.noise);
  }
  COLDZOOM_HD static constexpr double noise(double z, double y, amplitudes a) {
    return (z + a.signal * y) / (a.signal + a.noise);
  }
};

static_assert(Prediction<predict_x0> && Prediction<predict_noise> && Prediction<predict_velocity> &&
              Prediction<predict_flow>);

}  // namespace coldzoom::inline COLDZOOM_ISA
