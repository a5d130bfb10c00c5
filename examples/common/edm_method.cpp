#include <coldzoom/degradation/additive.hpp>
#include <coldzoom/nn/scaled_input.hpp>
#include <coldzoom/prediction/preconditioned.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/dpm_solver.hpp>
#include <coldzoom/sampling/heun.hpp>
#include <coldzoom/schedule/karras.hpp>

#include "common/method_on.hpp"
#include "common/methods.hpp"

namespace programs {

std::unique_ptr<method_entry> edm_entry() {
  return make_entry(
      {.name = "edm",
       .help = "EDM (Karras et al. 2022): noise without bounds, a preconditioned network, log-normal "
               "training noise",
       .steps = 1000,
       .numbers = {{.name = "sigma_max",
                    .help = "deviation of the noise at T, in halves of the range of the pixels",
                    .otherwise = 80,
                    .high = 1e4},
                   {.name = "rho",
                    .help = "above 1, more steps have little noise",
                    .otherwise = 7,
                    .low = 1,
                    .high = 100}},
       .title = "EDM",
       .calls = 35,
       .tiles = true},
      [](const method_settings& s) {
        // The paper's numbers, for pixels from -1 to 1, on this range.
        constexpr double half = (value_range::high - value_range::low) / 2;
        coldzoom::karras_numbers numbers;
        numbers.sigma_min *= half;
        numbers.sigma_max = s.number("sigma_max") * half;
        numbers.rho = s.number("rho");
        numbers.mean += std::log(half);
        // The deviation of MNIST's pixels is 0.308 here.
        using predict = coldzoom::predict_preconditioned<std::ratio<3, 10>>;
        return coldzoom::make_method(value_range{}, coldzoom::exploding_noise{},
                                     coldzoom::karras_schedule(s.steps, numbers), predict{},
                                     coldzoom::scaled_input(coldzoom::exploding_noise{}, predict::sigma_data),
                                     coldzoom::edm_weight{predict::sigma_data});
      },
      gaussian_latents{}, coldzoom::heun_sampler{}, coldzoom::dpm_solver_sampler{}, coldzoom::ddim_sampler{});
}

}  // namespace programs
