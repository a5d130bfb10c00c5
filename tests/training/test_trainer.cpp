#define BOOST_TEST_MODULE trainer
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/nn/energy_score.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/trainer.hpp>
#include <cstdlib>
#include <limits>
#include <new>

#include "common/digits.hpp"
#include "common/engine.hpp"
#include "common/errors.hpp"
#include "common/random_images.hpp"
#include "common/trainer_state.hpp"

// Every allocation of this program is counted.
namespace {
std::atomic<long> allocations{0};
void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* const memory = alignment <= alignof(std::max_align_t)
                           ? std::malloc(size)
                           : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}
}  // namespace
void* operator new(std::size_t size) { return counted(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
// With -O1 g++ inlines the one and not the other, and takes them for no pair.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#pragma GCC diagnostic pop

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::shape image{1, 1, 28, 28};
constexpr index_t count = 200;
constexpr cz::constant_rate rate{1e-2};

const auto zoom_method =
    cz::make_method(cz::centred{}, cz::zoom<cz::nearest>{.last_step = 24}, cz::linear_schedule(24));
using zoom_trainer = cz::trainer<backend, std::remove_const_t<decltype(zoom_method)>, cz::reconstructor>;

/// Three batches of 60 an epoch, the last 20 images dropped; a batch is a micro-batch and a part of one.
cz::trainer_options options() { return {.batch_size = 60, .seed = 3, .average_decays = {0.9}}; }

zoom_trainer make_trainer(backend& b, cz::trainer_options o = options(), cz::shape dims = image) {
  return {b, zoom_method, cz::reconstructor(dims, {4, 4}, 3), dims, o};
}

template <class Trainer, class Dataset> double epoch(Trainer& t, const Dataset& images, index_t number) {
  return t.train_epoch(images, number, rate);
}

}  // namespace

BOOST_AUTO_TEST_CASE(loss_falls) {
  backend b;
  const auto train = digits(b, count);
  zoom_trainer t = make_trainer(b);
  BOOST_TEST(t.batches(train) == 3);
  const double before = t.test_loss(train);
  std::vector<cz::batch_progress> seen;
  double first = 0, last = 0;
  for (index_t number = 1; number <= 20; ++number) {
    seen.clear();
    last = t.train_epoch(train, number, rate, [&](const cz::batch_progress& p) { seen.push_back(p); });
    if (number == 1) first = last;
  }
  // Whoever ignores the picture loses at least the variance of the pixels around the mean digit.
  const auto& pixels = embedded_digits().train.pixels;
  double variance = 0;
  for (std::size_t pixel = 0; pixel < 784; ++pixel) {
    double sum = 0, squares = 0;
    for (std::size_t n = 0; n < count; ++n) {
      const double value = pixels[n * 784 + pixel] / 255.0;
      sum += value / count;
      squares += value * value / count;
    }
    variance += (squares - sum * sum) / 784;
  }
  BOOST_TEST(last < variance);
  BOOST_TEST(t.test_loss(train) < variance);
  BOOST_TEST(last < before);
  BOOST_TEST_MESSAGE("epoch loss " << first << " to " << last << ", test loss " << before << " to "
                                   << t.test_loss(train) << ", variance " << variance);

  BOOST_REQUIRE(seen.size() == 3u);
  double mean = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    BOOST_TEST(seen[i].batch == static_cast<index_t>(i) + 1);
    BOOST_TEST(seen[i].batches == 3);
    mean += seen[i].loss;
  }
  BOOST_TEST(last == mean / 3);
  BOOST_TEST(t.update().steps() == 60);
}

BOOST_AUTO_TEST_CASE(bits_depend_on_the_seed_and_not_on_threads) {
  const auto run = [](int threads, std::uint64_t seed) {
    backend b(threads);
    cz::trainer_options o = options();
    o.seed = seed;
    zoom_trainer t = make_trainer(b, o);
    epoch(t, digits(b, count), 1);
    return state_of(t);
  };
  const trainer_state one = run(1, 3);
  BOOST_TEST((run(1, 3) == one));
  BOOST_TEST((run(2, 3) == one));
  BOOST_TEST((run(3, 3) == one));
  BOOST_TEST((run(1, 4) != one));
}

BOOST_AUTO_TEST_CASE(resumed_run_equals_the_uninterrupted_one) {
  backend b(2);
  const auto train = digits(b, count);
  zoom_trainer whole = make_trainer(b), first = make_trainer(b);
  epoch(whole, train, 1);
  const double wanted = epoch(whole, train, 2);
  epoch(first, train, 1);
  zoom_trainer second = make_trainer(b);
  restore(second, state_of(first));
  BOOST_TEST(epoch(second, train, 2) == wanted);
  BOOST_TEST((state_of(second) == state_of(whole)));
  BOOST_TEST(second.test_loss(train) == whole.test_loss(train));
}

BOOST_AUTO_TEST_CASE(test_loss_is_a_fixed_number) {
  const auto loss = [](int threads, index_t batch_size) {
    backend b(threads);
    cz::trainer_options o = options();
    o.batch_size = batch_size;
    zoom_trainer t = make_trainer(b, o);
    const auto images = digits(b, 100);
    const double once = t.test_loss(images);
    BOOST_TEST(t.test_loss(images) == once);
    return once;
  };
  const double wanted = loss(1, 60);
  BOOST_TEST(loss(2, 60) == wanted);
  // The images' losses have the same bits in every batch; their sum in double is rounded 100 times at most.
  for (const index_t batch_size : {1, 33, 100})
    BOOST_TEST(std::abs(loss(2, batch_size) - wanted) <= 100 * 0x1p-53 * wanted, "batches of " << batch_size);
}

BOOST_AUTO_TEST_CASE(a_test_between_batches_changes_nothing) {
  backend b;
  const auto train = digits(b, count), few = digits(b, 70);
  zoom_trainer undisturbed = make_trainer(b), tested = make_trainer(b);
  epoch(undisturbed, train, 1);
  tested.train_epoch(train, 1, rate, [&](const cz::batch_progress&) { tested.test_loss(few); });
  BOOST_TEST((state_of(tested) == state_of(undisturbed)));
}

BOOST_AUTO_TEST_CASE(steps_of_a_test_are_spread) {
  for (const index_t last : {1, 24, 999}) {
    for (const std::uint64_t first : {0u, 128u, 1u << 20}) {
      const index_t n = 10 * last;
      std::vector<int> times(static_cast<std::size_t>(last));
      const auto words = cz::detail::words_of_steps(cz::linear_schedule(1000), static_cast<int>(last));
      for (index_t i = 0; i < n; ++i) {
        const index_t t = cz::detail::step_of_word(words.data(), last, cz::detail::spread_word{first}(i));
        ++times.at(static_cast<std::size_t>(t - 1));
      }
      // A sequence of this kind is off by a logarithm of its length; drawn steps would be off by 10 and more.
      BOOST_TEST(*std::min_element(times.begin(), times.end()) >= 8);
      BOOST_TEST(*std::max_element(times.begin(), times.end()) <= 12);
    }
  }
}

BOOST_AUTO_TEST_CASE(draws_of_a_test_go_on_where_the_last_one_ended) {
  backend b(2);
  zoom_trainer t = make_trainer(b);
  const auto& pixels = embedded_digits().train.pixels;
  std::vector<std::uint8_t> thrice;
  for (int i = 0; i < 3; ++i) thrice.insert(thrice.end(), pixels.begin(), pixels.begin() + 100 * 784);
  const cz::dataset<backend, cz::centred> repeated(b, image.with_n(300), thrice.data());
  BOOST_TEST(std::abs(t.test_loss(digits(b, 100), 3) / t.test_loss(repeated) - 1) < 4 * 0x1p-24);
  BOOST_TEST(t.test_loss(digits(b, 100), 3) != t.test_loss(digits(b, 100)));
  BOOST_TEST(message_of([&] { t.test_loss(digits(b, 100), 0); }) ==
             "test_loss: found 0 draws, wanted at least 1");
}

BOOST_AUTO_TEST_CASE(test_loss_by_definition) {
  // Of weights zero but for the last bias, 1/4: the network says 1/4 everywhere.
  backend b(1);
  zoom_trainer t = make_trainer(b);
  std::fill_n(t.parameters().data(), t.parameters().size(), 0.0f);
  t.parameters().data()[t.parameters().size() - 1] = 0.25f;
  const auto& pixels = embedded_digits().train.pixels;
  double wanted = 0;
  for (std::size_t i = 0; i < 100 * 784; ++i) {
    const double off = pixels[i] / 255.0 - 0.5 - 0.25;
    wanted += off * off / (100 * 784);
  }
  // Pixels and differences are rounded to float, each loss of an image too.
  BOOST_TEST(std::abs(t.test_loss(digits(b, 100)) / wanted - 1) < 8 * 0x1p-24);
}

BOOST_AUTO_TEST_CASE(best_is_the_average_once_there_is_one) {
  backend b(1);
  const auto train = digits(b, count);
  zoom_trainer t = make_trainer(b);
  BOOST_TEST(&t.best() == &t.parameters());
  epoch(t, train, 1);
  BOOST_TEST(&t.best() == &t.update().averages()[0].values());
  const double of_average = t.test_loss(train);
  cz::trainer_options o = options();
  o.average_decays = {};
  zoom_trainer plain = make_trainer(b, o);
  epoch(plain, train, 1);
  BOOST_TEST(&plain.best() == &plain.parameters());
  BOOST_TEST(values_of(plain.parameters()) == values_of(t.parameters()));
  BOOST_TEST(plain.test_loss(train) != of_average);
  std::copy_n(t.best().data(), t.best().size(), plain.parameters().data());
  BOOST_TEST(plain.test_loss(train) == of_average);
}

BOOST_AUTO_TEST_CASE(every_epoch_and_batch_draws_anew) {
  // The same image again and again and weights that stay: the losses differ by the steps that are drawn.
  backend b(2);
  const auto& pixels = embedded_digits().train.pixels;
  std::vector<std::uint8_t> repeated;
  for (int i = 0; i < 120; ++i) repeated.insert(repeated.end(), pixels.begin(), pixels.begin() + 784);
  const cz::dataset<backend, cz::centred> train(b, image.with_n(120), repeated.data());
  zoom_trainer t = make_trainer(b);
  const auto losses = [&](index_t number) {
    std::vector<double> each;
    t.train_epoch(train, number, cz::constant_rate{0},
                  [&](const cz::batch_progress& p) { each.push_back(p.loss); });
    return each;
  };
  const std::vector<double> first = losses(1), second = losses(2);
  BOOST_TEST(losses(1) == first);
  BOOST_TEST(first[0] != first[1]);
  BOOST_TEST(first[0] != second[0]);
  BOOST_TEST(first[1] != second[0]);
}

BOOST_AUTO_TEST_CASE(noise_objective) {
  backend b;
  const auto train = digits(b, count);
  const auto method =
      cz::make_method(cz::centred{}, cz::gaussian_noise{}, cz::ddpm_schedule::linear(), cz::predict_noise{});
  cz::trainer t(b, method, cz::reconstructor(image, {4, 4}, 3), image, options());
  const double first = epoch(t, train, 1);
  double last = 0;
  for (index_t number = 2; number <= 6; ++number) last = epoch(t, train, number);
  // Noise has variance 1, so whoever says 0 loses 1.
  BOOST_TEST(last < 0.8);
  BOOST_TEST(last < first);
  BOOST_TEST_MESSAGE("noise loss " << first << " to " << last);

  // Of a network that says 0 the loss is the mean square of the noise: 1 within six standard deviations.
  cz::trainer zero(b, method, cz::reconstructor(image, {4, 4}, 3), image, options());
  std::fill_n(zero.parameters().data(), zero.parameters().size(), 0.0f);
  BOOST_TEST(std::abs(zero.test_loss(train) - 1) < 6 * std::sqrt(2.0 / (count * 784)));
}

BOOST_AUTO_TEST_CASE(pixels_that_are_not_finite) {
  backend b(2);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}) {
    host_images images = random_images({count, 1, 28, 28}, 1);
    // Into the second batch of epoch 7, in a corner that the zoom may leave out.
    images.pixels[static_cast<std::size_t>(cz::shuffled_order(count, 3, 7)[65]) * 784] = bad;
    zoom_trainer t = make_trainer(b);
    const cz::dataset<backend, cz::centred, float> train(b, images.dims, images.pixels.data());
    BOOST_TEST(message_of([&] { epoch(t, train, 7); }) ==
               "train_epoch: the loss is not finite in epoch 7, batch 2 of 3; look for bad pixels in the "
               "data, or lower the learning rate");
    for (const float p : values_of(t.parameters())) BOOST_REQUIRE(std::isfinite(p));
    BOOST_TEST(t.update().steps() == 1);
  }
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  backend b(1);
  zoom_trainer t = make_trainer(b);
  BOOST_TEST(message_of([&] { epoch(t, digits(b, 59), 1); }) ==
             "train_epoch: the data set has 59 images; a batch takes 60");
  zoom_trainer small = make_trainer(b, options(), {1, 1, 8, 8});
  const std::string shapes =
      "trainer: the data set is 100 x 1 x 28 x 28; the network wants images of 1 x 1 x 8 x 8";
  BOOST_TEST(message_of([&] { epoch(small, digits(b, 100), 1); }) == shapes);
  BOOST_TEST(message_of([&] { small.test_loss(digits(b, 100)); }) == shapes);

  const auto message = [&](auto change) {
    cz::trainer_options o = options();
    change(o);
    return message_of([&] { make_trainer(b, o); });
  };
  BOOST_TEST(message([](auto& o) { o.batch_size = 0; }) ==
             "trainer: the batch size is 0; it must be at least 1");
  BOOST_TEST(message([](auto& o) { o.last_step = 25; }) ==
             "trainer: the last step is 25; it must be 1 to 24");
  BOOST_TEST(message([](auto& o) { o.last_step = -1; }) ==
             "trainer: the last step is -1; it must be 1 to 24");
  BOOST_TEST(message([](auto& o) { o.average_decays = {1}; }) != "no error");
  BOOST_TEST(message([](auto&) {}) == "no error");

  const auto no_draws = cz::make_method(cz::centred{}, cz::zoom<cz::nearest>{}, cz::linear_schedule(24),
                                        cz::energy_score{.draws = 0});
  BOOST_TEST(message_of([&] {
               cz::trainer(b, no_draws, cz::reconstructor(image, {2, 2}), image);
             }) == "trainer: the loss wants 0 draws of an image; it must want at least 1");
}

BOOST_AUTO_TEST_CASE(training_allocates_nothing_after_the_first_step) {
  backend b(2);
  const auto images = digits(b, count);
  // Wide enough that the middle layers go by Fourier transforms.
  cz::trainer t(b, zoom_method, cz::reconstructor(image, {16, 32, 16}), image, options());
  long after_first = 0;
  const auto watch = [&](cz::batch_progress) {
    if (after_first == 0) after_first = allocations;
  };
  t.train_epoch(images, 1, rate, watch);
  t.train_epoch(images, 2, rate, watch);
  BOOST_TEST(after_first > 0);
  BOOST_TEST(allocations == after_first);
}
