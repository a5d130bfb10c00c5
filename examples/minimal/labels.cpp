/// Digits of the class that you ask for: labels DIGITS_FOLDER DIGIT [PICTURE.png]
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/io/png.hpp>
#include <cstdio>
#include <cstdlib>

using namespace coldzoom;
using addition = conv_block<layer_norm_pixels, gelu, embedding_addition>;

int main(int argc, char** argv) {
  cpu_backend<float> b;
  const split_pair digits = load_mnist_folder(argc > 1 ? argv[1] : "examples/data");
  dataset<cpu_backend<float>, symmetric> images(b, digits.train.dims, digits.train.pixels.data());
  images.set_labels(b, digits.train.labels, 10);
  const shape image = images.dims().with_n(1);

  // One embedding of time and label, 32 numbers an image, which both blocks add in their own way.
  const layer_norm_pixels norm(28, 28);
  const embedded network(
      time_label_embedding(32, 10),
      sequence(addition{conv2d::same(1, 16, 7), norm, embedding_addition(32, 16)},
               addition{conv2d::same(16, 16, 7), norm, embedding_addition(32, 16)}, conv2d::same(16, 1, 3)));
  const auto method = make_method(symmetric{}, flow_noise{}, linear_schedule(100), predict_flow{});
  trainer t(b, method, network, image, {.label_dropout = 0.15});
  for (int epoch = 1; epoch <= 12; ++epoch)
    std::printf("epoch %d, loss %.4f\n", epoch, t.train_epoch(images, epoch, constant_rate{2e-3}));

  image_buffer<cpu_backend<float>, symmetric> z(b, image.with_n(64));
  gaussian_state<symmetric>{}.draw(b, {1, stream::initial_state, 0}, z.view());
  const std::vector<std::int32_t> wanted(64, argc > 2 ? std::atoi(argv[2]) : 7);
  model m(b, method.predict, t.network(), image, to_host(b, t.best()));
  m.set_labels({wanted.data(), 64});
  guided g(b, m, 2.0f, 10);  // label 10 stands for no label
  dpm_solver_sampler{}(b, g, method.degradation, method.schedule, 12, {}, z.view());
  const std::vector<float> pixels = z.to_host<unit>(b);
  save_png(argc > 3 ? argv[3] : "labels.png",
           image_grid(tensor_view<const float>(pixels.data(), z.dims()), 16, 2, 2));
}
