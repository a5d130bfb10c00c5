// The C++ side of torch_parity.py, diffusers_parity.py and lucidrains_parity.py: one training pass, files in, file
// out.
#include <cstdio>

#include "coldzoom_programs/network.hpp"
#include "common/model.hpp"
#include "network_pass.hpp"

namespace {

/// The network of a model file of the programs, or that the arrays are of, or that the inputs describe.
coldzoom::safetensors_file run(const char* weights_path, const char* inputs_path) {
  const coldzoom::safetensors_file weights = coldzoom::load_safetensors(weights_path),
                                   inputs = coldzoom::load_safetensors(inputs_path);
  if (weights.metadata.count("network"))
    return run_pass(
        programs::layer_on<programs::host_backend>(programs::load_model(weights_path, "").network), weights,
        inputs);
  if (weights.find("conv_in.weight")) return run_pass(unet_of(inputs), weights, inputs);
  if (weights.find("0.norm.weight")) return run_pass(linear_attention_of(inputs), weights, inputs);
  return run_pass(weights, inputs);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: coldzoom_network_dump WEIGHTS INPUTS RESULT   (safetensors files)\n");
    return 2;
  }
  try {
    coldzoom::save_safetensors(arguments[3], run(arguments[1], arguments[2]));
  } catch (const coldzoom::error& failure) {
    std::fprintf(stderr, "coldzoom_network_dump: %s\n", failure.what());
    return 1;
  }
}
