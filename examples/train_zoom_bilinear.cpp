/// Trains the reconstructor of Cold Zoom Diffusion, bilinear interpolation.

#include "common/program.hpp"
#include "common/train_model.hpp"

int main(int argc, char** argv) {
  using programs::training_settings;
  return programs::run<training_settings>(argc, argv, "train_zoom_bilinear",
                                          "Trains the reconstructor of Cold Zoom Diffusion: x0 from D(x0, "
                                          "t), zoomed in by t = 1 .. T with bilinear "
                                          "interpolation.",
                                          programs::add_training_options, [](const training_settings& s) {
                                            programs::train_zoom("zoom_bilinear", s);
                                          });
}
