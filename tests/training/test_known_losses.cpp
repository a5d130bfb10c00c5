// Objectives on data whose best predictions are known: no network has a loss below theirs, and their loss is
// the variance that the state leaves open, weighted.
#define BOOST_TEST_MODULE known_losses
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/data/dataset.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/nn/scaled_input.hpp>
#include <coldzoom/optim/sgd.hpp>
#include <coldzoom/prediction/preconditioned.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/karras.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/schedule/zero_terminal_snr.hpp>
#include <coldzoom/training/trainer.hpp>
#include <functional>
#include <memory>

#include "common/errors.hpp"
#include "common/known_law.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::reference_backend<float>;
using cz::amplitudes;
using cz::index_t;

namespace {

constexpr int T = 40;
constexpr cz::shape image{1, 1, 8, 8};
constexpr index_t count = 400;
const known_law law{{{1, 0.1}}, 0.3};
using sigma_data = std::ratio<3, 10>;

/// y = f(x, time) + w, with one parameter w that is 0 at first, so that the gradient is the mean slope of the
/// loss.
struct known_network {
  std::function<double(double x, float time)> f;
  std::shared_ptr<std::vector<float>> times = std::make_shared<std::vector<float>>();  // of all rows

  cz::shape output_shape(cz::shape in) const { return in; }
  void describe(cz::parameter_list& list, const std::string& prefix) const {
    list.push_back({prefix + "w", {1}, 0});
  }
  template <cz::Backend B> struct workspace {};
  template <cz::Backend B> workspace<B> make_workspace(B&, cz::shape, cz::pass) const { return {}; }
  template <cz::Backend B> void pack_weights(B&, const cz::real_t<B>*, workspace<B>&) const {}
  template <cz::Backend B>
  void forward(B&, const cz::real_t<B>* w, cz::const_activation<B> x, const cz::side_inputs<B>& side,
               cz::activation<B> y, workspace<B>&) const {
    for (index_t n = 0; n < x.dims.n; ++n) {
      times->push_back(side.time[n]);
      for (index_t p = 0; p < x.dims.pixels(); ++p)
        y.data[y.offset(n, 0, p)] =
            w[0] + static_cast<float>(f(static_cast<double>(x.data[x.offset(n, 0, p)]), side.time[n]));
    }
  }
  template <cz::Backend B>
  void backward(B&, const cz::real_t<B>*, cz::const_activation<B> x, const cz::side_inputs<B>&,
                cz::activation<B> dy, cz::activation<B>, cz::real_t<B>* gradients, workspace<B>&) const {
    for (index_t n = 0; n < x.dims.n; ++n) {
      for (index_t p = 0; p < x.dims.pixels(); ++p) gradients[0] += dy.data[dy.offset(n, 0, p)];
    }
  }
  template <cz::Backend B> void reduce_gradients(B&, cz::real_t<B>*, workspace<B>&) const {}
};

host_images known_data() {
  host_images x0(image.with_n(count));
  std::uint64_t i = 0;
  for (float& v : x0.pixels)
    v = static_cast<float>(law.mean() + law.deviation * static_cast<double>(cz::random_normal({1}, i++)));
  return x0;
}

/// `wanted(a)`, from the papers, is the loss of an element whose amplitudes are a, on average. `scale(a)` is
/// what the input policy multiplies x_t by.
template <class Method, class Wanted, class Scale>
void check_loss(const Method& method, const Wanted& wanted, const Scale& scale) {
  using P = typename Method::prediction;
  constexpr index_t batch = 100, draws = 4;
  constexpr double rate = 0.5;
  const auto at = [&](int t) {
    return cz::detail::amplitudes_at(method.degradation, method.schedule, t, image)(0);
  };
  const auto step_of = [&](float time) {
    int t = 1;
    while (t < T && cz::detail::time_of(method.schedule, t) != time) ++t;
    return t;
  };
  const known_network network{[&](double x, float time) {
    const amplitudes a = at(step_of(time));
    return best_answer<P>(law, x / scale(a), a);
  }};
  backend b;
  const host_images x0 = known_data();
  const cz::dataset<backend, cz::centred, float> images(b, x0.dims, x0.pixels.data());
  cz::trainer t(b, method, network, image, cz::trainer_options{.batch_size = batch}, cz::sgd{});
  // An element's loss is its mean times a chi-square variable of one degree, whose variance is 2.
  double mean = 0, variance = 0;
  const auto expect = [&](std::size_t first) {
    mean = variance = 0;
    const double rows = static_cast<double>(network.times->size() - first);
    for (std::size_t row = first; row < network.times->size(); ++row) {
      const double w = wanted(at(step_of(network.times->at(row))));
      mean += w / rows;
      variance += 2 * w * w / (rows * rows * static_cast<double>(image.image()));
    }
  };
  BOOST_TEST_CONTEXT(P::name) {
    const double tested = t.test_loss(images, draws);
    expect(0);
    BOOST_TEST(network.times->size() == static_cast<std::size_t>(count * draws));
    BOOST_TEST(std::abs(tested - mean) < 5 * std::sqrt(variance), tested << " in a test, wanted " << mean);
    const std::size_t before = network.times->size();
    const double trained = t.train_epoch(images, 1, cz::constant_rate{0});
    expect(before);
    BOOST_TEST(std::abs(trained - mean) < 5 * std::sqrt(variance),
               trained << " in training, wanted " << mean);
    // The least loss has no slope; that of an element deviates by 2 sqrt(weight wanted).
    const index_t epochs = 5;
    double slope = 0, allowed = 0;
    for (index_t epoch = 1; epoch <= epochs; ++epoch) {
      const std::size_t first = network.times->size();
      cz::trainer once(b, method, network, image, cz::trainer_options{.batch_size = count}, cz::sgd{});
      once.train_epoch(images, epoch, cz::constant_rate{rate});
      slope -= static_cast<double>(once.parameters().data()[0]) / rate;
      for (std::size_t row = first; row < network.times->size(); ++row) {
        const int step = step_of(network.times->at(row));
        const double weight =
            cz::detail::weight_at<P>(method.weighting, method.degradation, method.schedule, step);
        allowed += 4 * weight * wanted(at(step)) / (static_cast<double>(count * count * image.image()));
      }
    }
    BOOST_TEST(std::abs(slope) < 5 * std::sqrt(allowed), "slope " << slope);
    BOOST_TEST(allowed > 0);
  }
}

/// The variance of x0 given x_t.
double left_open(amplitudes a) { return law.given(0, a).variance; }
double snr(amplitudes a) { return std::pow(a.signal / a.noise, 2); }

template <class D, class S, class Wanted, class... Policies>
void check(const D& d, const S& schedule, const Wanted& wanted, Policies... policies) {
  check_loss(cz::make_method(cz::centred{}, d, schedule, policies...), wanted,
             [](amplitudes) { return 1.0; });
}

}  // namespace

BOOST_AUTO_TEST_CASE(predictions) {
  const auto linear = cz::ddpm_schedule::linear(T, 1e-4, 0.2);
  check(cz::gaussian_noise{}, linear, left_open, cz::predict_x0{});
  check(
      cz::gaussian_noise{}, linear, [](amplitudes a) { return snr(a) * left_open(a); }, cz::predict_noise{});
  // v moves by -1 / noise where x0 moves by 1 and x_t stays (Salimans and Ho 2022, appendix D).
  check(
      cz::gaussian_noise{}, linear, [](amplitudes a) { return left_open(a) / (a.noise * a.noise); },
      cz::predict_velocity{});
  check(
      cz::flow_noise{}, cz::linear_schedule(T),
      [](amplitudes a) { return left_open(a) / (a.noise * a.noise); }, cz::predict_flow{});
}

BOOST_AUTO_TEST_CASE(min_snr) {
  const auto linear = cz::ddpm_schedule::linear(T, 1e-4, 0.2);
  const cz::zero_terminal_snr zero(linear);
  const auto capped = [](amplitudes a) { return std::min(snr(a), 5.0) * left_open(a); };
  check(cz::gaussian_noise{}, linear, capped, cz::predict_noise{}, cz::min_snr_weight{});
  check(cz::gaussian_noise{}, zero, capped, cz::predict_velocity{}, cz::min_snr_weight{});
  check(cz::gaussian_noise{}, zero, capped, cz::predict_x0{}, cz::min_snr_weight{});
}

BOOST_AUTO_TEST_CASE(edm) {
  // Karras et al. 2022, section 5: the loss of the best network is 1 at every level, where the data deviate by
  // sigma_data.
  const cz::karras_schedule schedule(T, {.sigma_min = 0.01, .sigma_max = 10});
  const auto one = [](amplitudes) { return 1.0; };
  const cz::edm_weight weight{0.3};
  check(cz::exploding_noise{}, schedule, one, cz::predict_x0{}, weight);
  const auto scale = [](amplitudes a) { return 1 / std::hypot(a.noise, 0.3); };
  const cz::scaled_input input(cz::exploding_noise{}, 0.3);
  const cz::predict_preconditioned<sigma_data> predict;
  check_loss(cz::make_method(cz::centred{}, cz::exploding_noise{}, schedule, predict, input, weight), one,
             scale);
  // Which is that of the answer itself.
  check_loss(cz::make_method(cz::centred{}, cz::exploding_noise{}, schedule, predict, input), one, scale);
}

BOOST_AUTO_TEST_CASE(the_input_has_deviation_1) {
  backend b;
  const cz::exploding_noise d;
  const cz::scaled_input input(d, 0.3);
  const host_images x0 = known_data();
  for (const float sigma : {0.0f, 0.3f, 20.0f}) {
    const std::vector<float> levels(count, sigma);
    host_images z(x0.dims), scaled(x0.dims);
    cz::degrade(b, d, x0.view(), {levels.data(), count}, {3, cz::stream::user, 0}, z.view());
    cz::input_context<backend> context;
    context.x_t = cz::tensor_view<const float>(z.pixels.data(), z.dims);
    context.level = {levels.data(), count};
    input.compose(b, context, cz::tensor_view<float>(scaled.pixels.data(), z.dims));
    double mean = 0, square = 0;
    const double size = static_cast<double>(z.pixels.size());
    for (std::size_t i = 0; i < z.pixels.size(); ++i) {
      const double v = static_cast<double>(scaled.pixels[i]),
                   factor = std::hypot(static_cast<double>(sigma), 0.3);
      BOOST_REQUIRE(std::abs(v * factor - static_cast<double>(z.pixels[i])) <=
                    0x1p-22 * std::abs(v * factor));
      mean += v / size;
      square += v * v / size;
    }
    BOOST_TEST(std::abs(square - mean * mean - 1) < 5 * std::sqrt(2 / size));
  }
  BOOST_TEST(message_of([&] { cz::scaled_input(d, 0); }) ==
             "scaled_input: sigma_data is 0.000000; it must be above 0");
}

BOOST_AUTO_TEST_CASE(training_noise_is_log_normal) {
  // The steps that training draws, against the integral of the density over the cells of ln sigma.
  const cz::karras_schedule schedule(T, {.sigma_min = 0.01, .sigma_max = 10, .mean = -1, .deviation = 0.8});
  const auto words = cz::detail::words_of_steps(schedule, T);
  const index_t draws = 100000;
  std::vector<double> found(T), spread(T), wanted(T);
  for (index_t n = 0; n < draws; ++n) {
    const auto step = [&](std::uint32_t word) {
      return static_cast<std::size_t>(cz::detail::step_of_word(words.data(), T, word) - 1);
    };
    ++found[step(cz::detail::drawn_word{{5, cz::stream::training_level, 0}}(n))];
    ++spread[step(cz::detail::spread_word{77}(n))];
  }
  const auto density = [](double u) {
    return std::exp(-std::pow((u + 1) / 0.8, 2) / 2) / (0.8 * std::sqrt(2 * std::acos(-1.0)));
  };
  const auto ln_sigma = [&](int t) { return std::log(static_cast<double>(schedule.level(t))); };
  for (int t = 1; t <= T; ++t) {
    const double low = t == 1 ? -10 : (ln_sigma(t - 1) + ln_sigma(t)) / 2,
                 high = t == T ? 8 : (ln_sigma(t) + ln_sigma(t + 1)) / 2;
    constexpr int pieces = 2000;
    for (int i = 0; i < pieces; ++i)
      wanted[static_cast<std::size_t>(t - 1)] += static_cast<double>(draws) *
                                                 density(low + (high - low) * (i + 0.5) / pieces) *
                                                 (high - low) / pieces;
  }
  BOOST_TEST(chi_square(found, wanted) < chi_square_bound(T - 1));
  for (std::size_t i = 0; i < T; ++i) BOOST_TEST(std::abs(spread[i] - wanted[i]) < 10);
}

BOOST_AUTO_TEST_CASE(steps_without_a_share_are_never_drawn) {
  struct some_steps : cz::linear_schedule {
    using linear_schedule::linear_schedule;
    double of_two = 1;
    double share(int t) const { return t == 2 ? of_two : t == 5 ? 3 : 0; }
  };
  some_steps schedule(6);
  const auto words = cz::detail::words_of_steps(schedule, 6);
  const auto step = [&](std::uint32_t word) { return cz::detail::step_of_word(words.data(), 6, word); };
  BOOST_TEST(step(1) == 2);
  BOOST_TEST(step((1u << 30) - 1) == 2);
  BOOST_TEST(step(1u << 30) == 5);
  BOOST_TEST(step(0xFFFFFFFFu) == 5);
  BOOST_TEST(message_of([&] { cz::detail::words_of_steps(schedule, 1); }) ==
             "trainer: the schedule's shares of steps 1 to 1 are all 0");
  schedule.of_two = -1;
  BOOST_TEST(message_of([&] { cz::detail::words_of_steps(schedule, 6); }) ==
             "trainer: the schedule's share of step 2 is -1.000000; it must be finite and at least 0");
}

BOOST_AUTO_TEST_CASE(no_noise_to_predict_where_no_signal_is_left) {
  backend b;
  const auto message = [&](const auto& prediction, int last_step) {
    return message_of([&] {
      cz::trainer t(b,
                    cz::make_method(cz::centred{}, cz::gaussian_noise{},
                                    cz::zero_terminal_snr(cz::ddpm_schedule::linear(T)), prediction,
                                    cz::min_snr_weight{}),
                    known_network{}, image, cz::trainer_options{.last_step = last_step}, cz::sgd{});
    });
  };
  BOOST_TEST(message(cz::predict_noise{}, T) ==
             "trainer: no signal is left at step 40, so a prediction of noise says nothing of the image; use "
             "predict_velocity, predict_flow or predict_x0, or a schedule that leaves some");
  BOOST_TEST(message(cz::predict_noise{}, T - 1) == "no error");
  BOOST_TEST(message(cz::predict_velocity{}, T) == "no error");
}
