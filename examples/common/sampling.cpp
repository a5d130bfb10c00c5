#include "common/sampling.hpp"

#include <algorithm>
#include <coldzoom/sampling/sampler.hpp>

#include "common/latent_policies.hpp"

namespace programs {

namespace {

/// "naive or tacos".
template <class Fits> std::string names_of(const std::vector<sampler_info>& samplers, const Fits& fits) {
  std::string text;
  for (const sampler_info& sampler : samplers) {
    if (fits(sampler)) text += (text.empty() ? "" : " or ") + sampler.name;
  }
  return text;
}

}  // namespace

void add_sampling_options(options& o, sampling_options& s) {
  std::vector<std::string> all;
  std::string help;  // methods with the same samplers stand together
  std::map<std::string, std::string> methods_of;
  for (const method_entry* method : methods()) {
    for (const sampler_info& sampler : method->samplers()) {
      if (std::find(all.begin(), all.end(), sampler.name) == all.end()) all.push_back(sampler.name);
    }
    std::string& names = methods_of[names_of(method->samplers(), [](const sampler_info&) { return true; })];
    names += (names.empty() ? "" : ", ") + method->name();
  }
  for (const auto& [samplers, names] : methods_of)
    help += (help.empty() ? "" : "; ") + samplers + " for " + names;
  o.add("--sampler", s.sampler, help + "; the first is the default").one_of(all);
  o.add("--sampling-steps", s.calls, "network calls, 1 to T; 0 for T").at_least_0();
  o.add_flag("!--no-clip", s.clip,
             "ddpm, ddim and adams_bashforth: do not clip x0_hat to the range of the data in every step");
  o.add("--eta", s.eta, "ddim: fresh noise in each step, 0 (none) to 1 (as much as ancestral)").from_0_to_1();
  o.add("--spacing", s.spacing,
        "adams_bashforth: a power above 1 spends more of the calls early, where pictures are decided")
      .at_least_0();
  o.add("--guidance", s.guidance,
        "models with labels: how far to lean towards the label, 1 (as trained) to 3, at twice the cost above "
        "1")
      .at_least_0();
  o.add("--class", s.classes,
        "models with labels: classes to draw, in turn, such as 7 or 0,1,2; drawn with the initial states if "
        "absent")
      .separated_by(',')
      .range(0, 255);
  add_seed(o, s.seed, "sample i depends on the seed and i alone");
}

std::string fitting_sampler(const method_entry& method, const sampling_options& options) {
  const std::vector<sampler_info>& fit = method.samplers();
  const std::string& wanted = options.sampler.empty() ? fit.front().name : options.sampler;
  const auto found = std::find_if(fit.begin(), fit.end(),
                                  [&](const sampler_info& sampler) { return sampler.name == wanted; });
  coldzoom::require(found != fit.end(), "--sampler", [&] {
    return "found " + wanted + ", wanted " + names_of(fit, [](const sampler_info&) { return true; }) +
           ": a " + method.name() + " model predicts " + spoken(method.target());
  });
  coldzoom::require(options.eta == 0 || found->has_eta, "--eta", [&] {
    const std::string names = names_of(fit, [](const sampler_info& sampler) { return sampler.has_eta; });
    return names.empty() ? "no sampler of a " + method.name() + " model has one"
                         : "only the " + names + " sampler has one";
  });
  coldzoom::require(options.spacing == 1 || found->has_spacing, "--spacing", [&] {
    const std::string names = names_of(fit, [](const sampler_info& sampler) { return sampler.has_spacing; });
    return names.empty() ? "no sampler of a " + method.name() + " model has one"
                         : "only the " + names + " sampler has one";
  });
  return wanted;
}

int network_calls(const model_method& method, const sampling_options& options) {
  const int calls = options.calls == 0 ? method.steps : options.calls;
  coldzoom::sampling_steps(method.steps, calls);  // checks
  return calls;
}

sampling_options grid_sampling(const model_method& method, coldzoom::index_t count, std::uint64_t seed) {
  sampling_options options;
  options.seed = seed;
  options.count = count;
  options.sampler = method.entry->info().quick_sampler;
  options.calls = std::min(method.steps, method.entry->info().quick_calls);
  return options;
}

latent_source find_latents(machine& m, const latent_options& s, const trained_model& model) {
  using namespace coldzoom;
  const shape image = model.network.image();
  const model_method& method = model.method;
  const auto of_noise = [](const std::string& policy) { return policy == gaussian_latents::name; };
  if (!s.file.empty()) {
    latent_source source = load_latents(s.file);
    require(s.policy.empty() || s.policy == source.policy, "--latent", [&] {
      return "found " + s.policy + ", but " + s.file + " holds " + source.policy + " initial states";
    });
    require(source.image == image, s.file.c_str(), [&] {
      return "found initial states for images of " + to_string(source.image) + ", the model draws " +
             to_string(image);
    });
    check_latent(*method.entry, source.policy);
    require(of_noise(source.policy) || (method.name() == source.kind && method.steps == source.step),
            s.file.c_str(), [&] {
              return "found initial states of " + source.kind + " at step " + std::to_string(source.step) +
                     ", the model starts from " + method.name() + " at step " + std::to_string(method.steps);
            });
    return source;
  }
  const std::string policy = s.policy.empty() ? method.entry->latents().front() : s.policy;
  check_latent(*method.entry, policy);
  if (of_noise(policy)) return {policy, method.name(), 0, "noise", image};
  if (policy == histogram_latents::name && model.histogram && s.data.empty()) {
    return {policy, method.name(), method.steps, "the model", image, *model.histogram};
  }
  const named_data data = load_data_for(model, s.data);
  return make_latents(m, method, policy, data.name, data.images.train);
}

}  // namespace programs
