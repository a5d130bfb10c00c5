// What a network reads, in training and in sampling.
#define BOOST_TEST_MODULE inputs
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/nn/energy_score.hpp>
#include <coldzoom/nn/model.hpp>
#include <coldzoom/optim/sgd.hpp>
#include <coldzoom/sampling/heun.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/trainer.hpp>

#include "common/engine.hpp"
#include "common/errors.hpp"
#include "common/random_images.hpp"
#include "common/spy_network.hpp"
#include "common/trainer_state.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::shape image{1, 1, 4, 5};
constexpr index_t count = 80, pixels = 20;
constexpr int T = 10;
constexpr float w = 0.5f;
using channel = std::vector<float>;

struct level_mask {
  COLDZOOM_HD float operator()(float level, const cz::shape&, index_t c, index_t y, index_t x) const {
    return level + static_cast<float>(100 * c + 10 * y + x);
  }
};
/// Channels: 0 x_t, 1 and 2 noise, 3 and 4 masks, 5 and 6 the condition, 7 the last estimate.
const cz::inputs all_inputs(cz::plain_input{}, cz::noise_input{2}, cz::mask_input(level_mask{}, 2),
                            cz::condition_input{2}, cz::self_input{});
constexpr index_t channels = 8;

const host_images pictures = random_images(image.with_n(count), 1);
const host_images conditions = random_images({count, 2, 4, 5}, 2);

cz::dataset<backend, cz::centred, float> make_data(backend& b) {
  cz::dataset<backend, cz::centred, float> data(b, pictures.dims, pictures.pixels.data());
  data.set_conditions(b, conditions.dims, conditions.pixels.data());
  std::vector<int> labels;
  for (int i = 0; i < count; ++i) labels.push_back(i % 3);
  data.set_labels(b, labels);
  return data;
}

channel channel_of(const spy_network::row& row, index_t c) {
  return {row.x.begin() + c * pixels, row.x.begin() + (c + 1) * pixels};
}
channel picture(const host_images& images, index_t n, index_t c) {
  const auto first = images.pixels.begin() + n * images.dims.image() + c * pixels;
  return {first, first + pixels};
}
channel normals(cz::sample_key key, std::uint64_t first) {
  channel all;
  for (std::uint64_t i = 0; i < pixels; ++i) all.push_back(cz::random_normal(key, first + i));
  return all;
}
channel mask(float level, index_t c) {
  channel all;
  for (index_t i = 0; i < pixels; ++i) all.push_back(level_mask{}(level, image, c, i / 5, i % 5));
  return all;
}
channel answer(const channel& x) {
  channel y;
  for (const float v : x) y.push_back(w * v);
  return y;
}

/// The sum of all draws' energy scores needs noise, or the draws were one.
template <class Loss> auto make_method(Loss loss) {
  return cz::make_method(cz::centred{}, cz::gaussian_noise{}, cz::linear_schedule(T), all_inputs, loss);
}

/// What is read in one batch of an epoch whose weights stay, `draws` rows an image.
template <class Loss> void check_training(Loss loss, index_t draws) {
  constexpr index_t batch = 16;
  constexpr std::uint64_t seed = 5, epoch = 3;
  backend b(1);
  const auto data = make_data(b);
  spy_network spy;
  cz::trainer t(b, make_method(loss), spy, image, cz::trainer_options{.batch_size = batch, .seed = seed},
                cz::sgd{});
  BOOST_TEST((cz::input_shape(all_inputs, image) == cz::shape{1, channels, 4, 5}));
  t.train_epoch(data, static_cast<index_t>(epoch), cz::constant_rate{0});
  // Each batch passes twice: to make an answer for self_input, and to learn.
  const index_t rows = batch * draws;
  BOOST_REQUIRE(spy.rows->size() == static_cast<std::size_t>(2 * rows * (count / batch)));
  const auto order = cz::shuffled_order(count, seed, epoch);
  index_t answered = 0;
  for (index_t k = 0; k < count / batch; ++k) {
    for (index_t r = 0; r < rows; ++r) {
      const auto& first = spy.rows->at(static_cast<std::size_t>(2 * rows * k + r));
      const auto& row = spy.rows->at(static_cast<std::size_t>(2 * rows * k + rows + r));
      const index_t n = order[static_cast<std::size_t>(k * batch + r / draws)];
      const std::uint64_t place = epoch * count + static_cast<std::uint64_t>(k * batch);
      BOOST_REQUIRE(row.x.size() == static_cast<std::size_t>(channels * pixels));
      BOOST_TEST((row.time == first.time && row.label == first.label));
      BOOST_TEST(row.label == n % 3);
      for (index_t c = 0; c < channels - 1; ++c) BOOST_TEST(channel_of(row, c) == channel_of(first, c));
      // Draws of one image differ by their noise alone.
      if (r % draws > 0) {
        const auto& before = spy.rows->at(static_cast<std::size_t>(2 * rows * k + rows + r - 1));
        BOOST_TEST(channel_of(row, 0) == channel_of(before, 0));
        BOOST_TEST(row.time == before.time);
      }
      const cz::sample_key key{seed, cz::stream::input_noise,
                               place * static_cast<std::uint64_t>(draws) + static_cast<std::uint64_t>(r)};
      BOOST_TEST(channel_of(row, 1) == normals(key, 0));
      BOOST_TEST(channel_of(row, 2) == normals(key, pixels));
      const float level = cz::linear_schedule(T).level(static_cast<int>(std::lround(row.time * T)));
      for (const index_t c : {0, 1}) {
        BOOST_TEST(channel_of(row, 3 + c) == mask(level, c));
        BOOST_TEST(channel_of(row, 5 + c) == picture(conditions, n, c));
      }
      BOOST_TEST(channel_of(first, 7) == channel(pixels));
      if (channel_of(row, 7) != channel(pixels)) {
        BOOST_TEST(channel_of(row, 7) == answer(channel_of(first, 0)));
        ++answered;
      }
    }
  }
  // Half of them, within five standard deviations.
  const double all = static_cast<double>(rows * (count / batch));
  BOOST_TEST(std::abs(static_cast<double>(answered) - all / 2) < 5 * std::sqrt(all) / 2);
}

}  // namespace

BOOST_AUTO_TEST_CASE(training) { check_training(cz::mean_squared_error{}, 1); }
BOOST_AUTO_TEST_CASE(training_with_several_draws) { check_training(cz::energy_score{.draws = 3}, 3); }

BOOST_AUTO_TEST_CASE(sampling) {
  constexpr index_t n = 3;
  constexpr cz::key_sequence keys{7, cz::stream::sampling, 40};
  backend b(1);
  spy_network spy;
  cz::model model(b, cz::predict_x0{}, spy, image, {w}, all_inputs);
  const std::vector<std::int32_t> labels{2, 0, 1};
  model.set_labels({labels.data(), n});
  model.set_condition(cz::tensor_view<const float>(conditions.pixels.data(), {n, 2, 4, 5}));
  for (int walk = 0; walk < 2; ++walk) {
    spy.rows->clear();
    std::vector<channel> states, answers;
    host_images z = random_images(image.with_n(n), 9);
    const auto observer = [&](int, const auto& state, const auto& x0_hat) {
      for (index_t i = 0; i < n; ++i) {
        states.emplace_back(state.data + i * pixels, state.data + (i + 1) * pixels);
        answers.emplace_back(x0_hat.data + i * pixels, x0_hat.data + (i + 1) * pixels);
      }
    };
    cz::naive_sampler{}(b, model, cz::gaussian_noise{}, cz::linear_schedule(T), 4, keys, z.view(), observer);
    const std::vector<int> steps = cz::sampling_steps(T, 4);
    BOOST_REQUIRE(spy.rows->size() == 4u * n);
    for (std::size_t call = 0; call < 4; ++call) {
      for (std::size_t i = 0; i < n; ++i) {
        const auto& row = spy.rows->at(call * n + i);
        const std::size_t at = call * n + i;
        const float level = cz::linear_schedule(T).level(steps[call]);
        const cz::sample_key key{7, cz::stream::input_noise, 40 + i};
        BOOST_TEST(row.time == static_cast<float>(steps[call]) / T);
        BOOST_TEST(row.label == labels[i]);
        BOOST_TEST(channel_of(row, 0) == states[at]);
        // Other noise in each call: that of step t begins at element 40 t.
        for (const index_t c : {0, 1}) {
          BOOST_TEST(channel_of(row, 1 + c) ==
                     normals(key, static_cast<std::uint64_t>(40 * steps[call] + pixels * c)));
          BOOST_TEST(channel_of(row, 3 + c) == mask(level, c));
          BOOST_TEST(channel_of(row, 5 + c) == picture(conditions, static_cast<index_t>(i), c));
        }
        // A new walk begins without an answer.
        BOOST_TEST(channel_of(row, 7) == (call == 0 ? channel(pixels) : answers[at - n]));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_estimate_is_an_image) {
  // Of a network that answers with the velocity: x0_hat goes in, in training within the range of the images, in
  // sampling as the sampler has it, after the second look at a step too.
  const cz::gaussian_noise d;
  const cz::linear_schedule schedule(T);
  const auto estimate = [&](float z, float y, float level) {
    return static_cast<float>(
        cz::predict_velocity::x0(static_cast<double>(z), static_cast<double>(y), d.amplitudes(level)));
  };
  const cz::inputs input(cz::plain_input{}, cz::self_input{});
  backend b(1);
  const auto data = make_data(b);
  spy_network spy;
  cz::trainer t(b, cz::make_method(cz::centred{}, d, schedule, cz::predict_velocity{}, input), spy, image,
                cz::trainer_options{.batch_size = count}, cz::sgd{});
  t.train_epoch(data, 1, cz::constant_rate{0});
  BOOST_REQUIRE(spy.rows->size() == 2u * count);
  bool clipped = false, free = false;
  for (std::size_t n = 0; n < count; ++n) {
    const auto& row = spy.rows->at(count + n);
    if (channel_of(row, 1) == channel(pixels)) continue;
    const float level = schedule.level(static_cast<int>(std::lround(row.time * T)));
    for (std::size_t i = 0; i < pixels; ++i) {
      const float wanted = estimate(row.x[i], w * row.x[i], level);
      BOOST_REQUIRE(row.x[pixels + i] == std::clamp(wanted, -0.5f, 0.5f));
      (std::abs(wanted) > 0.5f ? clipped : free) = true;
    }
  }
  BOOST_TEST((clipped && free));

  cz::model model(b, cz::predict_velocity{}, spy, image, {w}, input);
  spy.rows->clear();
  std::vector<channel> estimates;
  host_images z = random_images(image.with_n(1), 9);
  cz::heun_sampler{}(b, model, d, schedule, 7, {}, z.view(), [&](int, const auto&, const auto& x0_hat) {
    estimates.emplace_back(x0_hat.data, x0_hat.data + pixels);
  });
  BOOST_REQUIRE(spy.rows->size() == 7u);
  BOOST_TEST(channel_of(spy.rows->front(), 1) == channel(pixels));
  for (std::size_t call = 1; call < 7; ++call)
    BOOST_TEST(channel_of(spy.rows->at(call), 1) == estimates.at(call - 1));
}

BOOST_AUTO_TEST_CASE(guidance_gives_both_answers_one_estimate) {
  // Of x0, whose answer is written where the estimate lies.
  backend b(1);
  spy_network spy;
  cz::model model(b, cz::predict_x0{}, spy, image, {w}, cz::inputs(cz::plain_input{}, cz::self_input{}));
  const std::vector<std::int32_t> labels{1};
  model.set_labels({labels.data(), 1});
  cz::guided guide(b, model, 2.0f, 3);
  std::vector<channel> estimates;
  host_images z = random_images(image.with_n(1), 9);
  cz::naive_sampler{}(b, guide, cz::gaussian_noise{}, cz::linear_schedule(T), 3, {}, z.view(),
                      [&](int, const auto&, const auto& x0_hat) {
                        estimates.emplace_back(x0_hat.data, x0_hat.data + pixels);
                      });
  BOOST_REQUIRE(spy.rows->size() == 6u);
  for (std::size_t call = 0; call < 3; ++call) {
    for (std::size_t look : {2 * call, 2 * call + 1})
      BOOST_TEST(channel_of(spy.rows->at(look), 1) == (call == 0 ? channel(pixels) : estimates.at(call - 1)));
  }
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  backend b(1);
  cz::dataset<backend, cz::centred, float> plain(b, pictures.dims, pictures.pixels.data());
  cz::trainer t(b, make_method(cz::mean_squared_error{}), spy_network{}, image,
                cz::trainer_options{.batch_size = 16}, cz::sgd{});
  const std::string none = "condition_input: there is no image to condition on; give one to every batch";
  BOOST_TEST(message_of([&] { t.train_epoch(plain, 1); }) == none);
  plain.set_conditions(b, {count, 1, 4, 5}, conditions.pixels.data());
  BOOST_TEST(message_of([&] { t.train_epoch(plain, 1); }) ==
             "condition_input: found images of 16 x 1 x 4 x 5, wanted 16 x 2 x 4 x 5");
  cz::model model(b, cz::predict_x0{}, spy_network{}, image, {w}, all_inputs);
  host_images z = random_images(image.with_n(2), 9);
  const auto sample = [&] {
    cz::naive_sampler{}(b, model, cz::gaussian_noise{}, cz::linear_schedule(T), 4, {}, z.view());
  };
  BOOST_TEST(message_of(sample) == none);
  const std::vector<std::int32_t> labels{2};
  model.set_labels({labels.data(), 1});
  BOOST_TEST(message_of(sample) == "model: there are 1 labels for 2 images");
  cz::dataset<backend, cz::centred, float> short_of(b, pictures.dims, pictures.pixels.data());
  BOOST_TEST(message_of([&] {
               short_of.set_conditions(b, {count, 1, 4, 4}, conditions.pixels.data());
             }) ==
             "dataset: the conditions are 80 x 1 x 4 x 4, the images 80 x 1 x 4 x 5; they must agree in all "
             "but the channels");
}

BOOST_AUTO_TEST_CASE(bits_depend_on_no_batch_and_no_thread) {
  const host_images start = random_images(image.with_n(70), 9);
  const auto samples = [&](int threads, index_t batch) {
    backend b(threads);
    cz::model model(b, cz::predict_x0{}, spy_network{}, image, {w}, all_inputs);
    host_images z = start;
    for (index_t first = 0; first < 70; first += batch) {
      const index_t n = std::min(batch, 70 - first);
      model.set_condition(
          cz::tensor_view<const float>(conditions.pixels.data() + first * 2 * pixels, {n, 2, 4, 5}));
      cz::naive_sampler{}(b, model, cz::gaussian_noise{}, cz::linear_schedule(T), 4,
                          cz::key_sequence{7, cz::stream::sampling, 0}.from(first),
                          z.view().images(first, n));
    }
    return z;
  };
  const host_images whole = samples(1, 70);
  BOOST_TEST((samples(3, 70) == whole));
  BOOST_TEST((samples(2, 33) == whole));
  BOOST_TEST((samples(1, 1) == whole));

  const auto trained = [&](int threads) {
    backend b(threads);
    cz::trainer t(b, make_method(cz::energy_score{.draws = 3}), spy_network{}, image,
                  cz::trainer_options{.batch_size = 16}, cz::sgd{});
    t.train_epoch(make_data(b), 1, cz::constant_rate{0.1});
    return values_of(t.parameters());
  };
  BOOST_TEST(trained(1) == trained(3));
}

BOOST_AUTO_TEST_CASE(labels_are_dropped) {
  constexpr index_t batch = 40;
  const auto labels_seen = [&](double dropout, std::uint64_t seed) {
    backend b(1);
    const auto data = make_data(b);
    spy_network spy;
    const auto method = cz::make_method(cz::centred{}, cz::gaussian_noise{}, cz::linear_schedule(T),
                                        all_inputs, cz::mean_squared_error{});
    cz::trainer t(b, method, spy, image,
                  cz::trainer_options{.batch_size = batch, .seed = seed, .label_dropout = dropout},
                  cz::sgd{});
    std::vector<std::int32_t> seen;
    for (index_t epoch = 1; epoch <= 10; ++epoch) {
      t.train_epoch(data, epoch, cz::constant_rate{0});
      const auto order = cz::shuffled_order(count, seed, static_cast<std::uint64_t>(epoch));
      for (std::size_t i = 0; i < count; ++i) {
        const auto row = spy.rows->at(i / batch * 2 * batch + batch + i % batch);
        seen.push_back(row.label);
        BOOST_TEST((row.label == 3 || row.label == order[i] % 3));  // 3: none
      }
      spy.rows->clear();
    }
    t.test_loss(data);
    for (const auto& row : *spy.rows) BOOST_TEST(row.label < 3);  // a test leaves all in
    return seen;
  };
  const auto dropped = [](const std::vector<std::int32_t>& seen) {
    return static_cast<double>(std::count(seen.begin(), seen.end(), 3));
  };
  BOOST_TEST(dropped(labels_seen(0, 1)) == 0);
  BOOST_TEST(dropped(labels_seen(1, 1)) == 800);
  const auto some = labels_seen(0.2, 1);
  BOOST_TEST(std::abs(dropped(some) - 160) < 5 * std::sqrt(800 * 0.2 * 0.8));
  BOOST_TEST(labels_seen(0.2, 1) == some);
  BOOST_TEST(labels_seen(0.2, 2) != some);

  backend b(1);
  const auto method = make_method(cz::mean_squared_error{});
  const auto message = [&](double dropout) {
    return message_of([&] {
      cz::trainer t(b, method, spy_network{}, image,
                    cz::trainer_options{.batch_size = batch, .label_dropout = dropout}, cz::sgd{});
      t.train_epoch(cz::dataset<backend, cz::centred, float>(b, pictures.dims, pictures.pixels.data()), 1);
    });
  };
  BOOST_TEST(message(0.1) ==
             "trainer: labels are to be dropped, and the data set has none; call its set_labels first");
  BOOST_TEST(message(1.5) == "trainer: the label dropout is 1.500000; it must be 0 to 1");
}

BOOST_AUTO_TEST_CASE(noise_of_squares) {
  // Squares of 3 pixels of an image of 4 x 5: two rows of two; with side 0 the whole image shares a number.
  backend b(1);
  const cz::key_sequence keys{3, cz::stream::user, 8};
  const host_images x_t = random_images(image.with_n(2), 9);
  cz::input_context<backend> context;
  context.x_t = cz::tensor_view<const float>(x_t.pixels.data(), x_t.dims);
  context.keys = keys;
  context.draw = 2;
  const auto first = static_cast<std::uint64_t>(2 * ((2 * pixels + 3) / 4 * 4));
  for (const index_t side : {index_t{3}, index_t{0}}) {
    host_images noise({2, 2, 4, 5});
    cz::noise_input{.planes = 2, .side = side}.compose(
        b, context, cz::tensor_view<float>(noise.pixels.data(), noise.dims));
    for (index_t n = 0; n < 2; ++n) {
      for (index_t i = 0; i < 2 * pixels; ++i) {
        const index_t c = i / pixels, y = i % pixels / 5, x = i % 5;
        const index_t number = side == 0 ? c : (c * 2 + y / 3) * 2 + x / 3;
        BOOST_TEST(noise.view()(n, c, y, x) ==
                   cz::random_normal(keys[n], first + static_cast<std::uint64_t>(number)));
      }
    }
  }
}
