/// The operations of the CPU backend in double, compiled once for all tests. Those in float are
/// coldzoom::engine's, safetensors files the programs': common/safetensors.hpp.
#pragma once

#include <coldzoom/backend/cpu/engine.hpp>

namespace coldzoom::inline COLDZOOM_ISA {
COLDZOOM_ENGINE_TEMPLATES(extern, double)
}  // namespace coldzoom::inline COLDZOOM_ISA
