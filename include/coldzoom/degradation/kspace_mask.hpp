/// Lines of a picture's spectrum that are not measured, as in magnetic resonance imaging.
#pragma once

#include <coldzoom/core/random.hpp>
#include <coldzoom/degradation/separable.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// D(x, level): the image of a scan that leaves out lines of k-space, filled with zeros: line k along the axis of
/// phase encoding is missing from a level of its own on, uniform in (0, 1) and the same for all images; the middle lines, a
/// share `centre` of them, are always measured (as the masks of fastMRI, Zbontar et al. 2018, section 4). Lines k and -k
/// go together, so that a real picture stays real. Any value range: the mean is in line 0. Deterministic.
struct kspace_mask {
  float centre = 0.08f;
  image_axis encoded = image_axis::y;
  std::uint64_t seed = 0;  // of the order in which lines go
  static constexpr picture_edge edge = picture_edge::periodic;

  bool acts(image_axis axis) const { return axis == encoded; }
  /// Whether line k, 0 to extent / 2, is missing.
  COLDZOOM_HD bool missing(float level, index_t extent, index_t k) const {
    if (2 * static_cast<float>(k) <= centre * static_cast<float>(extent)) return false;
    return level > random_uniform({seed}, static_cast<std::uint64_t>(k));
  }
  COLDZOOM_HD float gain(float level, image_axis, index_t extent, index_t k) const {
    return missing(level, extent, k) ? 0.0f : 1.0f;
  }
};

static_assert(SeparableDegradation<kspace_mask>);

}  // namespace coldzoom::inline COLDZOOM_ISA
