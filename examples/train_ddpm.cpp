/// Trains a denoising diffusion model (Ho et al. 2020) with the network of Cold Zoom Diffusion.

#include "common/program.hpp"
#include "common/train_model.hpp"

namespace {

struct settings : programs::training_settings {
  std::string schedule = "linear";
  double beta_max = 0;
  int last_step = 0;
};

void add_options(programs::options& o, settings& s) {
  programs::add_training_options(o, s);
  o.add("--schedule", s.schedule, "of the noise: linear (Ho et al. 2020) or cosine (Nichol, Dhariwal 2021)")
      .one_of({"linear", "cosine"});
  o.add("--beta-max", s.beta_max,
        "largest variance of a step, above 0 and below 1; 0 for 0.02 (linear), 0.999 (cosine; the original: "
        "0.02)")
      .from_0_to_below_1();
  o.add("--last-step", s.last_step,
        "t is drawn from 1 .. this one, 0 for T; the original left out the last: 999")
      .at_least_0();
}

void train(const settings& s) {
  const std::string kind = "ddpm_" + s.schedule;
  const int steps = s.steps == 0 ? 1000 : s.steps, last_step = s.last_step == 0 ? steps : s.last_step;
  coldzoom::require(steps <= programs::largest_steps, "--steps", [&] {
    return "found " + std::to_string(steps) + ", wanted 1 to " + std::to_string(programs::largest_steps);
  });
  coldzoom::require(last_step <= steps, "--last-step", [&] {
    return "found " + std::to_string(last_step) + ", wanted at most the " + std::to_string(steps) + " steps";
  });
  const double beta_max = s.beta_max > 0 ? s.beta_max : s.schedule == "linear" ? 0.02 : 0.999;
  programs::train_model({kind, steps, last_step, beta_max}, s);
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run<settings>(argc, argv, "train_ddpm",
                                 "Trains a denoising diffusion model: the noise e from x_t = signal(t) x0 + "
                                 "noise(t) e, t = 1 .. T.",
                                 add_options, train);
}
