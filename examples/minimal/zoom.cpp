/// Magnifies digits 12 steps, trains a network to undo it, and brings 32 test digits back: zoom DIGITS_FOLDER [PICTURE.png]
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/io/png.hpp>
#include <cstdio>

using namespace coldzoom;

int main(int argc, char** argv) {
  cpu_backend<float> b;
  const split_pair digits = load_mnist_folder(argc > 1 ? argv[1] : "examples/data");
  const dataset<cpu_backend<float>, unit> train(b, digits.train.dims, digits.train.pixels.data()),
      test(b, digits.test.dims, digits.test.pixels.data());
  const shape image = train.dims().with_n(1);

  const auto method = make_method(unit{}, zoom<nearest>{.last_step = 12}, linear_schedule(12));
  trainer t(b, method, reconstructor(image, {16, 16}), image);
  for (int epoch = 1; epoch <= 3; ++epoch)
    std::printf("epoch %d, loss %.4f\n", epoch, t.train_epoch(train, epoch, constant_rate{2e-3}));
  std::printf("test loss %.4f\n", t.test_loss(test));

  image_buffer<cpu_backend<float>, unit> x0(b, image.with_n(32)), z(b, image.with_n(32));
  test.gather(b, {natural_order(32).data(), 32}, x0.view());
  model m(b, method.predict, t.network(), image, to_host(b, t.best()));
  degrade_and_restore(b, naive_sampler{}, m, method.degradation, method.schedule, 12, {},
                      std::as_const(x0).view(), z.view());
  save_png(argc > 2 ? argv[2] : "zoom.png", image_grid(z.view(), 8, 3, 2));
}
