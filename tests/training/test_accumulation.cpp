// Batches in parts, averages and clipping.
#define BOOST_TEST_MODULE accumulation
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <coldzoom/optim/sgd.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/training/trainer.hpp>

#include "common/engine.hpp"
#include "common/errors.hpp"
#include "common/random_images.hpp"
#include "common/trainer_state.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::shape image{1, 1, 8, 8};
const host_images pictures = random_images(image.with_n(300), 1);
const auto method = cz::make_method(cz::centred{}, cz::gaussian_noise{}, cz::ddpm_schedule::linear(50),
                                    cz::predict_velocity{}, cz::inputs(cz::plain_input{}, cz::self_input{}));

auto make_trainer(backend& b, const cz::trainer_options& options, double momentum = 0.9) {
  const cz::sequence network(cz::conv2d::same(2, 4, 3), cz::silu{}, cz::conv2d::same(4, 1, 3));
  return cz::trainer(b, method, network, image, options, cz::sgd{.momentum = momentum});
}
cz::dataset<backend, cz::centred, float> make_data(backend& b) {
  return {b, pictures.dims, pictures.pixels.data()};
}

/// Gives images a number of times, then fails.
struct failing_data {
  using range = cz::centred;
  const cz::dataset<backend, range, float>& inner;
  mutable int left;

  index_t size() const { return inner.size(); }
  cz::shape dims() const { return inner.dims(); }
  void gather(backend& b, cz::vector_view<const std::int32_t> order,
              cz::image_batch<range, float> out) const {
    cz::require(left-- > 0, "failing_data", "there are no more images");
    inner.gather(b, order, out);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(parts_of_a_batch_equal_the_batch) {
  struct outcome {
    trainer_state state;
    std::vector<double> losses;
    double test = 0;
    bool operator==(const outcome&) const = default;
  };
  const auto run = [&](int threads, index_t batch_size, index_t accumulate) {
    backend b(threads);
    const auto data = make_data(b);
    auto t = make_trainer(
        b, {.batch_size = batch_size, .accumulate = accumulate, .seed = 3, .average_decays = {0.9}});
    outcome o;
    BOOST_TEST(t.batches(data) == 2);
    for (index_t epoch = 1; epoch <= 2; ++epoch)
      t.train_epoch(data, epoch, cz::constant_rate{0.1},
                    [&](const cz::batch_progress& p) { o.losses.push_back(p.loss); });
    BOOST_TEST(t.update().steps() == 4);
    o.state = state_of(t);
    return o;
  };
  const outcome whole = run(1, 128, 1);
  BOOST_TEST(whole.losses.size() == 4u);
  for (const int threads : {1, 2}) {
    BOOST_TEST((run(threads, 128, 1) == whole), threads << " threads");
    BOOST_TEST((run(threads, 64, 2) == whole), threads << " threads");
    BOOST_TEST((run(threads, 32, 4) == whole), threads << " threads");
  }
}

BOOST_AUTO_TEST_CASE(a_batch_that_failed_leaves_nothing_behind) {
  backend b(2);
  const auto data = make_data(b);
  const cz::trainer_options options{.batch_size = 32, .accumulate = 4};
  auto t = make_trainer(b, options), failed = make_trainer(b, options);
  const failing_data three{data, 3};
  BOOST_TEST(message_of([&] { failed.train_epoch(three, 1); }) == "failing_data: there are no more images");
  t.train_epoch(data, 1);
  failed.train_epoch(data, 1);
  BOOST_TEST((state_of(failed) == state_of(t)));
}

BOOST_AUTO_TEST_CASE(several_averages) {
  const std::vector<double> decays{0.9, 0.15, 0.5};
  backend b(2);
  const auto data = make_data(b);
  auto t = make_trainer(b, {.batch_size = 30, .average_decays = decays});
  std::vector<std::vector<double>> wanted(decays.size());
  int step = 0;
  for (index_t epoch = 1; epoch <= 2; ++epoch) {
    t.train_epoch(data, epoch, cz::constant_rate{0.1}, [&](const cz::batch_progress&) {
      ++step;
      const std::vector<float> now = values_of(t.parameters());
      for (std::size_t k = 0; k < decays.size(); ++k) {
        if (step == 1) wanted[k].assign(now.begin(), now.end());
        const double decay = std::min(decays[k], (1.0 + step) / (10.0 + step));
        for (std::size_t i = 0; i < now.size(); ++i)
          wanted[k][i] = decay * wanted[k][i] + (1 - decay) * static_cast<double>(now[i]);
      }
    });
  }
  BOOST_TEST(step == 20);
  BOOST_REQUIRE(t.update().averages().size() == 3u);
  double apart = 0;
  for (std::size_t k = 0; k < decays.size(); ++k) {
    const std::vector<float> found = values_of(t.update().averages()[k].values());
    // Of each of 20 updates four roundings stay, of values below 1.
    for (std::size_t i = 0; i < found.size(); ++i) {
      BOOST_TEST(std::abs(static_cast<double>(found[i]) - wanted[k][i]) <= 20 * 4 * 0x1p-25);
      apart = std::max(apart, std::abs(wanted[k][i] - wanted[0][i]));
    }
  }
  BOOST_TEST(apart > 1e-4);  // they differ, so each has a decay of its own
  BOOST_TEST(&t.best() == &t.update().averages()[0].values());
}

BOOST_AUTO_TEST_CASE(gradients_are_clipped) {
  // Without momentum a step is the gradient times the rate.
  const auto step = [&](double clip_norm) {
    backend b(1);
    auto t = make_trainer(b, {.batch_size = 300, .clip_norm = clip_norm}, 0);
    const std::vector<float> before = values_of(t.parameters());
    t.train_epoch(make_data(b), 1, cz::constant_rate{1});
    std::vector<double> moved;
    const std::vector<float> after = values_of(t.parameters());
    for (std::size_t i = 0; i < after.size(); ++i)
      moved.push_back(static_cast<double>(after[i]) - static_cast<double>(before[i]));
    return moved;
  };
  const auto norm = [](const std::vector<double>& v) {
    double squares = 0;
    for (const double x : v) squares += x * x;
    return std::sqrt(squares);
  };
  const std::vector<double> free = step(0);
  const double length = norm(free);
  BOOST_TEST(length > 0.01);
  BOOST_TEST(step(2 * length) == free);
  const double factor = 0.25;
  const std::vector<double> clipped = step(factor * length);
  // Parameters below 1 are rounded at each of the two steps; the norm takes 1e-6 more than it is.
  const double allowed = 4 * 0x1p-24 + 1e-6;
  for (std::size_t i = 0; i < free.size(); ++i)
    BOOST_TEST(std::abs(clipped[i] - factor * free[i]) <= allowed);
  backend b(1);
  BOOST_TEST(message_of([&] { make_trainer(b, {.clip_norm = -1}); }) ==
             "updater: clip_norm is -1.000000; it must be at least 0, and 0 clips nothing");
}
