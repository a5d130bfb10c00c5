// One step of training, against the same step written out in double.
#define BOOST_TEST_MODULE training_step
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/nn/energy_score.hpp>
#include <coldzoom/optim/sgd.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/trainer.hpp>

#include "common/random_images.hpp"
#include "common/soft_frontier.hpp"
#include "common/spy_network.hpp"

namespace cz = coldzoom;
using backend = cz::reference_backend<float>;
using cz::index_t;

namespace {

constexpr cz::shape image{1, 2, 3, 5};
constexpr index_t batch = 40;  // a micro-batch and a part of one
constexpr std::uint64_t seed = 3, epoch = 2;
constexpr double w = 0.5, rate = 0.25;
constexpr int T = 50;
const host_images x0 = random_images(image.with_n(batch), 1);

/// What the definition says of image n, as the batch has it.
struct example {
  int t;
  std::vector<double> x0, noise, x_t, target;
};

/// Trains one batch and calls the checks: read(n, row) what the network saw in image n; the loss and the
/// parameter are those of weight(example, element) (w x_t - target)^2.
template <class P, class D, class S, class W, class Amplitudes, class Weight>
void check_step(const D& d, const S& schedule, const W& weighting, const Amplitudes& amplitudes_at,
                const Weight& weight) {
  backend b;
  const cz::dataset<backend, cz::centred, float> images(b, x0.dims, x0.pixels.data());
  const spy_network spy{image.c};
  cz::trainer t(b, cz::make_method(cz::centred{}, d, schedule, P{}, weighting), spy, image,
                cz::trainer_options{.batch_size = batch, .seed = seed}, cz::sgd{});
  const double loss = t.train_epoch(images, static_cast<index_t>(epoch), cz::constant_rate{rate});
  BOOST_REQUIRE(spy.rows->size() == static_cast<std::size_t>(batch));

  const auto order = cz::shuffled_order(batch, seed, epoch);
  const auto elements = static_cast<std::size_t>(image.image());
  double wanted = 0, gradient = 0, size = 0, gradient_size = 0;
  for (std::size_t n = 0; n < static_cast<std::size_t>(batch); ++n) {
    const spy_network::row& row = (*spy.rows)[n];
    const int step = static_cast<int>(std::lround(row.time * T));
    BOOST_REQUIRE((step >= 1 && step <= T));
    const cz::sample_key key{seed, cz::stream::training_degradation, epoch * batch + n};
    for (std::size_t i = 0; i < elements; ++i) {
      const cz::amplitudes a = amplitudes_at(step, static_cast<index_t>(i));
      const double clean = static_cast<double>(x0.pixels[static_cast<std::size_t>(order[n]) * elements + i]),
                   noise = static_cast<double>(cz::random_normal(key, i)), z = static_cast<double>(row.x[i]);
      // Float amplitudes, two products and a sum.
      BOOST_TEST(std::abs(z - (a.signal * clean + a.noise * noise)) <=
                 8 * 0x1p-24 * (std::abs(clean) + std::abs(noise)));
      const double target = P::target(clean, noise, a), off = w * z - target,
                   factor = weight(step, static_cast<index_t>(i), a);
      const double magnitude = std::abs(w * z) + std::abs(target) + std::abs(clean) + std::abs(noise);
      wanted += factor * off * off;
      gradient += factor * 2 * off * z;
      size += factor * magnitude * magnitude;
      gradient_size += factor * 2 * magnitude * std::abs(z);
    }
  }
  // Amplitudes, target, answer, difference, weight and share are rounded to float: 16 roundings at most.
  const double count = static_cast<double>(x0.dims.size());
  BOOST_TEST(std::abs(loss - wanted / count) <= 16 * 0x1p-24 * size / count);
  // The gradient is a sum in float too.
  const double found = (w - static_cast<double>(t.parameters().data()[0])) / rate;
  BOOST_TEST(std::abs(found - gradient / count) <= (16 + count) * 0x1p-24 * gradient_size / count);
  BOOST_TEST(std::abs(gradient / count) > 0.01);
}

/// Another formula for each prediction than the library's: that of its paper.
struct slope_of {
  static double squared(cz::predict_x0, cz::amplitudes) { return 1; }
  static double squared(cz::predict_noise, cz::amplitudes a) { return 1 / std::pow(a.signal / a.noise, 2); }
  static double squared(cz::predict_velocity, cz::amplitudes a) {  // of a variance-preserving schedule
    return 1 / (std::pow(a.signal / a.noise, 2) + 1);
  }
  static double squared(cz::predict_flow, cz::amplitudes a) {
    return 1 / std::pow(a.signal / a.noise + 1, 2);
  }
};

template <class P> void check_min_snr(double gamma) {
  BOOST_TEST_CONTEXT(P::name << " with gamma " << gamma) {
    const cz::ddpm_schedule schedule = cz::ddpm_schedule::cosine(T);
    check_step<P>(
        cz::gaussian_noise{}, schedule, cz::min_snr_weight{gamma},
        [&](int t, index_t) {  // of the level, which is rounded to float
          const double level = static_cast<double>(schedule.level(t));
          return cz::amplitudes{std::sqrt((1 - level) * (1 + level)), level};
        },
        [&](int t, index_t, cz::amplitudes) {
          const cz::amplitudes a{schedule.signal(t), schedule.noise(t)};
          return std::min(std::pow(a.signal / a.noise, 2), gamma) * slope_of::squared(P{}, a);
        });
  }
}

/// Counts the pixels of the left column threefold where the level is above a half.
struct left_column {
  COLDZOOM_HD float operator()(float level, const cz::shape&, index_t, index_t, index_t x) const {
    return level > 0.5f && x == 0 ? 3.0f : 0.5f;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(weighted_by_the_signal_to_noise_ratio) {
  for (const double gamma : {5.0, 0.5}) {
    check_min_snr<cz::predict_x0>(gamma);
    check_min_snr<cz::predict_noise>(gamma);
    check_min_snr<cz::predict_velocity>(gamma);
    check_min_snr<cz::predict_flow>(gamma);
  }
}

BOOST_AUTO_TEST_CASE(a_field_of_noise_with_weights_of_pixels) {
  const cz::linear_schedule schedule(T);
  const soft_frontier d{{}, 0.5f};
  check_step<cz::predict_velocity>(
      d, schedule, cz::region_weight(left_column{}),
      [&](int t, index_t i) {
        return d.amplitudes(schedule.level(t), image, 0, i / image.w % image.h, i % image.w);
      },
      [&](int t, index_t i, cz::amplitudes) { return 2 * t > T && i % image.w == 0 ? 3.0 : 0.5; });
}

BOOST_AUTO_TEST_CASE(several_draws) {
  // By the library's parts: the network answers with its noise, three times for each image.
  constexpr index_t draws = 3, rows = draws * batch;
  const cz::ddpm_schedule schedule = cz::ddpm_schedule::cosine(T);
  const cz::energy_score score{.draws = draws};
  backend b;
  const cz::dataset<backend, cz::centred, float> images(b, x0.dims, x0.pixels.data());
  const spy_network spy{image.c};
  cz::trainer t(b,
                cz::make_method(cz::centred{}, cz::gaussian_noise{}, schedule, cz::min_snr_weight{}, score,
                                cz::noise_input{image.c}),
                spy, image, cz::trainer_options{.batch_size = batch, .seed = seed}, cz::sgd{});
  const double found = t.train_epoch(images, static_cast<index_t>(epoch), cz::constant_rate{rate});
  BOOST_REQUIRE(spy.rows->size() == static_cast<std::size_t>(rows));

  cz::activation_buffer<backend> y(b, image.with_n(rows)), dy(b, image.with_n(rows));
  const auto order = cz::shuffled_order(batch, seed, epoch);
  std::vector<float> target, weight, losses(batch);
  float* to = y.view(rows).data;
  for (index_t r = 0; r < rows; ++r) {
    for (const float v : spy.rows->at(static_cast<std::size_t>(r)).x) *to++ = static_cast<float>(w) * v;
    if (r % draws > 0) continue;
    const auto first = x0.pixels.begin() + order[static_cast<std::size_t>(r / draws)] * image.image();
    target.insert(target.end(), first, first + image.image());
    const auto step = static_cast<int>(std::lround(spy.rows->at(static_cast<std::size_t>(r)).time * T));
    weight.push_back(
        static_cast<float>(std::min(std::pow(schedule.signal(step) / schedule.noise(step), 2), 5.0)));
  }
  cz::loss_weights<backend> weights;
  weights.image = {weight.data(), batch};
  score(b, y.view(rows), cz::tensor_view<const float>(target.data(), x0.dims), weights, score.scale(x0.dims),
        dy.view(rows), cz::vector_view<float>{losses.data(), batch});
  // The weights may differ in their last bit.
  const double wanted = b.sum(losses.data(), batch);
  BOOST_TEST(std::abs(found / wanted - 1) < 4 * 0x1p-24);
  double gradient = 0, size = 0;
  const float* d = dy.view(rows).data;
  for (index_t r = 0; r < rows; ++r) {
    for (const float v : spy.rows->at(static_cast<std::size_t>(r)).x) {
      gradient += static_cast<double>(*d) * static_cast<double>(v);
      size += std::abs(static_cast<double>(*d++) * static_cast<double>(v));
    }
  }
  const double moved = (w - static_cast<double>(t.parameters().data()[0])) / rate;
  // A sum of 3600 terms in float, and the rounding of the parameter.
  BOOST_TEST(std::abs(moved - gradient) <= 3600 * 0x1p-24 * size + 0x1p-25 / rate);
  BOOST_TEST(std::abs(gradient) > 100 * (3600 * 0x1p-24 * size + 0x1p-25 / rate));
}
