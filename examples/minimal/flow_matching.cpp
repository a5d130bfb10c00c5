/// Flow matching with a multistep sampler of 12 calls: flow_matching DIGITS_FOLDER [PICTURE.png]
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/io/png.hpp>
#include <cstdio>

using namespace coldzoom;

int main(int argc, char** argv) {
  cpu_backend<float> b;
  const split_pair digits = load_mnist_folder(argc > 1 ? argv[1] : "examples/data");
  const dataset<cpu_backend<float>, symmetric> images(b, digits.train.dims, digits.train.pixels.data());
  const shape image = images.dims().with_n(1);

  // x_t = (1 - level) x0 + level e, and the network answers with e - x0.
  const auto method =
      make_method(symmetric{}, flow_noise{}, linear_schedule(100), predict_flow{}, huber{0.5});
  trainer t(b, method, reconstructor(image, {16, 16}), image, {.clip_norm = 1, .average_decays = {0.99}},
            adamw{.weight_decay = 0.01});
  for (int epoch = 1; epoch <= 8; ++epoch)
    std::printf("epoch %d, loss %.4f\n", epoch, t.train_epoch(images, epoch, constant_rate{2e-3}));

  image_buffer<cpu_backend<float>, symmetric> z(b, image.with_n(64));
  gaussian_state<symmetric>{}.draw(b, {1, stream::initial_state, 0}, z.view());
  model m(b, method.predict, t.network(), image, to_host(b, t.best()));
  dpm_solver_sampler{}(b, m, method.degradation, method.schedule, 12, {}, z.view());

  const std::vector<float> pixels = z.to_host<unit>(b);
  save_png(argc > 2 ? argv[2] : "flow.png",
           image_grid(tensor_view<const float>(pixels.data(), z.dims()), 16, 2, 2));
}
