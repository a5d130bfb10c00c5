// Our side of compare_pytorch.sh on the CPU. Its commands are those of network_tasks.hpp, and
//
//   cores   the answer is how many cores the threads have at this moment
#include <chrono>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/nn/attention_unet.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "machine_peak.hpp"
#include "network_tasks.hpp"
#include "small_unet.hpp"

namespace {

double milliseconds(int count, const std::function<void()>& f) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) f();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / count;
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> given(arguments + 1, arguments + count);
  if (given == std::vector<std::string>{"--precisions"}) {
    std::puts(cz::tile_product::available() ? "float32 bf16" : "float32");
    return 0;
  }
  if (given.size() != 3 || (given[2] != "float32" && given[2] != "bf16")) {
    std::fprintf(stderr,
                 "usage: bench_network DATA THREADS float32|bf16   (driven by compare_pytorch.sh)\n"
                 "       bench_network --precisions                (which of them differ here)\n");
    return 2;
  }
  try {
    cz::cpu_backend<float> b(std::atoi(arguments[2]),
                             given[2] == "bf16" ? cz::cpu_precision::bf16 : cz::cpu_precision::float32);
    const cz::safetensors_file data = cz::load_safetensors(arguments[1]);
    network_list networks;
    networks.add("reconstructor",
                 [&] { return std::make_unique<reconstructor_tasks<decltype(b)>>(b, data); });
    networks.add(b, data, "unet", small_unet());
    networks.add(b, data, "unet2d_small", cz::attention_unet(1, 1, {.widths = {32, 64, 96}, .groups = 8}));
    networks.add(b, data, "unet2d",
                 cz::attention_unet(3, 3, {.widths = {64, 128, 128}, .attention = {1, 2}}));
    serve(networks, milliseconds, [&](const std::string& command) {
      if (command != "cores") return false;
      std::cout << cores_at_hand(b.pool()) << '\n';
      return true;
    });
  } catch (const cz::error& failure) {
    std::fprintf(stderr, "bench_network: %s\n", failure.what());
    return 1;
  }
}
