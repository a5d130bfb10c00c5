// Our side of compare_pytorch.sh --device cuda, on cuda_backend or, as bench_network_cudnn, on cudnn_backend.
// Its commands are those of network_tasks.hpp, and
//
//   about      the answer is JSON: the backend, its precision, the device and what this program was built
//   from ceilings   the answer is JSON: what the device can do at most, bytes and multiply-adds per second
#include <coldzoom/cuda.cuh>
#if defined(BENCH_CUDNN)
#  include <coldzoom/backend/cuda/cudnn_backend.cuh>
#endif
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "device_peak.cuh"
#include "network_tasks.hpp"
#include "small_unet.hpp"

/// Of the sources of this program; see commit.cmake.
extern const char* const built_from_commit;

namespace {

#if defined(BENCH_CUDNN)
using backend = cz::cudnn_backend<float>;
constexpr const char* backend_name = "cudnn_backend";
#else
using backend = cz::cuda_backend<float>;
constexpr const char* backend_name = "cuda_backend";
#endif

nlohmann::json about(const backend& b, const std::string& precision) {
  cudaDeviceProp device{};
  int driver = 0, runtime = 0;
  cz::detail::check_cuda(cudaGetDeviceProperties(&device, b.device()), "cudaGetDeviceProperties");
  cz::detail::check_cuda(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  cz::detail::check_cuda(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  return {{"backend", backend_name},
          {"precision", precision},
          {"device", device.name},
          {"multiprocessors", device.multiProcessorCount},
          {"memory_bytes", device.totalGlobalMem},
          {"cuda_of_driver", driver},
          {"cuda_of_program", runtime},
          {"commit", built_from_commit}};
}

nlohmann::json ceilings(backend& b, const event_clock& clock) {
  return {{"copy_bytes_per_s", peak_bandwidth(b, clock)},
          {"fma_per_s", peak_multiply_adds(b, clock)},
          {"product_fma_per_s", peak_product(b, clock)}};
}

}  // namespace

int main(int count, char** arguments) {
  const std::string precision = count == 3 ? arguments[2] : "";
  if (precision != "float32" && precision != "tf32") {
    std::fprintf(stderr, "usage: %s DATA float32|tf32   (driven by compare_pytorch.sh)\n", arguments[0]);
    return 2;
  }
  try {
    backend b(0, precision == "tf32" ? cz::cuda_precision::tf32 : cz::cuda_precision::float32);
    const event_clock clock(b.stream());
    const cz::safetensors_file data = cz::load_safetensors(arguments[1]);
    network_list networks;
    networks.add("reconstructor", [&] { return std::make_unique<reconstructor_tasks<backend>>(b, data); });
    networks.add(b, data, "unet", small_unet());
    serve(networks, clock, [&](const std::string& command) {
      if (command == "about") {
        std::cout << about(b, precision) << '\n';
      } else if (command == "ceilings") {
        std::cout << ceilings(b, clock) << '\n';
      } else {
        return false;
      }
      return true;
    });
  } catch (const cz::error& failure) {
    std::fprintf(stderr, "bench_network: %s\n", failure.what());
    return 1;
  }
}
