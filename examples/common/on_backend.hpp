/// The choice of a backend on the command line, for programs that run on more than the CPU.
#pragma once

#include <string>

#include "common/backend.hpp"
#include "common/options.hpp"
#if defined(COLDZOOM_PROGRAMS_CUDA)
#  include <coldzoom/cuda.cuh>
#endif

namespace programs {

/// --backend, in a build that has more than one.
inline void add_backend([[maybe_unused]] options& o, [[maybe_unused]] std::string& name) {
#if defined(COLDZOOM_PROGRAMS_CUDA)
  o.add("--backend", name, "cpu, or cuda: the first device that CUDA_VISIBLE_DEVICES names")
      .one_of({"cpu", "cuda"});
#endif
}

/// "8 threads" or "CUDA device 0".
template <class B> std::string describe(B& b) {
  if constexpr (requires { b.threads(); }) {
    return std::to_string(b.threads()) + " threads";
  } else {
    return "CUDA device " + std::to_string(b.device());
  }
}

/// Calls work(b, host): `b` the backend of that name, `host` the CPU's, for what stays in host memory.
template <class Work> void on_backend([[maybe_unused]] const std::string& name, int threads, Work&& work) {
  backend host(threads);
#if defined(COLDZOOM_PROGRAMS_CUDA)
  if (name == "cuda") {
    coldzoom::cuda_backend<float> device;
    return work(device, host);
  }
#endif
  work(host, host);
}

}  // namespace programs
