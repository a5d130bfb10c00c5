/// The noise levels of EDM (Karras, Aittala, Aila, Laine 2022, "Elucidating the design space of diffusion-based
/// generative models", table 1).
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/core/error.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA {

/// The numbers of a karras_schedule; the defaults are those of the paper, for pixels from -1 to 1.
struct karras_numbers {
  double sigma_min = 0.002, sigma_max = 80;  // deviation of the noise at steps 1 and T
  double rho = 7;                            // above 1, more steps have little noise
  double mean = -1.2, deviation = 1.2;       // of ln sigma in training, which is normal
};

/// level(t) = sigma, the deviation of the noise that exploding_noise adds: 0 at t = 0, and
///
///   (sigma_min^(1/rho) + (t - 1) / (T - 1) (sigma_max^(1/rho) - sigma_min^(1/rho)))^rho,  t = 1 .. T
///
/// (equation 5, counted the other way). Training draws the step with the nearest ln sigma to that of a
/// log-normal draw. The network is told (ln sigma - ln sigma_min) / (ln sigma_max - ln sigma_min): the
/// c_noise of the paper, ln(sigma) / 4, on the scale from 0 to 1 of all times here.
class karras_schedule {
 public:
  /// Throws `error` unless steps >= 2, 0 < sigma_min < sigma_max, rho >= 1 and deviation > 0.
  explicit karras_schedule(int steps, karras_numbers numbers = {}) : steps_(steps), n_(numbers) {
    const auto check = [](bool ok, const char* what, double found, const char* wanted) {
      require(ok, "karras_schedule",
              [&] { return std::string(what) + " is " + std::to_string(found) + "; it must be " + wanted; });
    };
    check(steps >= 2, "the number of steps", steps, "at least 2");
    check(n_.sigma_min > 0, "sigma_min", n_.sigma_min, "above 0");
    check(n_.sigma_max > n_.sigma_min && std::isfinite(n_.sigma_max), "sigma_max", n_.sigma_max,
          "above sigma_min and finite");
    check(n_.rho >= 1 && std::isfinite(n_.rho), "rho", n_.rho, "at least 1 and finite");
    check(std::isfinite(n_.mean), "the mean of ln sigma", n_.mean, "finite");
    check(n_.deviation > 0 && std::isfinite(n_.deviation), "the deviation of ln sigma", n_.deviation,
          "above 0 and finite");
  }

  int steps() const { return steps_; }
  float level(int t) const { return t == 0 ? 0.0f : static_cast<float>(sigma(t)); }
  /// For t = 1 .. T.
  float time(int t) const {
    const double low = std::log(n_.sigma_min);
    return static_cast<float>((std::log(sigma(t)) - low) / (std::log(n_.sigma_max) - low));
  }
  /// How often training draws step t: the law of ln sigma between the middles to the steps beside it.
  double share(int t) const {
    // Far from the mean the law is flat, and its rounding must not fall.
    return std::max(0.0, (t == steps_ ? 1 : below(t)) - (t == 1 ? 0 : below(t - 1)));
  }

 private:
  double sigma(int t) const {
    const double low = std::pow(n_.sigma_min, 1 / n_.rho), high = std::pow(n_.sigma_max, 1 / n_.rho);
    return std::pow(low + (high - low) * (t - 1) / (steps_ - 1), n_.rho);
  }
  /// Of the draws, those nearer to t or a step before it than to t + 1.
  double below(int t) const {
    const double middle = (std::log(sigma(t)) + std::log(sigma(t + 1))) / 2;
    return std::erfc((n_.mean - middle) / (n_.deviation * std::sqrt(2.0))) / 2;
  }

  int steps_;
  karras_numbers n_;
};

static_assert(Schedule<karras_schedule>);

}  // namespace coldzoom::inline COLDZOOM_ISA
