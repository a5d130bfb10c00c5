/// What is not finite is neither saved nor read as if it were well.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

namespace programs {

/// False where a value is NaN or infinite.
inline bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

}  // namespace programs
