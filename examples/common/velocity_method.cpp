#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/sampling/dpm_solver.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/zero_terminal_snr.hpp>

#include "common/method_on.hpp"
#include "common/methods.hpp"

namespace programs {

std::unique_ptr<method_entry> ddpm_velocity_entry() {
  return make_entry(
      {.name = "ddpm_velocity",
       .help = "adds noise by the linear schedule until nothing is left (Lin et al. 2023), predicts the "
               "velocity",
       .steps = 1000,
       .title = "linear to zero",
       .quick_sampler = "ddim",
       .quick_calls = 50},
      [](const method_settings& s) {
        return coldzoom::make_method(value_range{}, coldzoom::gaussian_noise{},
                                     coldzoom::zero_terminal_snr(coldzoom::ddpm_schedule::linear(s.steps)),
                                     coldzoom::predict_velocity{});
      },
      gaussian_latents{}, coldzoom::ddpm_sampler{}, coldzoom::ddim_sampler{}, coldzoom::dpm_solver_sampler{});
}

}  // namespace programs
