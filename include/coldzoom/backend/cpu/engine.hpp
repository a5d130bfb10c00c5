/// The parts of the CPU backend that take longest to compile: coldzoom::engine holds them compiled, for
/// float.
#pragma once

#include <coldzoom/backend/cpu/attention.hpp>
#include <coldzoom/backend/cpu/conv_block.hpp>
#include <coldzoom/backend/cpu/gemm.hpp>
#include <coldzoom/backend/cpu/normalisation.hpp>

/// `EXTERN template class` for the operations of cpu_backend<REAL>. It belongs inside the library's
/// namespace. With `extern` it declares that another unit compiles them; with an empty argument this unit
/// does.
// clang-format off
// A declaration allows no parentheses around its parts. NOLINTBEGIN(bugprone-macro-parentheses)
#define COLDZOOM_ENGINE_TEMPLATES(EXTERN, REAL)                                                       \
  EXTERN template class cpu_convolution<REAL>;                                                        \
  EXTERN template class cpu_attention<REAL>;                                                          \
  EXTERN template void gemm_of_one_thread(index_t, index_t, index_t, const REAL*, index_t, index_t,   \
                                          const REAL*, index_t, REAL*, index_t, bool);                \
  COLDZOOM_ENGINE_ACTIVATIONS(EXTERN, cpu_conv_block, REAL, pixels)                                   \
  COLDZOOM_ENGINE_ACTIVATIONS(EXTERN, cpu_conv_block, REAL, image)                                    \
  COLDZOOM_ENGINE_ACTIVATIONS(EXTERN, cpu_conv_block, REAL, channels)                                 \
  COLDZOOM_ENGINE_ACTIVATIONS(EXTERN, cpu_normalisation, REAL, pixels)                                \
  COLDZOOM_ENGINE_ACTIVATIONS(EXTERN, cpu_normalisation, REAL, channels)                              \
  COLDZOOM_ENGINE_OPERATION(EXTERN, cpu_normalisation, REAL, pixels, vector_identity)                 \
  COLDZOOM_ENGINE_OPERATION(EXTERN, cpu_normalisation, REAL, channels, vector_identity)
#define COLDZOOM_ENGINE_ACTIVATIONS(EXTERN, OPERATION, REAL, AFFINE)         \
  COLDZOOM_ENGINE_OPERATION(EXTERN, OPERATION, REAL, AFFINE, vector_gelu)    \
  COLDZOOM_ENGINE_OPERATION(EXTERN, OPERATION, REAL, AFFINE, vector_silu)
#define COLDZOOM_ENGINE_OPERATION(EXTERN, OPERATION, REAL, AFFINE, ACTIVATION) \
  EXTERN template class OPERATION<REAL, generic::normalisation_geometry::affine_shape::AFFINE, ACTIVATION>;
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
