/// Trains Cold Zoom Diffusion for half a minute and draws 64 digits: zoom DIGITS_FOLDER [PICTURE.png]
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/io/png.hpp>
#include <cstdio>

using namespace coldzoom;

int main(int argc, char** argv) {
  cpu_backend<float> b;
  const split_pair digits = load_mnist_folder(argc > 1 ? argv[1] : "examples/data");
  const dataset<cpu_backend<float>, unit> images(b, digits.train.dims, digits.train.pixels.data());
  const shape image = images.dims().with_n(1);

  const auto method = make_method(unit{}, zoom<nearest>{.last_step = 24}, linear_schedule(24));
  trainer t(b, method, reconstructor(image, {16, 16}), image);
  for (int epoch = 1; epoch <= 8; ++epoch)
    std::printf("epoch %d, loss %.4f\n", epoch, t.train_epoch(images, epoch, constant_rate{2e-3}));

  // Digits begin with the centres of training images, as a zoom of 24 steps leaves them.
  image_buffer<cpu_backend<float>, unit> x0(b, image.with_n(64)), z(b, image.with_n(64));
  images.gather(b, {natural_order(64).data(), 64}, x0.view());
  const std::vector<float> level(64, 1.0f);
  degrade(b, method.degradation, std::as_const(x0).view(), {level.data(), 64}, {}, z.view());
  model m(b, method.predict, t.network(), image, to_host(b, t.best()));
  naive_sampler{}(b, m, method.degradation, method.schedule, 24, {}, z.view());
  save_png(argc > 2 ? argv[2] : "zoom.png", image_grid(z.view(), 16, 2, 2));
}
