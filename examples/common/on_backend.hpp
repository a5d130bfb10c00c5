/// The backend that the user chose, by its type: for what is compiled for each, training above all. In a
/// build with CUDA nvcc compiles the units that include this.
#pragma once

#include <string>

#include "common/backend.hpp"
#include "common/options.hpp"
#if defined(COLDZOOM_PROGRAMS_CUDA)
#  include <coldzoom/cuda.cuh>
#endif

namespace programs {

/// "8 threads" or "CUDA device 0".
template <class B> std::string describe(B& b) {
  if constexpr (requires { b.threads(); }) {
    return std::to_string(b.threads()) + " threads";
  } else {
    return "CUDA device " + std::to_string(b.device());
  }
}

/// Calls work(b, host): `b` the backend of that choice, `host` the CPU's, for what stays in host memory.
template <class Work> void on_backend(const backend_choice& on, Work&& work) {
  backend host(on.threads);
#if defined(COLDZOOM_PROGRAMS_CUDA)
  if (on.name == "cuda") {
    coldzoom::cuda_backend<float> device;
    return work(device, host);
  }
#endif
  work(host, host);
}

}  // namespace programs
