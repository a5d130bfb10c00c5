// Compiled once per instruction set, with NAME set to what the function is to be called: a little training,
// which takes in the whole engine.
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/dataset.hpp>
#include <vector>

namespace cz = coldzoom;

/// The losses of two batches and of the images at last.
std::vector<double> NAME() {
  using backend = cz::cpu_backend<float>;
  using zoom = cz::zoom<cz::bilinear>;
  constexpr cz::shape image{1, 1, 28, 28};
  backend b(1);
  std::vector<std::uint8_t> pixels(32 * 784);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>(i % 784 / 4 + i / 784);
  const cz::dataset<backend, cz::centred> images(b, image.with_n(32), pixels.data());
  cz::trainer t(b, cz::make_method(cz::centred{}, zoom{.last_step = 23}, cz::linear_schedule(23)),
                cz::reconstructor(image, {16, 16}), image, cz::trainer_options{.batch_size = 16});
  std::vector<double> losses;
  t.train_epoch(images, 1, cz::constant_rate{1e-3},
                [&](const cz::batch_progress& p) { losses.push_back(p.loss); });
  losses.push_back(t.test_loss(images));
  return losses;
}
