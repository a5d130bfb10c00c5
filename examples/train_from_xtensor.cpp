/// Trains a small reconstructor on images that lie in an xtensor array, for one epoch.
#include <algorithm>
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/interop/xtensor.hpp>
#include <cstdio>
#include <string>

namespace cz = coldzoom;

#include "common/on_backend.hpp"
#include "common/program.hpp"

namespace {

struct options {
  std::string data = COLDZOOM_EMBEDDED_DATA;
  cz::index_t limit = 2000;
  cz::index_t batch = 64;
  programs::machine_choice on;
};

/// The first `limit` images as an array N x C x H x W in [-0.5, 0.5]. Your own array would come from a file,
/// a simulation or Python.
xt::xtensor<float, 4> to_array(const cz::labelled_images& set, cz::index_t limit) {
  const cz::shape dims = set.dims.with_n(std::min(limit, set.dims.n));
  const auto bytes =
      xt::adapt(set.pixels.data(), static_cast<std::size_t>(dims.size()), xt::no_ownership(),
                std::array{static_cast<std::size_t>(dims.n), static_cast<std::size_t>(dims.c),
                           static_cast<std::size_t>(dims.h), static_cast<std::size_t>(dims.w)});
  return xt::cast<float>(bytes) / 255.0f - 0.5f;
}

template <class B> void run_on(B& b, const options& o) {
  using images = cz::dataset<B, cz::centred, float>;

  const cz::split_pair sets = cz::load_mnist_folder(o.data);
  xt::xtensor<float, 4> train_array = to_array(sets.train, o.limit),
                        test_array = to_array(sets.test, o.limit / 4);
  // A view shares the array's memory; the data set holds a copy in the backend's memory.
  const images train = images::from_view(b, cz::as_tensor_view(train_array));
  const images test = images::from_view(b, cz::as_tensor_view(test_array));

  const cz::shape image = train.dims();
  const cz::reconstructor network(image, {8, 8}, 5);
  const cz::zoom<cz::bilinear> zoom{.last_step = 23};
  const auto method = cz::make_method(cz::centred{}, zoom, cz::linear_schedule(zoom.last_step));
  cz::trainer trainer(b, method, network, image, {.batch_size = o.batch});

  std::printf("%lld images of %lld x %lld, %lld parameters\n", static_cast<long long>(train.size()),
              static_cast<long long>(image.h), static_cast<long long>(image.w),
              static_cast<long long>(parameter_count(network)));
  std::printf("test loss before training  %.4f\n", trainer.test_loss(test));
  trainer.train_epoch(train, 1, cz::constant_rate{2e-3}, [](const cz::batch_progress& p) {
    if (p.batch % 10 == 0 || p.batch == p.batches) {
      std::printf("batch %3lld of %lld, loss  %.4f\n", static_cast<long long>(p.batch),
                  static_cast<long long>(p.batches), p.loss);
    }
  });
  std::printf("test loss after one epoch  %.4f\n", trainer.test_loss(test));
}

void run(programs::machine& m, const options& o) {
  programs::on_backend(m, [&](auto& b) { run_on(b, o); });
}

void add_options(programs::options& app, options& o) {
  app.add("--data", o.data, "folder with the four files of MNIST");
  app.add("--limit", o.limit, "number of training images").above_0();
  app.add("--batch", o.batch, "images in a batch").above_0();
  programs::add_machine(app, o.on);
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<options>(
      argc, argv, "train_from_xtensor",
      "Trains a small reconstructor on images that lie in an xtensor array, for one epoch.", add_options,
      run);
}
