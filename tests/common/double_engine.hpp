/// Compiled once for all tests: the operations of the CPU backend in double, and the convolution of the plain backend.
/// Those of the CPU backend in float are coldzoom::engine's, safetensors files the programs': common/safetensors.hpp.
#pragma once

#include <coldzoom/backend/cpu/engine.hpp>
#include <coldzoom/backend/operations.hpp>
#include <coldzoom/backend/reference.hpp>

namespace coldzoom::inline COLDZOOM_ISA {
COLDZOOM_ENGINE_TEMPLATES(extern, double)
extern template class generic::convolution<reference_backend<float>>;
extern template class generic::convolution<reference_backend<double>>;
}  // namespace coldzoom::inline COLDZOOM_ISA
