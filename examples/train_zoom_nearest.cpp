/// Trains the reconstructor of Cold Zoom Diffusion, nearest interpolation.

#include "common/train_zoom.hpp"

int main(int argc, char** argv) {
  return programs::train_zoom_main("zoom_nearest", coldzoom::nearest{}, argc, argv);
}
