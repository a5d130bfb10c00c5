// A run is resumed to the same bits, or refused.
#define BOOST_TEST_MODULE resume
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/dropout.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <coldzoom/optim/adamw.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/checkpoint.hpp>
#include <coldzoom/training/trainer.hpp>
#include <set>

#include "common/engine.hpp"
#include "common/errors.hpp"
#include "common/random_images.hpp"
#include "common/safetensors.hpp"
#include "common/soft_frontier.hpp"
#include "common/temporary_folder.hpp"
#include "common/trainer_state.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::shape image{1, 1, 6, 5};
const host_images pictures = random_images(image.with_n(140), 1);

cz::dataset<backend, cz::centred, float> make_data(backend& b) {
  cz::dataset<backend, cz::centred, float> data(b, pictures.dims, pictures.pixels.data());
  std::vector<int> labels;
  for (int i = 0; i < 140; ++i) labels.push_back(i % 2);
  data.set_labels(b, labels);
  return data;
}

struct level_times {
  float factor;
  COLDZOOM_HD float operator()(float level, const cz::shape&, index_t, index_t, index_t) const {
    return factor * level;
  }
};
struct below {
  index_t row;
  COLDZOOM_HD float operator()(float, const cz::shape&, index_t, index_t y, index_t) const {
    return y > row ? 2.0f : 1.0f;
  }
};
/// The number in a schedule of a user's own.
struct power_schedule {
  int T;
  float power;
  int steps() const { return T; }
  float level(int t) const { return std::pow(static_cast<float>(t) / static_cast<float>(T), power); }
};

/// All that a checkpoint depends on; the defaults are those of the saved run.
template <class R = cz::centred, class P = cz::predict_flow, class Activation = cz::silu, class L = cz::huber,
          class O = cz::adamw>
struct run {
  soft_frontier degradation{{}, 0.5f};
  power_schedule schedule{20, 1};
  float mask = 1;
  index_t region = 2;
  L loss{};
  O optimizer{};
  index_t channels = 3;
  float dropout = 0.25f;
  cz::trainer_options options{.batch_size = 32,
                              .accumulate = 2,
                              .seed = 3,
                              .label_dropout = 0.1,
                              .clip_norm = 5,
                              .average_decays = {0.9, 0.99}};

  auto trainer(backend& b) const {
    const cz::sequence network(cz::conv2d::same(2, channels, 3), Activation{}, cz::dropout(dropout),
                               cz::conv2d::same(channels, 1, 3));
    const auto method = cz::make_method(R{}, degradation, schedule, P{},
                                        cz::inputs(cz::plain_input{}, cz::mask_input(level_times{mask})),
                                        loss, cz::region_weight(below{region}));
    return cz::trainer(b, method, network, image, options, optimizer);
  }
};

struct saved_run {
  temporary_folder folder;
  std::string path = folder / "run.safetensors";
  saved_run() {
    backend b(1);
    auto t = run<>{}.trainer(b);
    t.train_epoch(make_data(b), 1);
    cz::save_checkpoint(path, t, 1, {{"program", "test"}});
  }
};
const saved_run& saved() {
  static const saved_run one;
  return one;
}

/// Whether `other` may not continue the saved run, says why, and is as it was.
template <class Run> void refused(const Run& other, const std::string& words) {
  BOOST_TEST_CONTEXT(words) {
    backend b(1);
    auto t = other.trainer(b);
    const trainer_state before = state_of(t);
    const std::string said = message_of([&] { cz::load_checkpoint(saved().path, t); });
    BOOST_TEST(said.starts_with(saved().path + ": "), said);
    BOOST_TEST(said.find(words) != std::string::npos, said);
    BOOST_TEST((state_of(t) == before));
  }
}
template <class Change> void refused_after(Change change, const std::string& words) {
  run<> other;
  change(other);
  refused(other, words);
}

}  // namespace

BOOST_AUTO_TEST_CASE(resumed_run_equals_the_uninterrupted_one) {
  backend b(2);
  const auto data = make_data(b);
  auto whole = run<>{}.trainer(b);
  whole.train_epoch(data, 1);
  const double wanted = whole.train_epoch(data, 2);
  // Other threads and another split of the batch are free.
  for (const index_t batch_size : {64, 32}) {
    backend other(static_cast<int>(batch_size / 32));
    run<> split;
    split.options.batch_size = batch_size;
    split.options.accumulate = 64 / batch_size;
    auto t = split.trainer(other);
    BOOST_TEST(cz::load_checkpoint(saved().path, t, {{"program", "test"}}) == 1);
    BOOST_TEST(t.train_epoch(make_data(other), 2) == wanted);
    BOOST_TEST((state_of(t) == state_of(whole)), "parts of " << batch_size);
  }
}

BOOST_AUTO_TEST_CASE(dropout_is_in_training_alone) {
  // Batches of one image: only its place in the epoch tells their keys apart.
  backend b(1);
  cz::dataset<backend, cz::centred, float> data(b, image.with_n(2), pictures.pixels.data());
  data.set_labels(b, std::vector<int>{0, 1});
  std::vector<double> losses[2];
  double test[2];
  for (const int drops : {0, 1}) {
    run<> one;
    one.dropout = drops ? 0.5f : 0;
    one.options.batch_size = 1;
    one.options.accumulate = 1;
    auto t = one.trainer(b);
    test[drops] = t.test_loss(data);
    for (int epoch = 1; epoch <= 2; ++epoch)
      t.train_epoch(data, epoch, cz::constant_rate{0}, [&](auto p) { losses[drops].push_back(p.loss); });
  }
  BOOST_TEST(test[0] == test[1]);
  std::set<double> changes;
  for (std::size_t i = 0; i < 4; ++i) changes.insert(losses[1][i] / losses[0][i]);
  BOOST_TEST(changes.size() == 4u);
  BOOST_TEST(changes.count(1) == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  const auto made_with = [](const std::string& what) { return "the checkpoint was made with " + what; };
  const std::string another = made_with("another ");
  // Types.
  refused(run<cz::unit>{}, made_with("value_range = centred, this run has unit"));
  refused(run<cz::centred, cz::predict_velocity>{}, made_with("prediction = flow, this run has velocity"));
  refused(run<cz::centred, cz::predict_flow, cz::gelu>{}, another + "network");  // the same parameters
  refused(run<cz::centred, cz::predict_flow, cz::silu, cz::mean_absolute_error>{}, another + "loss");
  refused(run<cz::centred, cz::predict_flow, cz::silu, cz::huber, cz::adam>{},
          made_with("optimizer = adamw, this run has adam"));
  // Numbers in the policies, which no setting names.
  refused_after([](auto& r) { r.degradation.width = 0.51f; }, another + "degradation");
  refused_after([](auto& r) { r.schedule.power = 1.01f; }, another + "schedule");
  refused_after([](auto& r) { r.mask = 1.01f; }, another + "input");
  refused_after([](auto& r) { r.region = 3; }, another + "weighting");
  refused_after([](auto& r) { r.loss.f.delta = 0.25; }, another + "loss");
  refused_after([](auto& r) { r.channels = 4; }, "weight");
  refused_after([](auto& r) { r.dropout = 0.26f; }, another + "network");
  // Numbers of the run.
  refused_after([](auto& r) { r.schedule.T = 21; }, made_with("steps = 20, this run has 21"));
  refused_after([](auto& r) { r.options.last_step = 19; }, made_with("last_step = 20, this run has 19"));
  refused_after([](auto& r) { r.options.accumulate = 1; }, made_with("batch_size = 64, this run has 32"));
  refused_after(
      [](auto& r) {  // another order of sums
        r.options.batch_size = 16;
        r.options.accumulate = 4;
      },
      made_with("part = whole micro-batches, this run has 16 images"));
  refused_after([](auto& r) { r.options.seed = 4; }, made_with("seed = 3, this run has 4"));
  refused_after([](auto& r) { r.options.label_dropout = 0.1000001; }, made_with("label_dropout = 0.1"));
  refused_after([](auto& r) { r.options.clip_norm = 5.0000001; },
                made_with("clip_norm = 5, this run has 5.0000001"));
  refused_after([](auto& r) { r.options.average_decays = {0.9, 0.9900001}; }, made_with("average.1.decay"));
  refused_after([](auto& r) { r.options.average_decays = {0.9}; }, made_with("averages = 2, this run has 1"));
  refused_after([](auto& r) { r.options.average_decays = {0.9, 0.99, 0.999}; }, "average");
  refused_after([](auto& r) { r.optimizer.weight_decay = 0.02; }, made_with("adamw.weight_decay"));
}

BOOST_AUTO_TEST_CASE(settings_of_the_caller) {
  backend b(1);
  auto t = run<>{}.trainer(b);
  const trainer_state before = state_of(t);
  const auto message = [&](const std::string& key, const std::string& value) {
    return message_of([&] { cz::load_checkpoint(saved().path, t, {{key, value}}); });
  };
  BOOST_TEST(message("program", "other") ==
             saved().path + ": the checkpoint was made with program = test, this run has other");
  BOOST_TEST(message("data", "digits") == saved().path + ": found no 'data' in the metadata");
  BOOST_TEST((state_of(t) == before));
}

BOOST_AUTO_TEST_CASE(every_input_policy_is_probed) {
  // Conditions, noise and the last answer are inputs that a probe must fill.
  backend b(1);
  const cz::inputs all(cz::plain_input{}, cz::noise_input{2}, cz::condition_input{3}, cz::self_input{});
  BOOST_TEST(cz::detail::condition_channels(all) == 3);
  const auto values = cz::detail::probe_input(b, all, image);
  BOOST_TEST(values.size() >= 64u);
  BOOST_TEST((values != cz::detail::probe_input(b,
                                                cz::inputs(cz::plain_input{}, cz::noise_input{2},
                                                           cz::self_input{}, cz::condition_input{3}),
                                                image)));
}
