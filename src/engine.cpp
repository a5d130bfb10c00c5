// coldzoom::engine, see docs/how_to/short_compiles.md.
#include <coldzoom/backend/cpu/engine.hpp>

namespace coldzoom::inline COLDZOOM_ISA {
COLDZOOM_ENGINE_TEMPLATES(, float)
}  // namespace coldzoom::inline COLDZOOM_ISA
