/// Calls of functions of the user's inside kernels.
#pragma once

#include <coldzoom/core/config.hpp>

namespace coldzoom::inline COLDZOOM_ISA::detail {

/// f(arguments...), for an f of the user's that must be COLDZOOM_HD where the kernel runs on a device.
template <class F, class... Arguments>
COLDZOOM_IN_KERNEL inline auto call_in_kernel(const F& f, const Arguments&... arguments) {
  return f(arguments...);
}

}  // namespace coldzoom::inline COLDZOOM_ISA::detail
