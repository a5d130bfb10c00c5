/// A degradation of one's own: trains a small network to undo it and shows what comes back.
#include <algorithm>
#include <cmath>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/io/png.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "common/on_backend.hpp"
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

void show(const coldzoom::batch_progress& p) {
  if (p.batch % 10 == 0) std::printf("batch %d, loss %.5f\n", static_cast<int>(p.batch), p.loss);
}

// [readme: own program]
template <class B> auto train(B& b, const coldzoom::labelled_images& digits) {
  const coldzoom::dataset<B, coldzoom::unit> images(b, digits.dims, digits.pixels.data());
  const coldzoom::shape image = digits.dims.with_n(1);
  const auto method = coldzoom::make_method(coldzoom::unit{}, vignette{}, coldzoom::linear_schedule(10));
  const coldzoom::reconstructor network(image, {8, 8}, 5, method.input.channels(image));
  coldzoom::trainer trainer(b, method, network, image, {.batch_size = 64});
  trainer.train_epoch(images, 1, coldzoom::constant_rate{2e-3}, show);
  return trainer;
}
// [readme: end]

/// Root of the mean square.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    total += difference * difference;
  }
  return std::sqrt(total / static_cast<double>(a.size()));
}

struct settings {
  std::string folder = COLDZOOM_EMBEDDED_DATA, picture;
  programs::machine_choice on;
};

template <class B> void run_on(B& b, const settings& s) {
  using coldzoom::index_t;
  const coldzoom::split_pair digits = coldzoom::load_mnist_folder(s.folder);
  auto trainer = train(b, digits.train);
  const auto& method = trainer.method();

  // Test images in the backend's memory: fully degraded, then restored by the sampler.
  const coldzoom::shape image = trainer.image();
  const index_t count = std::min<index_t>(12, digits.test.dims.n), size = count * image.image();
  std::vector<float> original;
  for (index_t i = 0; i < size; ++i)
    original.push_back(coldzoom::from_byte<coldzoom::unit>(digits.test.pixels[static_cast<std::size_t>(i)]));
  const auto x0 = coldzoom::to_backend(b, original);
  auto x = b.template allocate<float>(size);
  using space = typename B::space;
  const coldzoom::image_batch<coldzoom::unit, float, space> images(
      coldzoom::tensor_view<float, space>(x.data(), image.with_n(count)));
  const std::vector<float> level(static_cast<std::size_t>(count), method.schedule.level(10));
  const auto levels = coldzoom::to_backend(b, level);
  coldzoom::degrade(b, method.degradation,
                    coldzoom::image_batch<coldzoom::unit, const float, space>(
                        coldzoom::tensor_view<const float, space>(x0.data(), images.dims)),
                    {levels.data(), count}, {}, images);
  const std::vector<float> degraded = coldzoom::to_host(b, x);
  coldzoom::model model(b, method.predict, trainer.network(), image, coldzoom::to_host(b, trainer.best()),
                        method.input);
  // Algorithm 2: the vignette moves nothing, so the errors of the reconstruction cancel.
  coldzoom::tacos_sampler{}(b, model, method.degradation, method.schedule, 10, {}, images);
  const std::vector<float> restored = coldzoom::to_host(b, x);

  std::printf("distance to the originals: degraded %.4f, restored %.4f\n", distance(degraded, original),
              distance(restored, original));
  if (s.picture.empty()) return;
  std::vector<float> rows = original;
  for (const std::vector<float>* row : {&degraded, &restored})
    rows.insert(rows.end(), row->begin(), row->end());
  const coldzoom::tensor_view<const float> view(rows.data(), image.with_n(3 * count));
  coldzoom::save_png(s.picture, coldzoom::image_grid(view, count, 2));
}

void run(programs::machine& m, const settings& s) {
  programs::on_backend(m, [&](auto& b) { run_on(b, s); });
}

void add_options(programs::options& o, settings& s) {
  o.add("--data", s.folder, "folder with the four files of MNIST");
  o.add_output("--picture", s.picture,
               "PNG file for originals, degraded and restored images; none by default", {".png"});
  programs::add_machine(o, s.on);
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "custom_degradation",
      "Trains a small network to undo a degradation of one's own, a vignette.", add_options, run);
}
