/// The cosines of small Fourier transforms, shared by every implementation of them.
#pragma once

#include <coldzoom/core/view.hpp>

namespace coldzoom::inline COLDZOOM_ISA::detail {

/// cos(2 pi k / 32).
COLDZOOM_HD constexpr double cosine_32(index_t k) {
  constexpr double quarter[9] = {1.0,
                                 0.98078528040323044913,
                                 0.92387953251128675613,
                                 0.83146961230254523708,
                                 0.70710678118654752440,
                                 0.55557023301960222474,
                                 0.38268343236508977173,
                                 0.19509032201612826785,
                                 0.0};
  k = (k % 32 + 32) % 32;
  if (k > 16) k = 32 - k;
  return k <= 8 ? quarter[k] : -quarter[16 - k];
}

}  // namespace coldzoom::inline COLDZOOM_ISA::detail
