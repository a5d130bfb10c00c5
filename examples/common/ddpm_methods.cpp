#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/sampling/dpm_solver.hpp>
#include <coldzoom/schedule/ddpm.hpp>

#include "common/method_on.hpp"
#include "common/methods.hpp"

namespace programs {

namespace {

const char* const beta_max_name = "beta_max";

/// Both are of one type, so that they are compiled once: make(settings) is chosen at run time.
using schedule_maker = coldzoom::ddpm_schedule (*)(const method_settings&);

std::unique_ptr<method_entry> ddpm_entry(method_info info, double beta_max, schedule_maker schedule) {
  info.numbers = {{.name = beta_max_name, .help = "largest variance of a step", .otherwise = beta_max}};
  // The original project left out the last step.
  info.original = {info.steps, info.steps - 1, {{beta_max_name, 0.02}}};
  info.quick_sampler = "ddim";
  info.quick_calls = 50;
  info.tiles = true;
  const auto make = [schedule](const method_settings& s) {
    return coldzoom::make_method(value_range{}, coldzoom::gaussian_noise{}, schedule(s),
                                 coldzoom::predict_noise{});
  };
  return make_entry(std::move(info), make, gaussian_latents{}, coldzoom::ddpm_sampler{},
                    coldzoom::ddim_sampler{}, coldzoom::dpm_solver_sampler{});
}

}  // namespace

std::unique_ptr<method_entry> ddpm_linear_entry() {
  return ddpm_entry({.name = "ddpm_linear",
                     .help = "adds noise by the linear schedule of Ho et al. 2020",
                     .steps = 1000,
                     .title = "linear"},
                    0.02, [](const method_settings& s) {
                      const double beta_max = s.number(beta_max_name);
                      return coldzoom::ddpm_schedule::linear(s.steps, std::min(1e-4, beta_max), beta_max);
                    });
}

std::unique_ptr<method_entry> ddpm_cosine_entry() {
  return ddpm_entry({.name = "ddpm_cosine",
                     .help = "adds noise by the cosine schedule of Nichol and Dhariwal 2021",
                     .steps = 1000,
                     .title = "cosine"},
                    0.999, [](const method_settings& s) {
                      return coldzoom::ddpm_schedule::cosine(s.steps, s.number(beta_max_name));
                    });
}

}  // namespace programs
