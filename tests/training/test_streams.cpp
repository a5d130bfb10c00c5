#define BOOST_TEST_MODULE streams
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/data/augmented.hpp>
#include <coldzoom/data/random_flip.hpp>
#include <coldzoom/data/streamed_images.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/trainer.hpp>
#include <cstdint>
#include <vector>

namespace cz = coldzoom;
using cz::index_t;

namespace {

using backend = cz::cpu_backend<float>;

/// 90 random images in segments of 8.
struct source {
  std::vector<std::uint8_t> pixels;

  source() {
    for (std::uint64_t i = 0; i < 90 * 64; ++i)
      pixels.push_back(static_cast<std::uint8_t>(cz::random_below({1}, i, 256)));
  }
  cz::shape dims() const { return {90, 1, 8, 8}; }
  index_t classes() const { return 0; }
  index_t segments() const { return 12; }
  cz::image_segment read(index_t k) const {
    return {{pixels.begin() + k * 512, pixels.begin() + std::min<index_t>(90 * 64, (k + 1) * 512)}, {}, {}};
  }
};
using stream = cz::streamed_images<backend, cz::centred, source>;

auto make_trainer(backend& b, index_t batch, index_t accumulate) {
  const cz::shape image{1, 1, 8, 8};
  return cz::trainer(b, cz::make_method(cz::centred{}, cz::zoom<cz::nearest>{}, cz::linear_schedule(5)),
                     cz::reconstructor(image, {4, 4}), image,
                     {.batch_size = batch, .accumulate = accumulate, .seed = 3});
}

template <class Trainer> std::vector<float> weights(backend& b, Trainer& t) {
  return cz::to_host(b, t.parameters());
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_same_bits_for_any_reading_threads_and_batches_and_from_any_epoch_on) {
  const source images;
  std::vector<float> expected;
  for (const int threads : {1, 3}) {
    for (const index_t parts : {1, 2}) {
      backend b(threads);
      auto t = make_trainer(b, 64 / parts, parts);
      // Epoch 2 comes from a stream of its own, as after a resume.
      for (index_t epoch = 1; epoch <= 2; ++epoch) {
        const stream all(images, {20, threads});
        t.train_epoch(cz::augment(b, all, cz::random_flip{}), epoch, cz::constant_rate{1e-3});
      }
      if (expected.empty()) expected = weights(b, t);
      BOOST_TEST(weights(b, t) == expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(test_losses_are_those_of_the_same_images_in_memory) {
  const source images;
  backend b(2);
  auto t = make_trainer(b, 32, 1);
  const stream all(images, {20, 2});
  const cz::dataset<backend, cz::centred> memory(b, images.dims(), images.pixels.data());
  const double expected = t.test_loss(memory, 2);
  BOOST_TEST(t.test_loss(all, 2) == expected);
  BOOST_TEST(t.test_loss(cz::augment(b, all, cz::random_flip{1}), 2) == expected);
  BOOST_TEST(t.test_loss(cz::augment(b, memory, cz::random_flip{1}), 2) == expected);
}

BOOST_AUTO_TEST_CASE(flips_change_what_is_trained) {
  const source images;
  backend b(1);
  const cz::dataset<backend, cz::centred> memory(b, images.dims(), images.pixels.data());
  const auto trained = [&](const auto& set) {
    auto t = make_trainer(b, 32, 1);
    t.train_epoch(set, 1, cz::constant_rate{1e-3});
    return weights(b, t);
  };
  const std::vector<float> plain = trained(memory);
  BOOST_TEST(trained(cz::augment(b, memory, cz::random_flip{0})) == plain);
  BOOST_TEST(trained(cz::augment(b, memory, cz::random_flip{0.5})) != plain);
}
