/// Trains the reconstructor of Cold Zoom Diffusion, nearest interpolation.

#include "common/train_model.hpp"

int main(int argc, char** argv) {
  return programs::train_one_method(
      argc, argv, "train_zoom_nearest",
      "Trains the reconstructor of Cold Zoom Diffusion: x0 from D(x0, t), zoomed in "
      "by t = 1 .. T with nearest interpolation. Short for train --method "
      "zoom_nearest.",
      "zoom_nearest");
}
