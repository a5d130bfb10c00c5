#include "common/machine.hpp"

#include <cstdio>

#include "common/on_backend.hpp"

namespace programs {

void on_machine(const machine_choice& choice, const std::function<void(machine&)>& work) {
  if (const int cpus = coldzoom::available_cpus(); choice.threads > cpus) {
    std::fprintf(
        stderr,
        "note: --threads %d on %d CPU%s: threads that wait for one slow down the rest; 0 takes all CPUs\n",
        choice.threads, cpus, cpus == 1 ? "" : "s");
  }
  host_backend host(choice.threads);
  const auto refuse = [&](const char* wanted) {
    throw coldzoom::error("--precision", "found " + choice.precision + ", wanted " + wanted);
  };
#if defined(COLDZOOM_PROGRAMS_CUDA)
  if (choice.name == "cuda") {
    using coldzoom::cuda_precision;
    if (choice.precision == "bf16") refuse("float32 or tf32 on a device");
    coldzoom::cuda_backend<float> device(
        0, choice.precision == "tf32" ? cuda_precision::tf32 : cuda_precision::float32);
    machine on(device, host);
    return work(on);
  }
#endif
  if (choice.precision == "tf32") refuse("float32 or bf16 on the CPU");
  if (choice.precision == "bf16" && !coldzoom::tile_product::available())
    refuse("float32: this CPU, or what the program was compiled for, has no matrix unit");
  // Metrics are computed by `host`, in float32 whatever the choice.
  host_backend chosen = choice.precision == "bf16" ? host.with(coldzoom::cpu_precision::bf16) : host;
  machine on(chosen, host);
  work(on);
}

}  // namespace programs
