/// A degradation of one's own: trains a small network to undo it and shows what comes back.
#include <algorithm>
#include <cmath>
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/io/png.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "common/engine.hpp"
#include "common/program.hpp"

namespace {

// [readme: custom degradation]
struct vignette {  // darkens towards the corners as the level grows
  using range = coldzoom::unit;
  float strength = 1.0f;
  COLDZOOM_HD float operator()(coldzoom::image_view<const float> x0, coldzoom::index_t c, coldzoom::index_t y,
                               coldzoom::index_t x, float level) const {
    const float dy = float(2 * y + 1) / float(x0.h) - 1, dx = float(2 * x + 1) / float(x0.w) - 1;
    return x0(c, y, x) * (1 - 0.5f * level * strength * (dy * dy + dx * dx));
  }
};
static_assert(coldzoom::PixelDegradation<vignette>);
// [readme: end]

struct settings {
  std::string folder = COLDZOOM_EMBEDDED_DATA, picture;
};

void run(const settings& s) {
  const auto& [folder, picture] = s;
  using coldzoom::index_t;
  const auto show = [](const coldzoom::batch_progress& p) {
    if (p.batch % 10 == 0) std::printf("batch %d, loss %.5f\n", static_cast<int>(p.batch), p.loss);
  };

  // [readme: own program]
  using backend = coldzoom::cpu_backend<float>;
  backend b;
  const auto digits = coldzoom::load_mnist_folder(folder);
  const coldzoom::dataset<backend, coldzoom::unit> images(b, digits.train.dims, digits.train.pixels.data());
  const coldzoom::shape image = digits.train.dims.with_n(1);
  const coldzoom::reconstructor network(image, {8, 8}, 5);
  coldzoom::trainer<backend, coldzoom::unit, coldzoom::reconstructor, vignette, coldzoom::linear_schedule>
      trainer(b, network, vignette{}, coldzoom::linear_schedule(10), image, {.batch_size = 64});
  trainer.train_epoch(images, 1, coldzoom::constant_rate{2e-3}, show);
  // [readme: end]

  // Rows of the picture: originals, fully degraded, restored by the sampler.
  const index_t count = std::min<index_t>(12, digits.test.dims.n);
  const coldzoom::shape dims = image.with_n(count);
  std::vector<float> memory(static_cast<std::size_t>(3 * dims.size()));
  const coldzoom::tensor_view<float> rows(memory.data(), image.with_n(3 * count));
  using batch = coldzoom::image_batch<coldzoom::unit, float>;
  const batch original(rows.images(0, count)), degraded(rows.images(count, count)),
      restored(rows.images(2 * count, count));
  for (index_t i = 0; i < dims.size(); ++i)
    original.data[i] = coldzoom::from_byte<coldzoom::unit>(digits.test.pixels[static_cast<std::size_t>(i)]);

  const std::vector<float> levels(static_cast<std::size_t>(count), trainer.schedule().level(10));
  const coldzoom::image_batch<coldzoom::unit, const float> x0 = original;
  coldzoom::degrade(b, trainer.degradation(), x0, {levels.data(), count}, {}, degraded);
  b.copy(degraded.data, restored.data, dims.size());
  const std::vector<float> weights(trainer.best().data(), trainer.best().data() + trainer.best().size());
  coldzoom::predictor<backend, coldzoom::reconstructor> predict(b, network, image, weights);
  // Algorithm 2: the vignette moves nothing, so the errors of the reconstruction cancel.
  coldzoom::tacos_sampler{}(b, predict, trainer.degradation(), trainer.schedule(), 10, {}, restored);

  const auto distance = [&](const batch& other) {  // root mean square
    double total = 0;
    for (index_t i = 0; i < dims.size(); ++i) {
      const double difference = static_cast<double>(other.data[i]) - static_cast<double>(original.data[i]);
      total += difference * difference;
    }
    return std::sqrt(total / static_cast<double>(dims.size()));
  };
  std::printf("distance to the originals: degraded %.4f, restored %.4f\n", distance(degraded),
              distance(restored));
  if (!picture.empty()) coldzoom::save_png(picture, coldzoom::image_grid(rows, count, 2));
}

void add_options(programs::options& o, settings& s) {
  o.add("--data", s.folder, "folder with the four files of MNIST");
  o.add("--picture", s.picture, "PNG file for originals, degraded and restored images; none by default");
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run<settings>(argc, argv, "custom_degradation",
                                 "Trains a small network to undo a degradation of one's own, a vignette.",
                                 add_options, run);
}
