#define BOOST_TEST_MODULE denoising
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <limits>

#include "common/errors.hpp"
#include "common/random_images.hpp"
#include "common/worse.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::key_sequence keys{5, cz::stream::sampling, 100};
constexpr int T = 1000;

/// Knows the picture and so the noise that is in what it is shown.
struct perfect_network {
  using prediction = cz::predict_noise;
  const host_images& x0;
  const cz::ddpm_schedule& schedule;
  int steps_seen = 0;

  void operator()(cz::tensor_view<const float> x, const cz::sampling_step& step, cz::tensor_view<float> y) {
    const int t = step.t;
    for (std::size_t i = 0; i < x0.pixels.size(); ++i) {
      y.data[i] = static_cast<float>(
          (static_cast<double>(x.data[i]) - schedule.signal(t) * static_cast<double>(x0.pixels[i])) /
          schedule.noise(t));
    }
    ++steps_seen;
  }
};

/// The best answer, the expected noise, where every pixel of the data is normal of this mean and variance.
struct normal_data_network {
  using prediction = cz::predict_noise;
  const cz::ddpm_schedule& schedule;
  double mean, variance;

  double expected_noise(double z, int t) const {
    const double s = schedule.signal(t), n = schedule.noise(t);
    return n * (z - s * mean) / (s * s * variance + n * n);
  }
  void operator()(cz::tensor_view<const float> x, const cz::sampling_step& step,
                  cz::tensor_view<float> y) const {
    for (index_t i = 0; i < x.dims.size(); ++i)
      y.data[i] = static_cast<float>(expected_noise(static_cast<double>(x.data[i]), step.t));
  }
};

host_images normal_images(cz::shape dims, std::uint64_t seed) {
  host_images images(dims);
  for (index_t i = 0; i < dims.size(); ++i)
    images.pixels[static_cast<std::size_t>(i)] =
        cz::random_normal({seed, cz::stream::initial_state, 0}, static_cast<std::uint64_t>(i));
  return images;
}

struct moments {
  double mean = 0, variance = 0;
};
moments moments_of(const host_images& images) {
  moments m;
  const double count = static_cast<double>(images.pixels.size());
  for (const float v : images.pixels) m.mean += static_cast<double>(v) / count;
  for (const float v : images.pixels) m.variance += std::pow(static_cast<double>(v) - m.mean, 2) / count;
  return m;
}

double largest_difference(const host_images& a, const host_images& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    worst = worse(worst, static_cast<double>(std::abs(a.pixels[i] - b.pixels[i])));
  return worst;
}

const cz::ddpm_schedule schedules[] = {cz::ddpm_schedule::linear(T), cz::ddpm_schedule::cosine(T, 0.02),
                                       cz::ddpm_schedule::cosine(T)};

}  // namespace

BOOST_AUTO_TEST_CASE(perfect_network_gives_x0_by_ddim) {
  backend b(2);
  const host_images x0 = random_images({3, 1, 9, 9}, 1), start = normal_images(x0.dims, 2);
  for (const cz::ddpm_schedule& schedule : schedules) {
    for (const int calls : {1, 2, 24, 50, T}) {
      for (const bool clip : {false, true}) {
        for (const double eta : {0.0, 1.0}) {
          perfect_network network{x0, schedule};
          host_images z = start;
          cz::ddim_sampler{clip, eta}(b, network, cz::gaussian_noise{}, schedule, calls, keys, z.view());
          BOOST_TEST(network.steps_seen == calls);
          // The last answer, of size 6 at most, is rounded to float; x0_hat multiplies that by noise / signal
          // of the step it is given at, and is rounded itself.
          const int last = cz::sampling_steps(T, calls).back();
          const double allowed = 6 * 0x1p-24 * schedule.noise(last) / schedule.signal(last) + 0x1p-25;
          const double off = largest_difference(z, x0);
          BOOST_TEST(off <= allowed, calls << " calls, clip " << clip << ", eta " << eta << ": " << off);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(ancestral_steps_are_those_of_the_formula) {
  // From each state that the observer sees, z <- (z - b / sqrt(1 - a) e) / sqrt(1 - b) + sqrt(b) n in double,
  // with betas and products of one's own, must be the next state.
  backend b(2);
  const cz::shape dims{2, 1, 5, 5};  // 25 is no multiple of 4
  const index_t image = dims.image(), stride = 28;
  struct own_schedule {
    const cz::ddpm_schedule& tested;
    std::vector<double> beta, product;
  };
  std::vector<own_schedule> cases;
  for (const bool linear : {true, false}) {
    own_schedule own{linear ? schedules[0] : schedules[1], {}, {}};
    const auto f = [](double t) {
      return std::pow(std::cos((t / T + 0.008) / 1.008 * std::acos(-1.0) / 2), 2);
    };
    for (int i = 0; i <= T; ++i) {
      own.beta.push_back(linear ? 1e-4 + (0.02 - 1e-4) * i / T : std::min(0.02, 1 - f(i) / f(i - 1)));
      own.product.push_back((i > 0 ? own.product.back() : 1) * (1 - own.beta.back()));
    }
    cases.push_back(own);
  }
  for (const own_schedule& own : cases) {
    const normal_data_network network{own.tested, -0.3, 0.1};
    std::vector<host_images> states;
    host_images z = normal_images(dims, 3);
    cz::ddpm_sampler{false}(b, network, cz::gaussian_noise{}, own.tested, T, keys, z.view(),
                            [&](int, const auto& state, const auto&) {
                              states.emplace_back(dims);
                              std::copy_n(state.data, dims.size(), states.back().pixels.begin());
                            });
    states.push_back(z);
    BOOST_REQUIRE(states.size() == T + 1u);
    double worst = 0, whole = 0;
    std::vector<double> path(states[0].pixels.begin(), states[0].pixels.end());  // double all the way
    for (int s = T; s >= 1; --s) {
      const std::size_t at = static_cast<std::size_t>(s);
      const auto step = [&](double value, index_t i) {
        const double e = network.expected_noise(value, s);
        const double mean =
            (value - own.beta[at] / std::sqrt(1 - own.product[at]) * e) / std::sqrt(1 - own.beta[at]);
        const auto number = static_cast<std::uint64_t>(s * stride + i % image);
        const double fresh = static_cast<double>(cz::random_normal(keys[i / image], number));
        return s > 1 ? mean + std::sqrt(own.beta[at]) * fresh : mean;
      };
      for (index_t i = 0; i < dims.size(); ++i) {
        const auto k = static_cast<std::size_t>(i);
        const host_images &before = states[static_cast<std::size_t>(T - s)],
                          &after = states[static_cast<std::size_t>(T - s + 1)];
        worst = worse(worst, std::abs(step(static_cast<double>(before.pixels[k]), i) -
                                      static_cast<double>(after.pixels[k])));
        path[k] = step(path[k], i);
      }
    }
    for (std::size_t k = 0; k < path.size(); ++k)
      whole = worse(whole, std::abs(path[k] - static_cast<double>(z.pixels[k])));
    BOOST_TEST(worst < 1e-6);
    // The errors of the states before die away, since the network pulls towards the data.
    BOOST_TEST(whole < 1e-6);
    BOOST_TEST_MESSAGE("off by " << worst << " in one step, by " << whole << " after all");
  }
}

BOOST_AUTO_TEST_CASE(ancestral_sampling_gives_the_moments_of_the_data) {
  // Pixels of the data are normal. Each step maps a normal state to a normal one, so the moments of the
  // samples follow in closed form; at 1,000 steps they are those of the data but for the discretisation.
  backend b(2);
  const cz::shape dims{60, 1, 16, 16};
  const double mean = 0.1, variance = 0.3;
  for (const cz::ddpm_schedule& schedule : schedules) {
    for (const int calls : {50, T}) {
      const normal_data_network network{schedule, mean, variance};
      host_images z = normal_images(dims, 4);
      const moments start = moments_of(z);
      cz::ddpm_sampler{false}(b, network, cz::gaussian_noise{}, schedule, calls, keys, z.view());
      moments wanted = start;
      std::vector<int> steps = cz::sampling_steps(T, calls);
      steps.push_back(0);
      for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
        const int t = steps[i], next = steps[i + 1];
        const double alpha = std::pow(schedule.signal(t) / schedule.signal(next), 2), beta = 1 - alpha;
        const double at_0 = network.expected_noise(0, t), slope = network.expected_noise(1, t) - at_0;
        const double factor = (1 - beta / schedule.noise(t) * slope) / std::sqrt(alpha);
        wanted.mean = factor * wanted.mean - beta / schedule.noise(t) * at_0 / std::sqrt(alpha);
        wanted.variance = factor * factor * wanted.variance + (next > 0 ? beta : 0);
      }
      const moments found = moments_of(z);
      // Five standard deviations of the estimates from this many values.
      const double count = static_cast<double>(dims.size()), five = 5 / std::sqrt(count);
      BOOST_TEST(std::abs(found.mean - wanted.mean) < five * std::sqrt(wanted.variance));
      BOOST_TEST(std::abs(found.variance - wanted.variance) < five * std::sqrt(2.0) * wanted.variance);
      if (calls == T) {
        BOOST_TEST(std::abs(wanted.mean - mean) < 0.02);
        BOOST_TEST(std::abs(wanted.variance - variance) < 0.02);
      }
      BOOST_TEST_MESSAGE(calls << " calls: mean " << found.mean << ", variance " << found.variance
                               << "; in closed form " << wanted.mean << ", " << wanted.variance);
    }
  }
}

BOOST_AUTO_TEST_CASE(ddim_gives_the_moments_of_the_data) {
  // Without noise the map from latent to sample is affine here, so it carries over one standard deviation.
  backend b(1);
  const cz::shape dims{1, 1, 1, 2};
  for (const cz::ddpm_schedule& schedule : {schedules[0], schedules[2]}) {
    const normal_data_network network{schedule, 0.1, 0.3};
    host_images z(dims);
    z.pixels = {0.0f, 1.0f};
    cz::ddim_sampler{false}(b, network, cz::gaussian_noise{}, schedule, T, keys, z.view());
    BOOST_TEST(std::abs(z.pixels[0] - 0.1f) < 0.01);
    BOOST_TEST(std::abs(z.pixels[1] - z.pixels[0] - std::sqrt(0.3f)) < 0.01);
  }
}

BOOST_AUTO_TEST_CASE(clipping) {
  backend b(1);
  const host_images start = normal_images({2, 1, 8, 8}, 5);
  const cz::ddpm_schedule& schedule = schedules[2];
  const normal_data_network wide{schedule, 0, 4};  // data far beyond [-0.5, 0.5]
  const auto extremes = [&](const auto& sampler) {
    double largest = 0;
    host_images z = start;
    sampler(b, wide, cz::gaussian_noise{}, schedule, 20, keys, z.view(),
            [&](int, const auto&, const auto& x0_hat) {
              for (index_t i = 0; i < x0_hat.dims.size(); ++i)
                largest = worse(largest, static_cast<double>(std::abs(x0_hat.data[i])));
            });
    return largest;
  };
  BOOST_TEST(extremes(cz::ddpm_sampler{true}) == 0.5);
  BOOST_TEST(extremes(cz::ddim_sampler{true}) == 0.5);
  BOOST_TEST(extremes(cz::ddpm_sampler{false}) > 2);
  BOOST_TEST(extremes(cz::ddim_sampler{false}) > 2);
}

BOOST_AUTO_TEST_CASE(ddim_at_eta_1_is_ancestral_with_the_posterior_variance) {
  // One step, written out from Ho et al. 2020, equations 6 and 7.
  backend b(1);
  const cz::ddpm_schedule& schedule = schedules[0];
  const host_images start = normal_images({1, 1, 4, 4}, 6);
  const normal_data_network network{schedule, 0.1, 0.2};
  std::vector<host_images> states;
  host_images z = start;
  cz::ddim_sampler{false, 1}(b, network, cz::gaussian_noise{}, schedule, 2, keys, z.view(),
                             [&](int, const auto& state, const auto&) {
                               states.emplace_back(state.dims);
                               std::copy_n(state.data, state.dims.size(), states.back().pixels.begin());
                             });
  const double a = std::pow(schedule.signal(T), 2), before = std::pow(schedule.signal(T / 2), 2);
  const double beta = 1 - a / before;
  for (std::uint64_t i = 0; i < 16; ++i) {
    const double value = static_cast<double>(start.pixels[i]);
    const double x0 = (value - std::sqrt(1 - a) * network.expected_noise(value, T)) / std::sqrt(a);
    const double mean =
        std::sqrt(before) * beta / (1 - a) * x0 + std::sqrt(1 - beta) * (1 - before) / (1 - a) * value;
    const double fresh = static_cast<double>(cz::random_normal(keys[0], T * 16 + i));
    const double wanted = mean + std::sqrt((1 - before) / (1 - a) * beta) * fresh;
    // x0 is 160 times as sensitive to the answer's rounding to float.
    BOOST_TEST(std::abs(static_cast<double>(states[1].pixels[i]) - wanted) < 1e-5);
  }
}

BOOST_AUTO_TEST_CASE(bits_do_not_depend_on_batch_or_threads) {
  const cz::shape dims{7, 1, 5, 5};
  const host_images start = normal_images(dims, 7);
  const normal_data_network network{schedules[0], 0.1, 0.2};
  const auto samples = [&](const auto& sampler, int threads, index_t batch) {
    backend b(threads);
    host_images z = start;
    for (index_t first = 0; first < dims.n; first += batch)
      sampler(b, network, cz::gaussian_noise{}, schedules[0], 5, keys.from(first),
              z.view().images(first, std::min(batch, dims.n - first)));
    return z;
  };
  const auto check = [&](const auto& sampler) {
    const host_images whole = samples(sampler, 1, 7);
    BOOST_TEST((whole != start));
    BOOST_TEST((samples(sampler, 3, 7) == whole));
    BOOST_TEST((samples(sampler, 2, 3) == whole));
    BOOST_TEST((samples(sampler, 1, 1) == whole));
  };
  check(cz::ddpm_sampler{});
  check(cz::ddim_sampler{});
  check(cz::ddim_sampler{true, 0.5});
}

BOOST_AUTO_TEST_CASE(observer_sees_the_steps_and_the_state_before) {
  backend b(1);
  const host_images x0 = random_images({1, 1, 4, 4}, 1), start = normal_images(x0.dims, 8);
  perfect_network network{x0, schedules[0]};
  std::vector<int> seen;
  host_images z = start, first(x0.dims);
  cz::ddpm_sampler{}(b, network, cz::gaussian_noise{}, schedules[0], 7, keys, z.view(),
                     [&](int t, const auto& state, const auto&) {
                       if (seen.empty()) std::copy_n(state.data, 16, first.pixels.begin());
                       seen.push_back(t);
                     });
  BOOST_TEST(seen == cz::sampling_steps(T, 7));
  BOOST_TEST((first == start));
}

BOOST_AUTO_TEST_CASE(bad_arguments) {
  backend b(1);
  const host_images x0 = random_images({1, 1, 4, 4}, 1);
  perfect_network network{x0, schedules[0]};
  host_images z = x0;
  const auto sample = [&](const auto& sampler, int calls) {
    return message_of(
        [&] { sampler(b, network, cz::gaussian_noise{}, schedules[0], calls, keys, z.view()); });
  };
  BOOST_TEST(sample(cz::ddim_sampler{true, 1.5}, 5) == "ddim_sampler: eta is 1.500000; it must be 0 to 1");
  BOOST_TEST(sample(cz::ddim_sampler{true, std::numeric_limits<double>::quiet_NaN()}, 5).find("eta") !=
             std::string::npos);
  BOOST_TEST(sample(cz::ddpm_sampler{}, 1001) ==
             "sampling_steps: the number of sampling steps is 1001; it must be 1 to 1000");
  BOOST_TEST((z == x0));
}
