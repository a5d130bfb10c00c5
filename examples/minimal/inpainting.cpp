/// Restores pictures with missing pixels: inpainting DIGITS_FOLDER [PICTURE.png]
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/io/png.hpp>
#include <cstdio>

using namespace coldzoom;

struct missing_pixels {  // each pixel is lost at a level of its own, which its key decides
  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               sample_key key) const {
    const bool lost = random_uniform(key, static_cast<std::uint64_t>(y * x0.w + x)) < 0.9f * level;
    return lost ? 0.0f : x0(c, y, x);
  }
};

int main(int argc, char** argv) {
  cpu_backend<float> b;
  const split_pair digits = load_mnist_folder(argc > 1 ? argv[1] : "examples/data");
  const dataset<cpu_backend<float>, unit> train(b, digits.train.dims, digits.train.pixels.data()),
      test(b, digits.test.dims, digits.test.pixels.data());
  const shape image = train.dims().with_n(1);
  const auto method = make_method(unit{}, missing_pixels{}, linear_schedule(10));
  trainer t(b, method, reconstructor(image, {16, 16}), image);
  for (int epoch = 1; epoch <= 2; ++epoch) t.train_epoch(train, epoch, constant_rate{2e-3});
  std::printf("test loss %.4f\n", t.test_loss(test));

  image_buffer<cpu_backend<float>, unit> x0(b, image.with_n(32)), z(b, image.with_n(32));
  test.gather(b, {natural_order(32).data(), 32}, x0.view());
  model m(b, method.predict, t.network(), image, to_host(b, t.best()));
  // One call degrades and restores, so that both have the same keys.
  degrade_and_restore(b, tacos_sampler{}, m, method.degradation, method.schedule, 10, {7},
                      std::as_const(x0).view(), z.view());
  save_png(argc > 2 ? argv[2] : "inpainting.png", image_grid(z.view(), 8, 2, 2));
}
