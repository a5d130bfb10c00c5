/// The hot special case: additive Gaussian noise.
#pragma once

#include <cmath>
#include <coldzoom/degradation/degradation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// x_t = sqrt(1 - level^2) x0 + level e, e standard normal from the key: level is the noise amplitude of a
/// NoiseSchedule (Ho, Jain, Abbeel 2020, equation 4). `noise(key, i)` regenerates e, so that a network can be
/// trained on it without storing it.
struct gaussian_noise {
  COLDZOOM_HD float noise(const sample_key& key, index_t element) const {
    return random_normal(key, static_cast<std::uint64_t>(element));
  }
  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               sample_key key) const {
    const float signal = std::sqrt((1 - level) * (1 + level));
    return signal * x0(c, y, x) + level * noise(key, (c * x0.h + y) * x0.w + x);
  }
};

static_assert(PixelDegradation<gaussian_noise>);

}  // namespace coldzoom::inline COLDZOOM_ISA
