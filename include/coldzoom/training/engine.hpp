/// The networks of the library on the CPU, which coldzoom::engine holds compiled.
#pragma once

#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/nn/attention_unet.hpp>
#include <coldzoom/nn/placed_network.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/nn/unet.hpp>

/// `EXTERN template` for each network, like COLDZOOM_ENGINE_TEMPLATES of backend/cpu/engine.hpp.
// clang-format off
// A declaration allows no parentheses around its parts. NOLINTBEGIN(bugprone-macro-parentheses)
#define COLDZOOM_ENGINE_NETWORKS(EXTERN)          \
  COLDZOOM_ENGINE_NETWORK(EXTERN, reconstructor)  \
  COLDZOOM_ENGINE_NETWORK(EXTERN, unet)           \
  COLDZOOM_ENGINE_NETWORK(EXTERN, attention_unet)
#define COLDZOOM_ENGINE_NETWORK(EXTERN, NETWORK)                       \
  EXTERN template class placed_network<cpu_backend<float>, NETWORK>;   \
  EXTERN template parameter_list parameters_of(const NETWORK&);
// NOLINTEND(bugprone-macro-parentheses)
// clang-format on

#if COLDZOOM_ENGINE_FOR(COLDZOOM_ISA)
namespace coldzoom::inline COLDZOOM_ISA {
COLDZOOM_ENGINE_NETWORKS(extern)
}  // namespace coldzoom::inline COLDZOOM_ISA
#endif
