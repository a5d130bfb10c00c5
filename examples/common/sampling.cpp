#include "common/sampling.hpp"

#include <algorithm>

namespace programs {

void add_sampling_options(options& o, sampling_options& s) {
  o.add("--sampler", s.sampler,
        "for zoom naive (algorithm 1, the default) or tacos (algorithm 2); for ddpm models ddpm (ancestral, "
        "the "
        "default) or ddim")
      .one_of({"naive", "tacos", "ddpm", "ddim"});
  o.add("--sampling-steps", s.calls, "network calls, 1 to T; 0 for T").at_least_0();
  o.add_flag("!--no-clip", s.clip,
             "ddpm and ddim: do not clip x0_hat to the range of the data in every step");
  o.add("--eta", s.eta, "ddim: fresh noise in each step, 0 (none) to 1 (as much as ancestral)").from_0_to_1();
  add_seed(o, s.seed, "sample i depends on the seed and i alone");
}

std::string fitting_sampler(const model_method& method, const sampling_options& options) {
  const bool noise = method.adds_noise();
  const std::string first = noise ? "ddpm" : "naive", second = noise ? "ddim" : "tacos";
  const std::string& wanted = options.sampler.empty() ? first : options.sampler;
  coldzoom::require(wanted == first || wanted == second, "--sampler", [&] {
    return "found " + wanted + ", wanted " + first + " or " + second + ": a " + method.kind +
           " model predicts " + (noise ? "the noise" : "x0");
  });
  coldzoom::require(options.eta == 0 || wanted == "ddim", "--eta", "only the ddim sampler has one");
  return wanted;
}

sampling_options grid_sampling(const model_method& method, coldzoom::index_t count, std::uint64_t seed) {
  sampling_options options;
  options.seed = seed;
  options.count = count;
  if (method.adds_noise()) {
    options.sampler = "ddim";
    options.calls = std::min(method.steps, 50);
  }
  return options;
}

latent_source find_latents(any_backend& b, const latent_options& s, const trained_model& model) {
  using namespace coldzoom;
  const shape image = model.network.image();
  const model_method& method = model.method;
  if (!s.file.empty()) {
    latent_source source = load_latents(s.file);
    require(s.policy.empty() || s.policy == source.policy, "--latent",
            [&] { return "found " + s.policy + ", but " + s.file + " holds " + source.policy + " latents"; });
    require(source.image == image, s.file.c_str(), [&] {
      return "found latents for images of " + to_string(source.image) + ", the model draws " +
             to_string(image);
    });
    check_latent(method.kind, source.policy);
    require(source.policy == "gaussian" || (source.kind == method.kind && source.step == method.steps),
            s.file.c_str(), [&] {
              return "found latents of " + source.kind + " at step " + std::to_string(source.step) +
                     ", the model starts from " + method.kind + " at step " + std::to_string(method.steps);
            });
    return source;
  }
  const std::string policy = s.policy.empty() ? default_latent(method.kind) : s.policy;
  check_latent(method.kind, policy);
  if (policy == "gaussian") return {policy, method.kind, 0, "noise", image, {}, {}};
  if (policy == "histogram" && model.histogram && s.data.empty()) {
    return {policy, method.kind, method.steps, "the model", image, *model.histogram, {}};
  }
  const named_data data = load_data_for(model, s.data);
  return make_latents(b, policy, method.kind, method.steps, data.name, data.images.train);
}

}  // namespace programs
