/// Trains the reconstructor of Cold Zoom Diffusion, bilinear interpolation.

#include "common/train_model.hpp"

int main(int argc, char** argv) {
  return programs::train_one_method(
      argc, argv, "train_zoom_bilinear",
      "Trains the reconstructor of Cold Zoom Diffusion: x0 from D(x0, t), zoomed in "
      "by t = 1 .. T with bilinear interpolation. Short for train --method "
      "zoom_bilinear.",
      "zoom_bilinear");
}
