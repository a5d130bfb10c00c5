/// The largest error of many.
#pragma once

#include <cmath>
#include <type_traits>

/// The larger of two errors, of which NaN is the largest: std::max(worst, NaN) is `worst`.
template <class Real> Real worse(Real worst, std::type_identity_t<Real> error) {
  return std::isnan(worst) || error <= worst ? worst : error;
}
