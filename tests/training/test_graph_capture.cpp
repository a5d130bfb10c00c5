// What is captured and replayed, and sums that are fetched later, change no bit.
#define BOOST_TEST_MODULE graph_capture
#include <boost/test/unit_test.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/nn/combine.hpp>
#include <coldzoom/nn/conv_block.hpp>
#include <coldzoom/nn/linear.hpp>
#include <coldzoom/nn/model.hpp>
#include <coldzoom/nn/pooling.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/testing/transfer.hpp>
#include <coldzoom/training/classifier_trainer.hpp>
#include <coldzoom/training/trainer.hpp>

#include "common/capturing_backend.hpp"

namespace cz = coldzoom;
using cz::index_t;
using plain = cz::testing::block_backend<float>;

static_assert(cz::CapturesGraphs<capturing_backend> && cz::SumsLater<capturing_backend>);
static_assert(!cz::CapturesGraphs<plain> && !cz::SumsLater<plain>);

namespace {

constexpr cz::shape image{1, 1, 6, 7};
constexpr index_t batches = 5, batch_size = 9;

/// What training and sampling make on backend B.
struct outcome {
  std::vector<float> parameters, samples;
  std::vector<index_t> reported;
  std::vector<double> losses;
  double mean = 0;
  friend bool operator==(const outcome&, const outcome&) = default;
};
std::vector<std::uint8_t> random_bytes(std::uint64_t count, int below) {
  std::vector<std::uint8_t> bytes;
  for (std::uint64_t i = 0; i < count; ++i)
    bytes.push_back(static_cast<std::uint8_t>(cz::random_below({1}, i, below)));
  return bytes;
}
template <cz::ValueRange R, class B> cz::dataset<B, R> random_images(B& b) {
  cz::dataset<B, R> images(b, image.with_n(batches * batch_size),
                           random_bytes(batches * batch_size * 42, 256).data());
  images.set_labels(b, random_bytes(batches * batch_size, 3));
  return images;
}

/// `parts` parts of `size` images an update.
template <class B> outcome run(B& b, index_t size = batch_size, index_t parts = 1) {
  const auto images = random_images<cz::centred>(b);
  cz::trainer t(
      b, cz::make_method(cz::centred{}, cz::zoom<cz::nearest>{.last_step = 5}, cz::linear_schedule(5)),
      cz::reconstructor(image, {3, 4}, 3), image,
      cz::trainer_options{.batch_size = size, .accumulate = parts, .seed = 3, .average_decays = {0.9}});
  outcome result;
  for (index_t epoch = 1; epoch <= 2; ++epoch) {
    result.mean = t.train_epoch(images, epoch, cz::constant_rate{1e-2}, [&](const cz::batch_progress& p) {
      result.reported.push_back(p.batch);
      result.losses.push_back(p.loss);
    });
  }
  result.parameters = cz::testing::to_host<float>(b, t.parameters().data(), t.parameters().size());

  cz::model predict(b, t.method().predict, t.network(), image, result.parameters);
  const cz::shape dims = image.with_n(37);  // two micro-batches
  auto z = cz::testing::to_backend(b, cz::testing::random_values(dims.size(), 4, -0.5f, 0.5f));
  using batch = cz::image_batch<cz::centred, float, typename B::space>;
  for (int repetition = 0; repetition < 2; ++repetition) {
    cz::naive_sampler{}(b, predict, t.method().degradation, t.method().schedule, 5, {7},
                        batch(cz::tensor_view<float, typename B::space>(z.data(), dims)));
  }
  result.samples = cz::testing::to_host<float>(b, z.data(), dims.size());
  return result;
}

/// What training a classifier makes on backend B; `mean` is its accuracy.
template <class B> outcome run_classifier(B& b) {
  using block = cz::conv_block<cz::group_norm, cz::gelu>;
  using network = cz::sequence<block, cz::max_pool, cz::flatten, cz::linear>;
  const auto images = random_images<cz::unit>(b);
  cz::classifier_trainer t(
      b, cz::unit{},
      network(block{cz::conv2d::same(1, 4, 3), cz::group_norm(2, 4)}, cz::max_pool(2, 1), cz::flatten{},
              cz::linear{84, 3}),
      image, cz::classifier_options{.batch_size = batch_size, .seed = 3, .average_decays = {0.9}},
      cz::random_shift{1});
  outcome result;
  for (index_t epoch = 1; epoch <= 2; ++epoch) {
    result.mean = t.train_epoch(images, epoch, cz::constant_rate{1e-2}, [&](const cz::batch_progress& p) {
                     result.reported.push_back(p.batch);
                     result.losses.push_back(p.loss);
                   }).accuracy;
    // Between epochs passes run with other parameters.
    result.losses.push_back(t.test(images).loss);
  }
  result.parameters = cz::testing::to_host<float>(b, t.parameters().data(), t.parameters().size());
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(training_and_sampling_have_the_same_bits) {
  plain b;
  capturing_backend captured;
  const outcome wanted = run(b), found = run(captured);
  BOOST_TEST((found == wanted));
  BOOST_TEST(wanted.reported == (std::vector<index_t>{1, 2, 3, 4, 5, 1, 2, 3, 4, 5}));
  // Of ten updates the first runs as it is. Sampling may find its memory at another place the second time.
  BOOST_TEST(captured.count().captures >= 2);
  BOOST_TEST(captured.count().replays >= 9 + 4);
  BOOST_TEST(captured.count().pending == 2);  // a batch is under way while the loss of the last one is read
}

BOOST_AUTO_TEST_CASE(parts_that_are_replayed_report_the_same_losses) {
  plain b;
  capturing_backend captured;
  const outcome wanted = run(b, 3, 5), found = run(captured, 3, 5);
  BOOST_TEST((found == wanted));
  BOOST_TEST(captured.count().captures >= 4);  // first, middle and last part; the sampler's passes
}

BOOST_AUTO_TEST_CASE(training_a_classifier_has_the_same_bits) {
  plain b;
  capturing_backend captured;
  const outcome wanted = run_classifier(b), found = run_classifier(captured);
  BOOST_TEST((found == wanted));
  BOOST_TEST(wanted.reported == (std::vector<index_t>{1, 2, 3, 4, 5, 1, 2, 3, 4, 5}));
  BOOST_TEST(wanted.losses.front() > wanted.losses.back());
  BOOST_TEST(captured.count().captures == 1);
  BOOST_TEST(captured.count().replays == 9);  // of ten updates the first runs as it is
  BOOST_TEST(captured.count().pending == 4);  // loss and accuracy of two batches
}

BOOST_AUTO_TEST_CASE(work_runs_then_is_captured_then_replayed) {
  capturing_backend b;
  auto memory = b.allocate<float>(1);
  float* const at = memory.data();
  cz::graph_capture<capturing_backend, int> step;
  int calls = 0;
  const auto work = [&] {
    ++calls;
    b.for_each_index(1, cz::generic::add<float>{at, at});
  };
  *at = 1;
  for (int i = 0; i < 5; ++i) step(b, 1, work);
  BOOST_TEST(*at == 32.0f);
  BOOST_TEST(calls == 2);
  BOOST_TEST(b.count().replays == 4);
  for (int i = 0; i < 3; ++i) step(b, 2, work);  // another key: all anew
  BOOST_TEST(*at == 256.0f);
  BOOST_TEST(calls == 4);
}

BOOST_AUTO_TEST_CASE(work_that_cannot_be_captured_runs_as_it_is) {
  capturing_backend b;
  auto memory = b.allocate<float>(1);
  cz::graph_capture<capturing_backend, int> step;
  const float one = 1;
  double total = 0;
  for (int i = 0; i < 4; ++i) {
    step(b, 1, [&] {
      b.upload(&one, memory.data(), 1);
      total += b.sum(memory.data(), 1);
    });
  }
  BOOST_TEST(total == 4);
  BOOST_TEST(b.count().captures == 0);
  BOOST_TEST(b.count().replays == 0);
}

BOOST_AUTO_TEST_CASE(backends_that_do_not_capture_run_everything) {
  plain b;
  cz::graph_capture<plain, int> step;
  int calls = 0;
  for (int i = 0; i < 4; ++i) step(b, 1, [&] { ++calls; });
  BOOST_TEST(calls == 4);
}
