// The C++ side of torch_parity.py and diffusers_parity.py: one training pass, files in, file out.
#include <cstdio>

#include "network_pass.hpp"

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: coldzoom_network_dump WEIGHTS INPUTS RESULT   (safetensors files)\n");
    return 2;
  }
  try {
    const coldzoom::safetensors_file weights = coldzoom::load_safetensors(arguments[1]),
                                     inputs = coldzoom::load_safetensors(arguments[2]);
    coldzoom::save_safetensors(arguments[3], weights.find("conv_in.weight")
                                                 ? run_pass(unet_of(inputs), weights, inputs)
                                                 : run_pass(weights, inputs));
  } catch (const coldzoom::error& failure) {
    std::fprintf(stderr, "coldzoom_network_dump: %s\n", failure.what());
    return 1;
  }
}
