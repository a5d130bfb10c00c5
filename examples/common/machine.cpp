#include "common/machine.hpp"

#include "common/on_backend.hpp"

namespace programs {

void on_machine(const machine_choice& choice, const std::function<void(machine&)>& work) {
  host_backend host(choice.threads);
#if defined(COLDZOOM_PROGRAMS_CUDA)
  if (choice.name == "cuda") {
    coldzoom::cuda_backend<float> device;
    machine on(device, host);
    return work(on);
  }
#endif
  machine on(host, host);
  work(on);
}

}  // namespace programs
