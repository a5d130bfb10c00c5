#define BOOST_TEST_MODULE adams_bashforth
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/sampling/adams_bashforth.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/schedule/linear.hpp>

#include "common/random_images.hpp"
#include "common/soft_frontier.hpp"

namespace cz = coldzoom;
using backend = cz::reference_backend<float>;
using cz::index_t;

namespace {

constexpr int T = 320;
const cz::linear_schedule schedule(T);
constexpr double mean = 0.1, variance = 0.04;

/// e - x0 as expected from z = (1 - s) x0 + s e where every pixel of the data is normal of that mean and
/// variance, and e standard normal.
double expected_flow(double z, double s) {
  const double total = (1 - s) * (1 - s) * variance + s * s;
  const double off = z - (1 - s) * mean;
  return s / total * off - (mean + (1 - s) * variance / total * off);
}

template <class D> struct normal_data_network {
  using prediction = cz::predict_flow;
  const D& d;

  void operator()(cz::tensor_view<const float> x, const cz::sampling_step& step,
                  cz::tensor_view<float> y) const {
    const auto at = cz::detail::amplitudes_of(d, step.level, x.dims.with_n(1));
    for (index_t i = 0; i < x.dims.size(); ++i)
      y.data[i] =
          static_cast<float>(expected_flow(static_cast<double>(x.data[i]), at(i % x.dims.image()).noise));
  }
};

/// The state at each call, and the samples.
template <class Sampler, class D>
std::vector<host_images> states_of(const Sampler& sampler, const D& d, const host_images& start, int calls) {
  backend b;
  const normal_data_network<D> network{d};
  host_images z = start;
  std::vector<host_images> states;
  sampler(b, network, d, schedule, calls, {}, z.view(), [&](int, const auto& state, const auto&) {
    states.emplace_back(state.dims);
    std::copy_n(state.data, state.dims.size(), states.back().pixels.begin());
  });
  states.push_back(z);
  return states;
}

host_images noise(cz::shape dims) {
  host_images z(dims);
  for (std::size_t i = 0; i < z.pixels.size(); ++i) z.pixels[i] = cz::random_normal({1}, i);
  return z;
}

}  // namespace

BOOST_AUTO_TEST_CASE(steps_are_those_of_the_formula) {
  // z <- z + (s' - s) (v + r (v - v_before)), r = (t' - t) / (2 (t - t_before)); r = 0 for pixels that were
  // all noise in the step before as well as now.
  const soft_frontier d{{}, 0.5f};
  constexpr int calls = 9;
  const auto states = states_of(cz::adams_bashforth_sampler{.spacing = 1.3}, d, noise({2, 1, 7, 6}), calls);
  std::vector<int> steps = cz::sampling_steps(T, calls, 1.3);
  steps.push_back(0);
  const cz::shape image{1, 1, 7, 6};
  int on_their_way = 0;
  for (std::size_t k = 0; k < calls; ++k) {
    for (index_t i = 0; i < states[k].dims.size(); ++i) {
      const index_t e = i % image.image();
      const auto sigma = [&](std::size_t at) {
        return d.amplitudes(schedule.level(steps[at]), image, 0, e / 6, e % 6).noise;
      };
      const auto state = [&](std::size_t at) {
        return static_cast<double>(states[at].pixels[static_cast<std::size_t>(i)]);
      };
      const auto flow = [&](std::size_t at) { return expected_flow(state(at), sigma(at)); };
      double v = sigma(k) > 0 ? flow(k) : 0;
      if (k > 0 && sigma(k - 1) > sigma(k) && sigma(k) > 0) {
        v += static_cast<double>(steps[k + 1] - steps[k]) / (2 * (steps[k] - steps[k - 1])) *
             (v - flow(k - 1));
        ++on_their_way;
      }
      const double wanted = state(k) + (sigma(k + 1) - sigma(k)) * v;
      BOOST_TEST(std::abs(state(k + 1) - wanted) <= 2e-6 * std::max(1.0, std::abs(wanted)));
    }
  }
  BOOST_TEST(on_their_way > 50);
}

BOOST_AUTO_TEST_CASE(order) {
  // Flow matching of normal data, from s = 1: the path keeps the number of standard deviations from the mean.
  // Errors at T / 2 fall fourfold where the calls double, of Euler's method twofold.
  const host_images start = noise({1, 1, 4, 4});
  const auto error = [&](const auto& sampler, int calls) {
    const host_images half =
        states_of(sampler, cz::flow_noise{}, start, calls)[static_cast<std::size_t>(calls / 2)];
    double worst = 0;
    for (std::size_t i = 0; i < start.pixels.size(); ++i) {
      const double exact =
          0.5 * mean + std::sqrt(0.25 * variance + 0.25) * static_cast<double>(start.pixels[i]);
      worst = std::max(worst, std::abs(static_cast<double>(half.pixels[i]) - exact));
    }
    return worst;
  };
  for (const int calls : {20, 40}) {
    const cz::adams_bashforth_sampler second;
    const cz::ddim_sampler first{.clip = false};
    const double falls = error(second, calls) / error(second, 2 * calls),
                 euler = error(first, calls) / error(first, 2 * calls);
    BOOST_TEST_MESSAGE(calls << " calls: " << error(second, calls) << " falls " << falls << "-fold, Euler's "
                             << error(first, calls) << " falls " << euler << "-fold");
    BOOST_TEST((falls > 3 && falls < 5));
    BOOST_TEST((euler > 1.7 && euler < 2.4));
    BOOST_TEST(error(second, calls) < 0.3 * error(first, calls));
  }
}
