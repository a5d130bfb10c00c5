/// The parts of the CPU backend that take longest to compile: coldzoom::engine holds them compiled, for
/// float.
#pragma once

#include <coldzoom/backend/cpu/conv_block.hpp>

/// `EXTERN template class` for the operations of cpu_backend<REAL>. It belongs inside the library's
/// namespace. With `extern` it declares that another unit compiles them; with an empty argument this unit
/// does.
// clang-format off
// A declaration allows no parentheses around its parts. NOLINTBEGIN(bugprone-macro-parentheses)
#define COLDZOOM_ENGINE_TEMPLATES(EXTERN, REAL)   \
  EXTERN template class cpu_convolution<REAL>;    \
  COLDZOOM_ENGINE_BLOCKS(EXTERN, REAL, pixels)    \
  COLDZOOM_ENGINE_BLOCKS(EXTERN, REAL, image)     \
  COLDZOOM_ENGINE_BLOCKS(EXTERN, REAL, channels)
#define COLDZOOM_ENGINE_BLOCKS(EXTERN, REAL, AFFINE)                                                            \
  EXTERN template class cpu_conv_block<REAL, generic::normalisation_geometry::affine_shape::AFFINE, vector_gelu>; \
  EXTERN template class cpu_conv_block<REAL, generic::normalisation_geometry::affine_shape::AFFINE, vector_silu>;
// NOLINTEND(bugprone-macro-parentheses)
// clang-format on

// An engine says by a macro COLDZOOM_ENGINE_<instruction set> which names it holds. A unit that is compiled
// for other vectors has other names, and compiles its own.
#define COLDZOOM_ENGINE_OF(ISA) COLDZOOM_ENGINE_##ISA
#define COLDZOOM_ENGINE_FOR(ISA) COLDZOOM_ENGINE_OF(ISA)
#if COLDZOOM_ENGINE_FOR(COLDZOOM_ISA)
namespace coldzoom::inline COLDZOOM_ISA {
COLDZOOM_ENGINE_TEMPLATES(extern, float)
}  // namespace coldzoom::inline COLDZOOM_ISA
#endif
