#include "common/double_engine.hpp"

namespace coldzoom::inline COLDZOOM_ISA {
COLDZOOM_ENGINE_TEMPLATES(, double)
}  // namespace coldzoom::inline COLDZOOM_ISA
