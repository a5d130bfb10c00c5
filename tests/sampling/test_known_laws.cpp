// Samplers on data whose best predictions are known: the law of their samples, and the order of their errors.
#define BOOST_TEST_MODULE known_laws
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/prediction/preconditioned.hpp>
#include <coldzoom/sampling/adams_bashforth.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/sampling/dpm_solver.hpp>
#include <coldzoom/sampling/heun.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/karras.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/schedule/zero_terminal_snr.hpp>

#include "common/errors.hpp"
#include "common/known_law.hpp"
#include "common/random_images.hpp"
#include "common/soft_frontier.hpp"
#include "common/worse.hpp"

namespace cz = coldzoom;
using backend = cz::reference_backend<float>;
using cz::index_t;

namespace {

constexpr int T = 1280;  // divided by all numbers of steps below
const known_law two_peaks{{{0.3, -0.35}, {0.7, 0.2}}, 0.12}, one_peak{{{1, 0.1}}, 0.3};
const cz::ddpm_schedule linear = cz::ddpm_schedule::linear(T);
const cz::zero_terminal_snr zero_snr(cz::ddpm_schedule::cosine(T));
const cz::karras_schedule karras(T, {.sigma_min = 0.002, .sigma_max = 20});
const cz::linear_schedule straight(T);

template <class D, class S> auto amplitudes_of(const D& d, const S& schedule) {
  return [&](int t) { return cz::detail::amplitudes_at(d, schedule, t, {1, 1, 1, 1})(0); };
}

/// States at T whose shares below are (i + 1/2) / count: a fair set of all starts.
template <class At> host_images fair_start(const known_law& law, index_t count, const At& at) {
  host_images z({1, 1, 1, count});
  for (index_t i = 0; i < count; ++i) {
    const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    z.pixels[static_cast<std::size_t>(i)] = static_cast<float>(law.quantile(share, at(T)));
  }
  return z;
}

/// The states at `watched` on the way, and the samples; of a step that is looked at twice, the second state.
template <class P, class Sampler, class D, class S>
std::pair<host_images, host_images> walk(const Sampler& sampler, const known_law& law, const D& d,
                                         const S& schedule, const host_images& start, int calls,
                                         int watched) {
  backend b;
  auto model = best_model<P>(law, amplitudes_of(d, schedule));
  host_images z = start, seen(start.dims);
  sampler(b, model, d, schedule, calls, {7, cz::stream::sampling, 0}, z.view(),
          [&](int t, const auto& state, const auto&) {
            if (t == watched) std::copy_n(state.data, state.dims.size(), seen.pixels.begin());
          });
  return {seen, z};
}

/// Twice the steps divide the error at T / 4, where the picture is decided, by 2^order. `calls_of` makes so
/// many steps.
template <class P, class Sampler, class D, class S, class Calls>
void check_order(const Sampler& sampler, const D& d, const S& schedule, double order, const Calls& calls_of) {
  const auto at = amplitudes_of(d, schedule);
  const host_images start = fair_start(two_peaks, 9, at);
  const auto error = [&](int steps) {
    const host_images seen = walk<P>(sampler, two_peaks, d, schedule, start, calls_of(steps), T / 4).first;
    double worst = 0;
    for (std::size_t i = 0; i < seen.pixels.size(); ++i)
      worst =
          worse(worst, std::abs(static_cast<double>(seen.pixels[i]) -
                                two_peaks.carried(static_cast<double>(start.pixels[i]), at(T), at(T / 4))));
    return worst;
  };
  const double coarse = error(80), fine = error(160), found = std::log2(coarse / fine);
  BOOST_TEST(std::abs(found - order) < 0.2, Sampler::name << " of " << P::name << ": errors " << coarse
                                                          << " and " << fine << ", order " << found);
}

struct moments {
  double mean = 0, variance = 0;
};
moments moments_of(const std::vector<float>& values) {
  const double count = static_cast<double>(values.size());
  moments m;
  for (const float v : values) m.mean += static_cast<double>(v) / count;
  for (const float v : values) m.variance += std::pow(static_cast<double>(v) - m.mean, 2) / count;
  return m;
}

/// The last step leads to the mean of x0 given the state at `last`, so samples have the law of this mean:
/// that of the data but for the little that is not decided by then.
template <class At>
void check_law(const known_law& law, const host_images& samples, const At& at, int last, bool drawn) {
  host_images means = fair_start(law, 1000, [&](int) { return at(last); });
  for (float& v : means.pixels) v = static_cast<float>(law.given(static_cast<double>(v), at(last)).mean);
  const moments wanted = moments_of(means.pixels), found = moments_of(samples.pixels);
  BOOST_TEST(std::abs(wanted.mean - law.mean()) < 0.001);
  BOOST_TEST((wanted.variance < law.variance() && wanted.variance > 0.9 * law.variance()));
  // Five standard deviations of the estimates of a normal law, whose variance is known worse than that of two
  // peaks; and what these numbers of steps leave of the error of a solver, whose order another test measures.
  const double five = drawn ? 5 / std::sqrt(static_cast<double>(samples.pixels.size())) : 0;
  BOOST_TEST(std::abs(found.mean - wanted.mean) < five * std::sqrt(law.variance()) + 0.002,
             found.mean << " for the mean, wanted " << wanted.mean);
  BOOST_TEST(std::abs(found.variance / wanted.variance - 1) < five * std::sqrt(2.0) + 0.03,
             found.variance << " for the variance, wanted " << wanted.variance);
}

constexpr auto each = [](int steps) { return steps; };           // one call a step
constexpr auto twice = [](int steps) { return 2 * steps - 1; };  // two, but one in the last

}  // namespace

BOOST_AUTO_TEST_CASE(order) {
  const auto check = [&]<class P>(P, const auto& d, const auto& schedule) {
    check_order<P>(cz::ddim_sampler{.clip = false}, d, schedule, 1, each);
    check_order<P>(cz::dpm_solver_sampler{.clip = false}, d, schedule, 2, each);
    check_order<P>(cz::adams_bashforth_sampler{}, d, schedule, 2, each);
    check_order<P>(cz::heun_sampler{}, d, schedule, 2, twice);
  };
  check(cz::predict_noise{}, cz::gaussian_noise{}, linear);
  check(cz::predict_velocity{}, cz::gaussian_noise{}, zero_snr);
  check(cz::predict_flow{}, cz::flow_noise{}, straight);
  check(cz::predict_preconditioned<>{}, cz::exploding_noise{}, karras);
}

BOOST_AUTO_TEST_CASE(deterministic_samplers_keep_the_law) {
  const auto check = [&]<class P>(P, const auto& d, const auto& schedule) {
    for (const known_law& law : {one_peak, two_peaks}) {
      const auto at = amplitudes_of(d, schedule);
      const host_images start = fair_start(law, 1000, at);
      const auto samples = [&](const auto& sampler, int steps, const auto& calls_of) {
        BOOST_TEST_CONTEXT(sampler.name << " of " << P::name) {
          check_law(law, walk<P>(sampler, law, d, schedule, start, calls_of(steps), 0).second, at, T / steps,
                    false);
        }
      };
      samples(cz::ddim_sampler{.clip = false}, 320, each);
      samples(cz::dpm_solver_sampler{.clip = false}, 80, each);
      samples(cz::adams_bashforth_sampler{}, 80, each);
      samples(cz::heun_sampler{}, 80, twice);
    }
  };
  check(cz::predict_noise{}, cz::gaussian_noise{}, linear);
  check(cz::predict_velocity{}, cz::gaussian_noise{}, zero_snr);
  check(cz::predict_flow{}, cz::flow_noise{}, straight);
  check(cz::predict_preconditioned<>{}, cz::exploding_noise{}, karras);
  check(cz::predict_x0{}, cz::exploding_noise{}, karras);
}

BOOST_AUTO_TEST_CASE(samplers_with_fresh_noise_keep_the_law) {
  const auto check = [&]<class P>(P, const auto& sampler, const auto& d, const auto& schedule, int steps,
                                  const auto& calls_of) {
    for (const known_law& law : {one_peak, two_peaks}) {
      BOOST_TEST_CONTEXT(sampler.name << " of " << P::name) {
        const auto at = amplitudes_of(d, schedule);
        const host_images start = fair_start(law, 4000, at);
        const host_images samples = walk<P>(sampler, law, d, schedule, start, calls_of(steps), 0).second;
        check_law(law, samples, at, T / steps, true);
        // Each sample is a draw, and no function of its start: the order is lost.
        BOOST_TEST(!std::is_sorted(samples.pixels.begin(), samples.pixels.end()));
      }
    }
  };
  check(cz::predict_noise{}, cz::ddpm_sampler{.clip = false}, cz::gaussian_noise{}, linear, T, each);
  check(cz::predict_velocity{}, cz::ddpm_sampler{.clip = false}, cz::gaussian_noise{}, zero_snr, T, each);
  check(cz::predict_noise{}, cz::ddim_sampler{.clip = false, .eta = 1}, cz::gaussian_noise{}, linear, 320,
        each);
  check(cz::predict_velocity{}, cz::ddim_sampler{.clip = false, .eta = 1}, cz::gaussian_noise{}, zero_snr,
        320, each);
  const cz::heun_sampler churning{.churn = 20, .churn_from = 0.01, .churn_to = 5};
  check(cz::predict_preconditioned<>{}, churning, cz::exploding_noise{}, karras, 160, twice);
  check(cz::predict_velocity{}, cz::heun_sampler{.churn = 20, .churn_to = 5}, cz::gaussian_noise{}, zero_snr,
        160, twice);
}

BOOST_AUTO_TEST_CASE(heun_is_the_algorithm_of_the_paper) {
  // Karras et al. 2022, algorithm 2 in double, with sigma taken from the sampler's steps.
  constexpr index_t count = 7;  // no multiple of 4
  const cz::exploding_noise d;
  const auto at = amplitudes_of(d, karras);
  const host_images start = fair_start(two_peaks, count, at);
  const auto derivative = [&](double x, double sigma) {
    return (x - two_peaks.given(x, {1, sigma}).mean) / sigma;
  };
  const auto sigma_of = [&](int t) { return t == 0 ? 0.0 : at(t).noise; };
  for (const double churn : {0.0, 30.0}) {
    for (const int calls : {1, 2, 20, 35}) {
      const cz::heun_sampler sampler{
          .churn = churn, .churn_from = 0.05, .churn_to = 10, .churn_noise = 1.003};
      const int steps = calls / 2 + 1;
      std::vector<int> plain = cz::sampling_steps(T, steps);
      plain.push_back(0);
      const std::vector<int> asked = sampler.steps(d, karras, calls);
      BOOST_REQUIRE(asked.size() == static_cast<std::size_t>(calls));
      const host_images found = walk<cz::predict_x0>(sampler, two_peaks, d, karras, start, calls, 0).second;
      std::vector<double> wanted(start.pixels.begin(), start.pixels.end());
      std::size_t call = 0;
      for (int i = 0; i < steps; ++i) {
        const auto k = static_cast<std::size_t>(i);
        const int t = plain[k], next = plain[k + 1], from = asked[call];
        const double sigma = sigma_of(t), raised = sigma_of(from), after = sigma_of(next);
        if (churn > 0 && i > 0 && call + 1 < asked.size() && sigma >= 0.05 && sigma <= 10) {
          // The schedule is fine: the nearest step is near.
          const double exact = sigma * (1 + std::min(churn / steps, std::sqrt(2.0) - 1));
          BOOST_TEST(std::abs(raised / exact - 1) < 0.005);
        } else {
          BOOST_TEST(from == t);
        }
        const bool second_look = next > 0 && (calls % 2 == 1 || plain[k + 2] > 0);
        for (index_t n = 0; n < count; ++n) {
          double& x = wanted[static_cast<std::size_t>(n)];
          const auto number = static_cast<std::uint64_t>(t) * 8 + static_cast<std::uint64_t>(n);
          const double fresh = static_cast<double>(cz::random_normal({7, cz::stream::sampling, 0}, number));
          x += 1.003 * std::sqrt(raised * raised - sigma * sigma) * fresh;
          const double slope = derivative(x, raised), there = x + (after - raised) * slope;
          x = second_look ? x + (after - raised) * (slope + derivative(there, after)) / 2 : there;
        }
        call += second_look ? 2 : 1;
      }
      BOOST_TEST(call == asked.size());
      for (std::size_t n = 0; n < wanted.size(); ++n)
        // Rounded states up to 60 in size; every step leads back to the law.
        BOOST_TEST(std::abs(static_cast<double>(found.pixels[n]) - wanted[n]) < 2e-5,
                   "churn " << churn << ", " << calls << " calls");
    }
  }
}

BOOST_AUTO_TEST_CASE(what_heun_refuses) {
  const cz::exploding_noise d;
  const auto message = [&](const cz::heun_sampler& sampler, int calls) {
    return message_of([&] { sampler.steps(d, karras, calls); });
  };
  BOOST_TEST(message({}, 0) == "heun_sampler: the number of network calls is 0; it must be 1 to 2559");
  BOOST_TEST(message({}, 2560) == "heun_sampler: the number of network calls is 2560; it must be 1 to 2559");
  BOOST_TEST(message({}, 2559) == "no error");
  BOOST_TEST(message({.churn = -1}, 9) ==
             "heun_sampler: churn is -1.000000 and churn_noise 1.000000; they must be at least 0");
  BOOST_TEST(message_of([&] {
               cz::heun_sampler{.churn = 1}.steps(soft_frontier{{}, 0.5f}, straight, 9);
             }) == "heun_sampler: churn is 1.000000; where each element has noise of its own, it must be 0");
}
