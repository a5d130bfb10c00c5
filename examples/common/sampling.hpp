/// Sampling from a model of any kind, as `sample` and the training programs do it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/latents.hpp"
#include "common/model.hpp"
#include "common/options.hpp"

namespace programs {

struct sampling_options {
  std::string sampler;  // empty for the first that fits the model
  int calls = 0;        // network calls; 0 for one per step of the model
  std::uint64_t seed = 0;
  coldzoom::index_t count = 64;
  bool clip = true;                        // x0_hat, of samplers of noise
  double eta = 0;                          // of ddim
  double spacing = 1;                      // of adams_bashforth
  double guidance = 1;                     // of models with labels
  std::vector<coldzoom::index_t> classes;  // sample i is of class classes[i % size]; drawn where empty
};

void add_sampling_options(options& o, sampling_options& s);

/// The sampler to use. Throws coldzoom::error where the wanted one does not fit the method.
std::string fitting_sampler(const method_entry& method, const sampling_options& options);

/// Network calls of such sampling. Throws coldzoom::error for more than T.
int network_calls(const model_method& method, const sampling_options& options);

/// How a quick look is sampled, as the method's entry says.
sampling_options grid_sampling(const model_method& method, coldzoom::index_t count, std::uint64_t seed);

/// Where the latents come from.
struct latent_options {
  std::string policy, file, data;  // empty where the user did not say
};

/// --latent-file, the counts in the model's file, or the data.
latent_source find_latents(machine& m, const latent_options& s, const trained_model& model);

}  // namespace programs
