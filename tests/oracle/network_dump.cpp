// The C++ side of torch_parity.py: one training pass of the reconstructor, files in, file out.
#include <cstdio>

#include "network_pass.hpp"

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: coldzoom_network_dump WEIGHTS INPUTS RESULT   (safetensors files)\n");
    return 2;
  }
  try {
    coldzoom::save_safetensors(arguments[3], run_pass(coldzoom::load_safetensors(arguments[1]),
                                                      coldzoom::load_safetensors(arguments[2])));
  } catch (const coldzoom::error& failure) {
    std::fprintf(stderr, "coldzoom_network_dump: %s\n", failure.what());
    return 1;
  }
}
