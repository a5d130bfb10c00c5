/// The noise schedules of denoising diffusion (Ho, Jain, Abbeel 2020; Nichol and Dhariwal 2021).
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/core/error.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// A variance-preserving schedule given by its betas. Held in double; level(t) is rounded to float.
class ddpm_schedule {
 public:
  /// beta_i = 1e-4 + (0.02 - 1e-4) i / T, i = 0 .. T (Ho et al. 2020, section 4). signal(t)^2 is the product
  /// of 1 - beta_i for i = 0 .. t, beta_0 included.
  static ddpm_schedule linear(int steps = 1000, double beta_min = 1e-4, double beta_max = 0.02) {
    check(steps, beta_max);
    std::vector<double> betas;
    for (int i = 0; i <= steps; ++i) betas.push_back(beta_min + (beta_max - beta_min) * i / steps);
    return ddpm_schedule(std::move(betas));
  }

  /// signal(t)^2 = f(t) / f(0), f(t) = cos^2(((t / T + 0.008) / 1.008) pi / 2), by betas clipped at beta_max
  /// (Nichol and Dhariwal 2021, equation 17: 0.999). The original Cold Zoom Diffusion project clips at 0.02,
  /// which leaves 5.7 % of the signal at t = T.
  static ddpm_schedule cosine(int steps = 1000, double beta_max = 0.999) {
    check(steps, beta_max);
    const auto f = [&](int t) {
      const double c = std::cos((static_cast<double>(t) / steps + 0.008) / 1.008 * 1.57079632679489661923);
      return c * c;
    };
    std::vector<double> betas;
    for (int t = 0; t <= steps; ++t) betas.push_back(std::min(beta_max, std::max(0.0, 1 - f(t) / f(t - 1))));
    return ddpm_schedule(std::move(betas));
  }

  int steps() const { return static_cast<int>(betas_.size()) - 1; }
  double beta(int t) const { return betas_[static_cast<std::size_t>(t)]; }
  double signal(int t) const { return std::sqrt(squared_signal_[static_cast<std::size_t>(t)]); }
  double noise(int t) const { return std::sqrt(1 - squared_signal_[static_cast<std::size_t>(t)]); }
  float level(int t) const { return static_cast<float>(noise(t)); }

 private:
  explicit ddpm_schedule(std::vector<double> betas) : betas_(std::move(betas)) {
    double product = 1;
    for (const double beta : betas_) squared_signal_.push_back(product *= 1 - beta);
  }
  static void check(int steps, double beta_max) {
    require(steps >= 1, "ddpm_schedule",
            [&] { return "the number of steps is " + std::to_string(steps) + "; it must be at least 1"; });
    require(beta_max > 0 && beta_max < 1, "ddpm_schedule",
            [&] { return "beta_max is " + std::to_string(beta_max) + "; it must lie between 0 and 1"; });
  }

  std::vector<double> betas_, squared_signal_;
};

static_assert(NoiseSchedule<ddpm_schedule>);

}  // namespace coldzoom::inline COLDZOOM_ISA
