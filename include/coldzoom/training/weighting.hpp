/// How much each step and each pixel counts in the loss.
#pragma once

#include <algorithm>
#include <coldzoom/degradation/additive.hpp>
#include <concepts>
#include <limits>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// A weighting may have one of these members, or both:
///
/// - `step_weight(time, snr, slope)`: the weight of images at time t / T, or the time of the schedule; snr =
///   (signal / noise)^2 is the signal-to-noise ratio, and slope = d x0_hat / d y says how far an error of the
///   prediction y moves the image;
/// - `pixel_weight(level, image, c, y, x)`: the weight of an element, COLDZOOM_HD and in a trivially copyable
///   type.
///
/// Without `static constexpr bool needs_amplitudes = true` snr and slope are NaN where the degradation adds
/// no noise.
template <class W>
concept Weighting = std::copyable<W> &&(
    requires(const W w, double value) {
      { w.step_weight(value, value, value) } -> std::convertible_to<double>;
    } ||
    requires(const W w, float level, shape image, index_t i) {
      { w.pixel_weight(level, image, i, i, i) } -> std::convertible_to<float>;
    });

/// Every step and pixel alike: the default.
struct uniform_weight {
  double step_weight(double, double, double) const { return 1; }
};

/// min(snr, gamma) on the scale of the image, whatever the network predicts (Hang et al. 2023, "Efficient
/// diffusion training via min-SNR weighting strategy", section 3.4). For additive degradations.
struct min_snr_weight {
  static constexpr bool needs_amplitudes = true;
  double gamma = 5;

  double step_weight(double, double snr, double slope) const { return std::min(snr, gamma) * slope * slope; }
};

/// snr + 1 / sigma_data^2 on the scale of the image, whatever the network predicts: lambda of EDM (Karras et al.
/// 2022, section 5), which is 1 on the scale of the answer where the network predicts predict_preconditioned.
/// `sigma_data` is the deviation of the data. For additive degradations.
struct edm_weight {
  static constexpr bool needs_amplitudes = true;
  double sigma_data = 0.5;

  double step_weight(double, double snr, double slope) const {
    return (snr + 1 / (sigma_data * sigma_data)) * slope * slope;
  }
};

/// The pixels of a region count as `region(level, image, c, y, x)` says, for instance those that the
/// degradation is just about to reach.
template <class Region> struct region_weight {
  Region region;

  explicit region_weight(Region r) : region(std::move(r)) {}

  COLDZOOM_HD float pixel_weight(float level, const shape& image, index_t c, index_t y, index_t x) const {
    return region(level, image, c, y, x);
  }
};

static_assert(Weighting<uniform_weight> && Weighting<min_snr_weight> && Weighting<edm_weight>);

namespace detail {

/// Whether elements have weights of their own.
template <class W>
concept weighs_pixels = requires(const W w, float level, shape image, index_t i) {
  w.pixel_weight(level, image, i, i, i);
};

/// The weight of step t.
template <class P, class W, class D, class S>
double weight_at(const W& weighting, const D& degradation, const S& schedule, int t) {
  if constexpr (requires { weighting.step_weight(0.0, 0.0, 0.0); }) {
    double snr = std::numeric_limits<double>::quiet_NaN(), slope = snr;
    if constexpr (UniformlyAdditive<D>) {
      const amplitudes a = amplitudes_at(degradation, schedule, t, shape{1, 1, 1, 1})(0);
      snr = a.noise > 0 ? a.signal * a.signal / (a.noise * a.noise) : HUGE_VAL;
      slope = P::x0(0, 1, a) - P::x0(0, 0, a);
    }
    return weighting.step_weight(static_cast<double>(time_of(schedule, t)), snr, slope);
  } else {
    return 1;
  }
}

/// out[n] = weight of each element at level[n]. Index: element, dense.
template <class W> struct fill_pixel_weights {
  W weighting;
  const float* level;
  shape image;
  float* out;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, x] = element_place::at(i, image);
    out[i] = weighting.pixel_weight(level[n], image, c, y, x);
  }
};

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
