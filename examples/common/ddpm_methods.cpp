#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/schedule/ddpm.hpp>

#include "common/method_on.hpp"
#include "common/methods.hpp"

namespace programs {

namespace {

/// Both are of one type, so that they are compiled once: make(settings) is chosen at run time.
using schedule_maker = coldzoom::ddpm_schedule (*)(const method_settings&);

std::unique_ptr<method_entry> ddpm_entry(method_info info, schedule_maker schedule) {
  // The original project left out the last step.
  info.original = {info.steps, info.steps - 1, 0.02};
  info.quick_sampler = "ddim";
  info.quick_calls = 50;
  const auto make = [schedule](const method_settings& s) {
    return coldzoom::make_method(value_range{}, coldzoom::gaussian_noise{}, schedule(s),
                                 coldzoom::predict_noise{});
  };
  return make_entry(std::move(info), make, gaussian_latents{}, coldzoom::ddpm_sampler{},
                    coldzoom::ddim_sampler{});
}

}  // namespace

std::unique_ptr<method_entry> ddpm_linear_entry() {
  return ddpm_entry({.name = "ddpm_linear",
                     .help = "adds noise by the linear schedule of Ho et al. 2020",
                     .steps = 1000,
                     .beta_max = 0.02,
                     .title = "linear"},
                    [](const method_settings& s) {
                      return coldzoom::ddpm_schedule::linear(s.steps, std::min(1e-4, s.beta_max), s.beta_max);
                    });
}

std::unique_ptr<method_entry> ddpm_cosine_entry() {
  return ddpm_entry(
      {.name = "ddpm_cosine",
       .help = "adds noise by the cosine schedule of Nichol and Dhariwal 2021",
       .steps = 1000,
       .beta_max = 0.999,
       .title = "cosine"},
      [](const method_settings& s) { return coldzoom::ddpm_schedule::cosine(s.steps, s.beta_max); });
}

}  // namespace programs
