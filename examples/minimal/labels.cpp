/// Digits of the class that you ask for, by a small U-Net: labels DIGITS_FOLDER DIGIT [PICTURE.png]
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/io/png.hpp>
#include <cstdio>
#include <string>

using namespace coldzoom;
using reading_block = conv_block<group_norm, silu, embedding_addition>;  // reads time and label
auto block(index_t in, index_t out) {
  return reading_block{conv2d::same(in, out, 3), group_norm(8, out), embedding_addition(64, out)};
}

int main(int argc, char** argv) {
  cpu_backend<float> b;
  const split_pair digits = load_mnist_folder(argc > 1 ? argv[1] : "examples/data");
  dataset<cpu_backend<float>, symmetric> images(b, digits.train.dims, digits.train.pixels.data());
  images.set_labels(b, digits.train.labels, 10);
  const shape image = images.dims().with_n(1);
  const auto inner = sequence(average_pool(2), block(32, 64), block(64, 64), upsample_nearest(2));
  const auto half =
      sequence(average_pool(2), block(16, 32), skip_concat(inner), block(96, 32), upsample_nearest(2));
  const embedded network(time_label_embedding(64, 10),
                         sequence(block(1, 16), skip_concat(half), block(48, 16), conv2d::same(16, 1, 3)));
  const auto method = make_method(symmetric{}, flow_noise{}, linear_schedule(100), predict_flow{});
  trainer t(b, method, network, image, {.batch_size = 64, .label_dropout = 0.15, .average_decays = {0.995}});
  const warmup_cosine rate{2e-3, 100, 8 * t.batches(images)};
  for (int epoch = 1; epoch <= 8; ++epoch)
    std::printf("epoch %d, loss %.4f\n", epoch, t.train_epoch(images, epoch, rate));

  image_buffer<cpu_backend<float>, symmetric> z(b, image.with_n(64));
  gaussian_state<symmetric>{}.draw(b, {1, stream::initial_state, 0}, z.view());
  const std::vector<std::int32_t> wanted(64, argc > 2 ? std::stoi(argv[2]) : 7);
  model m(b, method.predict, t.network(), image, to_host(b, t.best()));
  m.set_labels({wanted.data(), 64});
  guided g(b, m, 2.0f, 10);  // label 10 stands for none
  dpm_solver_sampler{}(b, g, method.degradation, method.schedule, 12, {}, z.view());
  const auto pixels = z.to_host<unit>(b);
  save_png(argc > 3 ? argv[3] : "labels.png", image_grid({pixels.data(), z.dims()}, 16, 2, 2));
}
