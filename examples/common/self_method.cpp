#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <utility>

#include "common/method_on.hpp"
#include "common/methods.hpp"

namespace programs {

std::unique_ptr<method_entry> ddpm_self_entry() {
  // Member by member: g++ 12 takes those that a list of names leaves out for uninitialised.
  method_info about;
  about.name = "ddpm_self";
  about.help =
      "adds noise by the cosine schedule, predicts the image and reads its last estimate (Chen et al. 2022)";
  about.steps = 1000;
  about.title = "self-conditioned";
  about.quick_sampler = "ddim";
  about.quick_calls = 50;
  about.tiles = true;
  return make_entry(
      std::move(about),
      [](const method_settings& s) {
        return coldzoom::make_method(value_range{}, coldzoom::gaussian_noise{},
                                     coldzoom::ddpm_schedule::cosine(s.steps), coldzoom::predict_x0{},
                                     coldzoom::inputs(coldzoom::plain_input{}, coldzoom::self_input{}));
      },
      gaussian_latents{}, coldzoom::ddpm_sampler{}, coldzoom::ddim_sampler{});
}

}  // namespace programs
