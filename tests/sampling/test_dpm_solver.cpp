#define BOOST_TEST_MODULE dpm_solver
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/dpm_solver.hpp>
#include <coldzoom/schedule/ddpm.hpp>

#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::reference_backend<float>;
using cz::index_t;

namespace {

constexpr int T = 1000;
const cz::ddpm_schedule schedule = cz::ddpm_schedule::linear(T);
constexpr double mean = 0.1, variance = 0.04;

/// The expected picture where every pixel of the data is normal of that mean and variance.
struct normal_data_network {
  using prediction = cz::predict_x0;

  static double expected(double z, int t) {
    const double s = schedule.signal(t), n = schedule.noise(t);
    return mean + s * variance / (s * s * variance + n * n) * (z - s * mean);
  }
  void operator()(cz::tensor_view<const float> x, const cz::sampling_step& step,
                  cz::tensor_view<float> y) const {
    for (index_t i = 0; i < x.dims.size(); ++i)
      y.data[i] = static_cast<float>(expected(static_cast<double>(x.data[i]), step.t));
  }
};

/// Where the path that the samplers follow leads from z at T to: it keeps the number of standard deviations
/// from the mean (Song et al. 2021, "Score-based generative modeling", probability flow of a normal density).
double exact(double z, int t) {
  const auto deviation = [](int at) {
    return std::sqrt(std::pow(schedule.signal(at), 2) * variance + std::pow(schedule.noise(at), 2));
  };
  return schedule.signal(t) * mean + deviation(t) / deviation(T) * (z - schedule.signal(T) * mean);
}

host_images latent(cz::shape dims) {
  host_images z(dims);
  for (std::size_t i = 0; i < z.pixels.size(); ++i) z.pixels[i] = cz::random_normal({1}, i);
  return z;
}

/// The state that the sampler shows at each of its calls, and its samples.
template <class Sampler>
std::vector<host_images> states_of(const Sampler& sampler, const host_images& start, int calls) {
  backend b;
  const normal_data_network network;
  host_images z = start;
  std::vector<host_images> states;
  sampler(b, network, cz::gaussian_noise{}, schedule, calls, {}, z.view(),
          [&](int, const auto& state, const auto&) {
            states.emplace_back(state.dims);
            std::copy_n(state.data, state.dims.size(), states.back().pixels.begin());
          });
  states.push_back(z);
  return states;
}

}  // namespace

BOOST_AUTO_TEST_CASE(steps_are_those_of_the_formula) {
  // From each state that the observer sees: Lu et al. 2022, algorithm 2, in double.
  const auto states = states_of(cz::dpm_solver_sampler{false}, latent({2, 1, 5, 5}), 9);
  std::vector<int> steps = cz::sampling_steps(T, 9);
  steps.push_back(0);
  const auto lambda = [](int t) { return std::log(schedule.signal(t) / schedule.noise(t)); };
  for (std::size_t k = 0; k < 9; ++k) {
    const int t = steps[k], next = steps[k + 1];
    for (std::size_t i = 0; i < states[k].pixels.size(); ++i) {
      const auto answer = [&](std::size_t at) {
        return normal_data_network::expected(static_cast<double>(states[at].pixels[i]), steps[at]);
      };
      const double z = static_cast<double>(states[k].pixels[i]), now = answer(k);
      double wanted = now, allowed = 0x1p-24 * std::abs(now);  // the last step, of first order, is x0_hat
      if (next > 0) {
        const double h = lambda(next) - lambda(t);
        double D = now, rounding = std::abs(now);
        if (k > 0) {
          const double r = (lambda(t) - lambda(steps[k - 1])) / h, before = answer(k - 1);
          D = (1 + 1 / (2 * r)) * now - 1 / (2 * r) * before;
          rounding = (1 + 1 / (2 * r)) * std::abs(now) + 1 / (2 * r) * std::abs(before);
        }
        const double add = -schedule.signal(next) * std::expm1(-h);
        wanted = schedule.noise(next) / schedule.noise(t) * z + add * D;
        allowed = 0x1p-24 * add * rounding;  // both answers are rounded to float
      }
      allowed += 0x1p-24 * std::abs(wanted) + 0x1p-45;  // as is the state; and double is not exact
      BOOST_TEST(std::abs(static_cast<double>(states[k + 1].pixels[i]) - wanted) <= allowed);
    }
  }
}

BOOST_AUTO_TEST_CASE(order) {
  // The states at T / 2, where the signal has come back in part, against the exact path. Errors of the second
  // order fall fourfold where the calls double, of the first twofold. Rounding to float is 1e-6 of the
  // largest.
  const host_images start = latent({1, 1, 4, 4});
  const auto error = [&](const auto& sampler, int calls) {
    const host_images half = states_of(sampler, start, calls)[static_cast<std::size_t>(calls / 2)];
    double worst = 0;
    for (std::size_t i = 0; i < start.pixels.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(half.pixels[i]) -
                                       exact(static_cast<double>(start.pixels[i]), T / 2)));
    return worst;
  };
  for (const int calls : {20, 40}) {
    const double second =
        error(cz::dpm_solver_sampler{false}, calls) / error(cz::dpm_solver_sampler{false}, 2 * calls);
    const double first = error(cz::ddim_sampler{false}, calls) / error(cz::ddim_sampler{false}, 2 * calls);
    BOOST_TEST_MESSAGE(calls << " calls: error of dpm_solver " << error(cz::dpm_solver_sampler{false}, calls)
                             << " falls " << second << "-fold, of ddim "
                             << error(cz::ddim_sampler{false}, calls) << " " << first << "-fold");
    BOOST_TEST(second > 3.5);
    BOOST_TEST((first > 1.7 && first < 2.3));
    BOOST_TEST(error(cz::dpm_solver_sampler{false}, calls) < error(cz::ddim_sampler{false}, calls));
  }
}
