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
  int calls = 0;        // network calls; 0 for the method's own
  std::uint64_t seed = 0;
  coldzoom::index_t first = 0, count = 64;  // the number of the first sample, and how many
  bool clip = true;                         // x0_hat, of samplers of noise
  double eta = 0;                           // of ddim
  double churn = 0;                         // of heun
  double noise = 0;                         // of naive and tacos
  double spacing = 0;                       // of adams_bashforth; 0 for the method's own
  double guidance = 1;                      // of models with labels
  double temperature = 1;                   // of the noise in the initial state
  std::vector<coldzoom::index_t> classes;   // sample i is of class classes[i % size]; drawn where empty
};

/// The sampler and all that says how it walks, and the seed.
void add_sampler_options(options& o, sampling_options& s);
/// The same, and what is drawn: guidance, temperature, classes.
void add_sampling_options(options& o, sampling_options& s);

/// The options with the method's own in place of those that the user left open. Throws coldzoom::error where a
/// sampler does not fit the method, for an option that it does not have, and for more calls than T.
sampling_options resolved(const model_method& method, sampling_options options);

/// How a quick look is sampled, as the method's entry says.
sampling_options grid_sampling(const model_method& method, coldzoom::index_t count, std::uint64_t seed);

/// Where the latents come from.
struct latent_options {
  std::string policy, file, data;  // empty where the user did not say
};

/// --latent-file, the counts in the model's file, or the data.
latent_source find_latents(machine& m, const latent_options& s, const trained_model& model);

}  // namespace programs
