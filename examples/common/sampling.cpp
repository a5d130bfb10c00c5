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

void add_sampler_options(options& o, sampling_options& s) {
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
  std::string calls, spacings;  // of methods that have their own
  for (const method_entry* method : methods()) {
    const method_info& info = method->info();
    if (info.calls > 0)
      calls += (calls.empty() ? "" : ", ") + std::to_string(info.calls) + " (" + info.name + ")";
    if (info.spacing != 1)
      spacings += (spacings.empty() ? "" : ", ") + spoken(info.spacing) + " (" + info.name + ")";
  }
  o.add("--sampling-steps", s.calls,
        "network calls, 1 to T; 0 for the method's own: " + (calls.empty() ? "T" : calls + ", else T"))
      .at_least_0();
  o.add_flag("!--no-clip", s.clip,
             "all but naive and tacos: do not clip x0_hat to the range of the data in every step");
  o.add("--eta", s.eta, "ddim: fresh noise in each step, 0 (none) to 1 (as much as ancestral)").from_0_to_1();
  o.add("--churn", s.churn,
        "heun: S_churn of Karras et al. 2022, how far the noise is raised again on the way; 0 for none, 10 "
        "to 80 are "
        "usual")
      .at_least_0();
  o.add("--noise", s.noise,
        "naive and tacos: deviation of noise that is added to the state after each step but the last, in "
        "parts of "
        "the range of pixels; 0.01 to 0.05 gives variety where the network answers with a mean")
      .at_least_0();
  o.add("--spacing", s.spacing,
        "adams_bashforth: a power, 1 to 4; above 1 it spends more of the calls early, where pictures are "
        "decided; "
        "0 for the method's own: " +
            (spacings.empty() ? "1" : spacings + ", else 1"))
      .at_least_0();
  add_seed(o, s.seed, "sample i depends on the seed and i alone");
}

void add_sampling_options(options& o, sampling_options& s) {
  add_sampler_options(o, s);
  o.add("--guidance", s.guidance,
        "models with labels: how far to lean towards the label; 1 as trained, 1.5 to 3 for surer digits at "
        "twice "
        "the cost")
      .finite_from_1();
  o.add("--temperature", s.temperature,
        "factor of the noise in the initial state, for methods whose sampler adds none: above 1 the samples "
        "vary more, "
        "which few calls cost them")
      .finite_above_0();
  o.add("--class", s.classes,
        "models with labels: classes to draw, in turn, such as 7 or 0,1,2; drawn with the initial states if "
        "absent")
      .separated_by(',')
      .range(0, 255);
}

sampling_options resolved(const model_method& method, sampling_options options) {
  const method_info& info = method.entry->info();
  const std::vector<sampler_info>& fit = method.entry->samplers();
  if (options.sampler.empty()) options.sampler = fit.front().name;
  const auto found =
      std::find_if(fit.begin(), fit.end(), [&](const sampler_info& s) { return s.name == options.sampler; });
  coldzoom::require(found != fit.end(), "--sampler", [&] {
    return "found " + options.sampler + ", wanted " +
           names_of(fit, [](const sampler_info&) { return true; }) + ": a " + method.name() +
           " model predicts " + spoken(method.entry->target());
  });
  // Options that only samplers with such a member have.
  const auto check = [&](const char* option, bool asked, bool sampler_info::*has) {
    coldzoom::require(!asked || (*found).*has, option, [&] {
      const std::string names = names_of(fit, [&](const sampler_info& s) { return s.*has; });
      return names.empty() ? "no sampler of a " + method.name() + " model has one"
                           : "only the " + names + " sampler has one";
    });
  };
  check("--eta", options.eta != 0, &sampler_info::has_eta);
  check("--churn", options.churn != 0, &sampler_info::has_churn);
  check("--noise", options.noise != 0, &sampler_info::has_noise);
  check("--spacing", options.spacing != 0, &sampler_info::has_spacing);
  if (options.spacing == 0) options.spacing = found->has_spacing ? info.spacing : 1;
  coldzoom::require(options.spacing >= 1 && options.spacing <= 4, "--spacing",
                    [&] { return "found " + spoken(options.spacing) + ", wanted 1 to 4"; });
  if (options.calls == 0) options.calls = info.calls > 0 ? std::min(info.calls, method.steps) : method.steps;
  coldzoom::sampling_steps(method.steps, options.calls, options.spacing);  // checks
  return options;
}

sampling_options grid_sampling(const model_method& method, coldzoom::index_t count, std::uint64_t seed) {
  sampling_options options;
  options.seed = seed;
  options.count = count;
  options.sampler = method.entry->info().quick_sampler;
  options = resolved(method, options);
  options.calls = std::min(options.calls, method.entry->info().quick_calls);
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
