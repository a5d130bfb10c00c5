/// Trains a classifier of digits: classifier DIGITS_FOLDER
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <cstdio>

using namespace coldzoom;

int main(int argc, char** argv) {
  cpu_backend<float> b;
  const split_pair digits = load_mnist_folder(argc > 1 ? argv[1] : "examples/data");
  dataset<cpu_backend<float>, centred> train(b, digits.train.dims, digits.train.pixels.data()),
      test(b, digits.test.dims, digits.test.pixels.data());
  train.set_labels(b, digits.train.labels, 10);
  test.set_labels(b, digits.test.labels, 10);

  const auto network = sequence(conv2d::same(1, 16, 5), silu{}, max_pool(2), conv2d::same(16, 32, 5), silu{},
                                max_pool(2), flatten{}, linear{32 * 7 * 7, 10});
  classifier_trainer t(b, centred{}, network, train.dims(), {.batch_size = 64}, random_shift{2});
  for (int epoch = 1; epoch <= 2; ++epoch) {
    const classification_score seen = t.train_epoch(train, epoch, constant_rate{1e-3});
    std::printf("epoch %d: loss %.4f, %.2f %% of the test images right\n", epoch, seen.loss,
                100 * t.test(test).accuracy);
  }
}
