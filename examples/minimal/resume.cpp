/// A run that continues where it was stopped, to the same bits: resume DIGITS_FOLDER [CHECKPOINT.safetensors]
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/core/file.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/training/checkpoint.hpp>
#include <cstdio>

using namespace coldzoom;

int main(int argc, char** argv) {
  const std::string file = argc > 2 ? argv[2] : "resume.safetensors";
  cpu_backend<float> b;
  const split_pair digits = load_mnist_folder(argc > 1 ? argv[1] : "examples/data");
  const dataset<cpu_backend<float>, centred> images(b, digits.train.dims, digits.train.pixels.data());
  const shape image = images.dims().with_n(1);

  trainer t(b, make_method(centred{}, zoom<bilinear>{.last_step = 23}, linear_schedule(23)),
            reconstructor(image, {8, 8}), image);
  index_t epoch = 0;
  try {
    if (file_exists(file)) epoch = load_checkpoint(file, t);  // refuses what would change the bits
  } catch (const error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  std::printf("%td epochs are done\n", epoch);
  std::printf("epoch %td, loss %.5f\n", epoch + 1, t.train_epoch(images, epoch + 1, constant_rate{1e-3}));
  save_checkpoint(file, t, epoch + 1);
}
