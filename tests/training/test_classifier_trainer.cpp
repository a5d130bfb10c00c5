#define BOOST_TEST_MODULE classifier_trainer
#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/nn/combine.hpp>
#include <coldzoom/nn/linear.hpp>
#include <coldzoom/nn/pooling.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <coldzoom/training/checkpoint.hpp>
#include <coldzoom/training/classifier_trainer.hpp>
#include <limits>

#include "common/digits.hpp"
#include "common/engine.hpp"
#include "common/errors.hpp"
#include "common/safetensors.hpp"
#include "common/temporary_folder.hpp"
#include "common/trainer_state.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::shape image{1, 1, 28, 28};
constexpr index_t count = 200;
constexpr cz::constant_rate rate{1e-2};

/// A linear classifier of the digits at a quarter of their size.
using network = cz::sequence<cz::average_pool, cz::flatten, cz::linear>;
network make_network() { return network(cz::average_pool(4), cz::flatten{}, cz::linear{49, 10}); }

using trainer = cz::classifier_trainer<backend, cz::unit, network>;

/// Three batches of 60 an epoch, the last 20 images dropped; a batch is a micro-batch and a part of one.
cz::classifier_options options() { return {.batch_size = 60, .seed = 3, .average_decays = {0.9}}; }
trainer make_trainer(backend& b, cz::classifier_options o = options(), index_t reach = 1) {
  return {b, cz::unit{}, make_network(), image, o, cz::random_shift{reach}};
}

std::vector<std::uint8_t> labels(index_t n = count) {
  const auto& all = embedded_digits().train.labels;
  return {all.begin(), all.begin() + n};
}
cz::dataset<backend, cz::unit> unlabelled_digits(backend& b, index_t n = count) {
  const cz::labelled_images& train = embedded_digits().train;
  return {b, train.dims.with_n(n), train.pixels.data()};
}
cz::dataset<backend, cz::unit> unit_digits(backend& b, index_t n = count) {
  auto images = unlabelled_digits(b, n);
  images.set_labels(b, labels(n));
  return images;
}

cz::classification_score epoch(trainer& t, index_t number) {
  return t.train_epoch(unit_digits(t.on()), number, rate);
}

}  // namespace

BOOST_AUTO_TEST_CASE(learns_digits) {
  backend b;
  trainer t = make_trainer(b);
  const cz::classification_score before = t.test(unit_digits(b));
  // Weights near zero say about 1 / 10 for every class.
  BOOST_TEST(std::abs(before.loss - std::log(10.0)) < 0.3);
  cz::classification_score trained;
  std::vector<double> losses;
  for (index_t number = 1; number <= 30; ++number) {
    losses.clear();
    trained = t.train_epoch(unit_digits(b), number, rate,
                            [&](const cz::batch_progress& p) { losses.push_back(p.loss); });
  }
  BOOST_REQUIRE(losses.size() == 3u);
  BOOST_TEST(std::abs(trained.loss - (losses[0] + losses[1] + losses[2]) / 3) < 1e-12);
  const cz::classification_score after = t.test(unit_digits(b));
  BOOST_TEST_MESSAGE("loss " << before.loss << " to " << after.loss << ", accuracy " << before.accuracy
                             << " to " << after.accuracy);
  // Whoever ignores the picture loses at least the entropy of the labels and is right as often as the most
  // frequent of them.
  std::array<double, 10> share{};
  for (const int label : labels()) share[static_cast<std::size_t>(label)] += 1.0 / count;
  double entropy = 0;
  for (const double p : share) entropy -= p * std::log(p);
  const double guess = *std::max_element(share.begin(), share.end());
  BOOST_TEST(after.loss < entropy);
  BOOST_TEST(trained.loss < entropy);
  BOOST_TEST(after.accuracy > 3 * guess);
  BOOST_TEST(trained.accuracy > 3 * guess);
}

BOOST_AUTO_TEST_CASE(score_by_definition) {
  // Weights zero, biases 0 .. 9: the network says softmax(0 .. 9) whatever it sees.
  backend b(2);
  cz::classifier_options o = options();
  o.average_decays = {};
  trainer t = make_trainer(b, o);
  std::fill_n(t.parameters().data(), t.parameters().size(), 0.0f);
  double total = 0, loss = 0, nines = 0;
  for (int c = 0; c < 10; ++c) {
    t.parameters().data()[490 + c] = static_cast<float>(c);
    total += std::exp(c);
  }
  for (const int label : labels()) {
    loss += (std::log(total) - label) / count;
    nines += label == 9 ? 1 : 0;
  }
  const cz::classification_score score = t.test(unit_digits(b));
  BOOST_TEST(std::abs(score.loss / loss - 1) < 16 * 0x1p-24);  // softmax in float
  BOOST_TEST(std::abs(score.accuracy - nines / count) < 1e-12);
}

BOOST_AUTO_TEST_CASE(bits_depend_on_the_seed_and_not_on_threads) {
  const auto run = [](int threads, std::uint64_t seed, index_t reach) {
    backend b(threads);
    cz::classifier_options o = options();
    o.seed = seed;
    trainer t = make_trainer(b, o, reach);
    epoch(t, 1);
    return values_of(t.best());
  };
  const std::vector<float> one = run(1, 3, 1);
  BOOST_TEST(run(2, 3, 1) == one);
  BOOST_TEST(run(3, 3, 1) == one);
  BOOST_TEST((run(1, 4, 1) != one));
  BOOST_TEST((run(1, 3, 2) != one));  // it does shift
}

BOOST_AUTO_TEST_CASE(resumed_run_equals_the_uninterrupted_one) {
  const temporary_folder folder;
  backend b(2);
  trainer whole = make_trainer(b), first = make_trainer(b), second = make_trainer(b);
  epoch(whole, 1);
  const double wanted = epoch(whole, 2).loss;
  epoch(first, 1);
  cz::save_checkpoint(folder / "state.safetensors", first, 1, {{"data", "digits"}});
  BOOST_TEST(cz::load_checkpoint(folder / "state.safetensors", second, {{"data", "digits"}}) == 1);
  BOOST_TEST(epoch(second, 2).loss == wanted);
  BOOST_TEST(values_of(second.best()) == values_of(whole.best()));
  BOOST_TEST(values_of(second.parameters()) == values_of(whole.parameters()));
  cz::classifier_options other = options();
  other.seed = 4;
  trainer refused = make_trainer(b, other);
  BOOST_TEST(message_of([&] { cz::load_checkpoint(folder / "state.safetensors", refused); }) ==
             folder / "state.safetensors" +
                 ": the checkpoint was made with seed = 3, this run has "
                 "4");
  trainer shifts_more = make_trainer(b, options(), 2);
  const trainer_state before = state_of(shifts_more);
  BOOST_TEST(message_of([&] {
               cz::load_checkpoint(folder / "state.safetensors", shifts_more);
             }).find("another augmentation") != std::string::npos);
  BOOST_TEST((state_of(shifts_more) == before));
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  backend b(1);
  trainer t = make_trainer(b);
  auto images = unlabelled_digits(b);
  BOOST_TEST(message_of([&] { t.test(images); }) ==
             "classifier_trainer: the data set has no labels; call its set_labels first");
  std::vector<std::uint8_t> wrong = labels();
  wrong[3] = 10;
  images.set_labels(b, wrong);
  const std::string found = "classifier_trainer: found label 10, wanted 0 to 9";
  BOOST_TEST(message_of([&] { t.test(images); }) == found);
  BOOST_TEST(message_of([&] { t.train_epoch(images, 1); }) == found);
  BOOST_TEST(message_of([&] { t.train_epoch(unit_digits(b, 59), 1); }) ==
             "train_epoch: the data set has 59 images; a batch takes 60");
  BOOST_TEST(message_of([&] {
               t.train_epoch(unit_digits(b), 1, cz::constant_rate{1e38});
             }).starts_with("train_epoch: the loss is not finite in epoch 1, batch 2 of 3"));
  cz::classifier_options none = options();
  none.batch_size = 0;
  BOOST_TEST(message_of([&] { make_trainer(b, none); }) ==
             "classifier_trainer: the batch size is 0; it must be at least 1");
  const auto pool = [&] { cz::classifier_trainer(b, cz::unit{}, cz::average_pool(4), image, options()); };
  BOOST_TEST(message_of(pool) ==
             "classifier_trainer: the network makes 1 x 1 x 7 x 7 of an image, wanted 1 x classes x 1 x 1");
}
