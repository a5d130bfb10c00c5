/// The backend of a machine, by its type: for templates. In a build with CUDA nvcc compiles the units that
/// include this, see coldzoom_for_device in programs.cmake.
#pragma once

#include <coldzoom/core/error.hpp>

#include "common/machine.hpp"
#if defined(COLDZOOM_PROGRAMS_CUDA)
#  include <coldzoom/cuda.cuh>
#endif

namespace programs {

template <class... Bs> struct backend_list {};

/// The backends that the programs are compiled for.
#if defined(COLDZOOM_PROGRAMS_DEVICE_ALONE)
using backends = backend_list<coldzoom::cuda_backend<float>>;
#elif defined(COLDZOOM_PROGRAMS_CUDA)
using backends = backend_list<host_backend, coldzoom::cuda_backend<float>>;
#else
using backends = backend_list<host_backend>;
#endif

/// Returns f(b), `b` the machine's backend, which must be one of the list.
template <class B, class... Others, class F> auto on_backend(backend_list<B, Others...>, machine& m, F&& f) {
  if constexpr (sizeof...(Others) > 0) {
    if (!m.as<B>()) return on_backend(backend_list<Others...>{}, m, f);
  }
  B* b = m.as<B>();
  coldzoom::require(b != nullptr, "on_backend",
                    [&] { return "these programs are not compiled for " + m.description(); });
  return f(*b);
}
template <class F> auto on_backend(machine& m, F&& f) { return on_backend(backends{}, m, f); }

}  // namespace programs
