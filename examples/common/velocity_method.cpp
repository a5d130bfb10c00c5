#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/sampling/dpm_solver.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/zero_terminal_snr.hpp>
#include <utility>

#include "common/method_on.hpp"
#include "common/methods.hpp"

namespace programs {

std::unique_ptr<method_entry> ddpm_velocity_entry() {
  // Member by member: g++ 12 takes those that a list of names leaves out for uninitialised.
  method_info about;
  about.name = "ddpm_velocity";
  about.help =
      "adds noise by the linear schedule until nothing is left (Lin et al. 2023), predicts the velocity";
  about.steps = 1000;
  about.title = "linear to zero";
  about.quick_sampler = "ddim";
  about.quick_calls = 50;
  about.tiles = true;
  return make_entry(
      std::move(about),
      [](const method_settings& s) {
        return coldzoom::make_method(value_range{}, coldzoom::gaussian_noise{},
                                     coldzoom::zero_terminal_snr(coldzoom::ddpm_schedule::linear(s.steps)),
                                     coldzoom::predict_velocity{});
      },
      gaussian_latents{}, coldzoom::ddpm_sampler{}, coldzoom::ddim_sampler{}, coldzoom::dpm_solver_sampler{});
}

}  // namespace programs
