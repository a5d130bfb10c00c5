/// The common parts of the law kits: values on a backend and back, and the sentence of a broken law.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/random.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA::testing {

using coldzoom::random_values;
using coldzoom::to_backend;
using coldzoom::to_host;

/// Whether two results of one size have the same bits; -0 and 0 differ.
inline bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), [](float x, float y) { return same_bits(x, y); });
}

/// Throws `error` at the first element that has other bits in `b` than in `a`; -0 and 0 differ.
template <class Law>
void require_same_bits(const char* where, const std::vector<float>& a, const std::vector<float>& b,
                       Law&& law) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    require(same_bits(a[i], b[i]), where, [&] {
      return law() + ": element " + std::to_string(i) + " is " + std::to_string(b[i]) + ", wanted " +
             std::to_string(a[i]) + " to the bit";
    });
  }
}
inline void require_finite(const char* where, const std::vector<float>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    require(std::isfinite(values[i]), where,
            [&] { return "element " + std::to_string(i) + " of the result is not finite"; });
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA::testing
