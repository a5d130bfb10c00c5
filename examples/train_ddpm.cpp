/// Trains a denoising diffusion model (Ho et al. 2020) with the network of Cold Zoom Diffusion.

#include "common/train_model.hpp"

namespace {

struct settings : programs::training_settings {
  std::string schedule = "linear";
};

void add_options(programs::options& o, settings& s) {
  programs::add_training_options(
      o, s, {&programs::find_method("", "ddpm_linear"), &programs::find_method("", "ddpm_cosine")});
  o.add("--schedule", s.schedule, "of the noise: linear (Ho et al. 2020) or cosine (Nichol, Dhariwal 2021)")
      .one_of({"linear", "cosine"});
}

void train(programs::machine& m, const settings& s) {
  programs::train_model(m, programs::method_of("ddpm_" + s.schedule, s), s);
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "train_ddpm",
      "Trains a denoising diffusion model: the noise e from x_t = signal(t) x0 + noise(t) e, t = 1 .. T. "
      "Short for train --method ddpm_linear, or ddpm_cosine.",
      add_options, train);
}
