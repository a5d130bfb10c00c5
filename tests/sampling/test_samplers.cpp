#define BOOST_TEST_MODULE samplers
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/any_degradation.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/bilinear.hpp>
#include <coldzoom/nn/model.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/sampling/direct.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/schedule/linear.hpp>

#include "common/engine.hpp"
#include "common/errors.hpp"
#include "common/random_images.hpp"
#include "common/worse.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using any = cz::any_degradation<backend, cz::centred>;  // one compilation for all degradations
using cz::index_t;

namespace {

constexpr int T = 24;
constexpr cz::key_sequence keys{5, cz::stream::sampling, 100};

any zoom() { return any(cz::zoom<cz::bilinear>{.last_step = T}); }

/// Knows the answer, whatever it is shown, and notes when it was asked.
struct perfect_network {
  using prediction = cz::predict_x0;
  const host_images& x0;
  std::vector<cz::sampling_step> asked{};

  void operator()(cz::tensor_view<const float> x, const cz::sampling_step& step, cz::tensor_view<float> y) {
    BOOST_REQUIRE((x.dims == x0.dims && y.dims == x0.dims));
    std::copy(x0.pixels.begin(), x0.pixels.end(), y.data);
    asked.push_back(step);
  }
};

host_images degraded(backend& b, const any& d, const host_images& x0, float level) {
  host_images out(x0.dims);
  const std::vector<float> levels(static_cast<std::size_t>(x0.dims.n), level);
  cz::degrade(b, d, x0.view(), {levels.data(), x0.dims.n}, keys, out.view());
  return out;
}

double largest_difference(const host_images& a, const host_images& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    worst = worse(worst, static_cast<double>(std::abs(a.pixels[i] - b.pixels[i])));
  return worst;
}

}  // namespace

BOOST_AUTO_TEST_CASE(steps) {
  for (int total = 1; total <= 60; ++total) {
    for (int calls = 1; calls <= total; ++calls) {
      std::vector<int> chosen = cz::sampling_steps(total, calls);
      BOOST_REQUIRE(static_cast<int>(chosen.size()) == calls);
      BOOST_REQUIRE(chosen.front() == total);
      chosen.push_back(0);
      for (std::size_t i = 1; i < chosen.size(); ++i) {
        const int stride = chosen[i - 1] - chosen[i];  // the quotient, rounded down or up
        BOOST_REQUIRE((stride == total / calls || stride == (total + calls - 1) / calls));
      }
    }
  }
  BOOST_TEST(cz::sampling_steps(24, 5) == (std::vector<int>{24, 20, 15, 10, 5}));
  BOOST_TEST(cz::sampling_steps(2'000'000'000, 2) == (std::vector<int>{2'000'000'000, 1'000'000'000}));
  BOOST_TEST(message_of([] { cz::sampling_steps(24, 25); }) ==
             "sampling_steps: the number of sampling steps is 25; it must be 1 to 24");
  BOOST_TEST(message_of([] { cz::sampling_steps(24, 0); }) ==
             "sampling_steps: the number of sampling steps is 0; it must be 1 to 24");
}

BOOST_AUTO_TEST_CASE(spaced_steps) {
  // 300 (1 - (k / 4)^2), and with a power near 1 nearly those of even spacing.
  BOOST_TEST(cz::sampling_steps(300, 4, 2) == (std::vector<int>{300, 281, 225, 131}));
  for (const int total : {5, 24, 320}) {
    for (const double spacing : {1.0, 1.3, 2.0, 4.0}) {
      for (int calls = 1; calls <= total; ++calls) {
        std::vector<int> chosen = cz::sampling_steps(total, calls, spacing);
        BOOST_REQUIRE(static_cast<int>(chosen.size()) == calls);
        BOOST_REQUIRE(chosen.front() == total);
        chosen.push_back(0);
        for (std::size_t i = 1; i < chosen.size(); ++i) BOOST_REQUIRE(chosen[i] < chosen[i - 1]);
      }
    }
  }
  for (const double spacing : {0.5, 4.5, std::nan("")}) {
    BOOST_TEST(message_of([&] { cz::sampling_steps(24, 4, spacing); }) ==
               "sampling_steps: the spacing is " + std::to_string(spacing) + "; it must be 1 to 4");
  }
}

BOOST_AUTO_TEST_CASE(perfect_network_gives_x0) {
  backend b(2);
  const host_images x0 = random_images({3, 1, 28, 28}, 1);
  const host_images start = degraded(b, zoom(), x0, 1);
  BOOST_TEST(largest_difference(start, x0) > 0.5);
  double worst = 0;
  for (int calls = 1; calls <= T; ++calls) {
    perfect_network network{x0};
    host_images z = start;
    cz::naive_sampler{}(b, network, zoom(), cz::linear_schedule(T), calls, keys, z.view());
    BOOST_TEST((z == x0), "naive, " << calls << " calls");
    z = start;
    cz::tacos_sampler{}(b, network, zoom(), cz::linear_schedule(T), calls, keys, z.view());
    // What is added cancels but for two roundings a step, of a difference up to 1 and of a z up to 1/2.
    const double off = largest_difference(z, x0);
    BOOST_TEST(off <= calls * 1.5 * 0x1p-24, "tacos, " << calls << " calls: " << off);
    worst = worse(worst, off);
  }
  BOOST_TEST_MESSAGE("tacos is off by " << worst);
}

BOOST_AUTO_TEST_CASE(a_direct_sampler_asks_once) {
  backend b(1);
  const host_images x0 = random_images({3, 1, 8, 8}, 1);
  for (const int calls : {1, 7}) {
    perfect_network network{x0};
    host_images z = random_images(x0.dims, 2);
    cz::direct_sampler{}(b, network, zoom(), cz::linear_schedule(T), calls, keys, z.view());
    BOOST_TEST((z == x0));
    BOOST_TEST(network.asked.size() == 1);
    BOOST_TEST(network.asked.front().t == T);
  }
}

BOOST_AUTO_TEST_CASE(noise_of_each_step) {
  // The network is right at every state, so that what is left is x0 whatever noise there was before.
  backend b(2);
  const host_images x0 = random_images({4, 1, 8, 8}, 1), start = degraded(b, zoom(), x0, 1);
  const auto states_of = [&](const auto& sampler, cz::key_sequence own) {
    perfect_network network{x0};
    host_images z = start;
    std::vector<host_images> states;
    sampler(b, network, zoom(), cz::linear_schedule(T), 3, own, z.view(),
            [&](int, const auto& state, const auto&) {
              states.emplace_back(state.dims);
              std::copy_n(state.data, state.dims.size(), states.back().pixels.begin());
            });
    states.push_back(z);
    return states;
  };
  const auto check = [&](const auto& quiet, const auto& noisy) {
    const auto plain = states_of(quiet, keys), found = states_of(noisy, keys);
    BOOST_TEST((plain[0] == found[0]));
    for (std::size_t k = 1; k <= 2; ++k) {
      double square = 0;
      for (std::size_t i = 0; i < x0.pixels.size(); ++i) {
        // tacos keeps what was added before.
        const double before = static_cast<double>(found[k - 1].pixels[i] - plain[k - 1].pixels[i]),
                     off = static_cast<double>(found[k].pixels[i] - plain[k].pixels[i]),
                     added = std::is_same_v<std::remove_cvref_t<decltype(quiet)>, cz::tacos_sampler>
                                 ? off - before
                                 : off;
        square += added * added / 0.01;
      }
      BOOST_TEST(square < chi_square_bound(256));
      BOOST_TEST(square > 2 * 256 - chi_square_bound(256));
    }
    BOOST_TEST((states_of(noisy, keys) == found));
    BOOST_TEST((states_of(noisy, keys.from(1))[1] != found[1]));
  };
  check(cz::naive_sampler{}, cz::naive_sampler{.noise = 0.1f});
  check(cz::tacos_sampler{}, cz::tacos_sampler{.noise = 0.1f});
  BOOST_TEST((states_of(cz::naive_sampler{.noise = 0.1f}, keys).back() == x0));  // none in the last step
}

BOOST_AUTO_TEST_CASE(one_step_written_out) {
  // Two calls, t = 24 and 12, with a network that is always wrong by the same picture.
  backend b(1);
  const host_images wrong = random_images({2, 1, 8, 8}, 2);
  const host_images start = random_images({2, 1, 8, 8}, 3);
  const any d(cz::zoom<cz::bilinear>{.last_step = 4});
  perfect_network network{wrong};
  std::vector<host_images> states;
  const auto observer = [&](int, const auto& state, const auto& x0_hat) {
    BOOST_TEST(std::equal(wrong.pixels.begin(), wrong.pixels.end(), x0_hat.data));
    states.emplace_back(state.dims);
    std::copy_n(state.data, state.dims.size(), states.back().pixels.begin());
  };
  const host_images half = degraded(b, d, wrong, 0.5f), full = degraded(b, d, wrong, 1);
  host_images z = start;
  cz::naive_sampler{}(b, network, d, cz::linear_schedule(T), 2, keys, z.view(), observer);
  BOOST_TEST((states == std::vector<host_images>{start, half}));
  states.clear();
  z = start;
  cz::tacos_sampler{}(b, network, d, cz::linear_schedule(T), 2, keys, z.view(), observer);
  BOOST_TEST((states.front() == start));
  for (std::size_t i = 0; i < z.pixels.size(); ++i) {
    const float second = start.pixels[i] + (half.pixels[i] - full.pixels[i]);
    BOOST_TEST(states.back().pixels[i] == second);
    BOOST_TEST(z.pixels[i] == second + (wrong.pixels[i] - half.pixels[i]));
  }
}

BOOST_AUTO_TEST_CASE(observer_and_times) {
  backend b(1);
  const host_images x0 = random_images({1, 1, 8, 8}, 1);
  const any d(cz::zoom<cz::bilinear>{.last_step = 4});
  for (const int calls : {T, 5}) {
    perfect_network network{x0};
    std::vector<int> seen;
    host_images z(x0.dims);
    cz::naive_sampler{}(b, network, d, cz::linear_schedule(T), calls, keys, z.view(),
                        [&](int t, const auto&, const auto&) { seen.push_back(t); });
    BOOST_TEST(seen == cz::sampling_steps(T, calls));
    // The network's time is that of the training schedule, also when few steps are taken.
    BOOST_REQUIRE(network.asked.size() == seen.size());
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const cz::sampling_step& step = network.asked[i];
      BOOST_TEST(step.t == seen[i]);
      BOOST_TEST(step.time == static_cast<float>(seen[i]) / T);
      BOOST_TEST(step.level == cz::linear_schedule(T).level(seen[i]));
      BOOST_TEST((step.keys.seed == keys.seed && step.keys.first == keys.first));
    }
  }
}

BOOST_AUTO_TEST_CASE(bits_do_not_depend_on_batch_or_threads) {
  // 40 images make two micro-batches; the second degradation draws random numbers.
  const cz::shape image{1, 1, 12, 12}, dims = image.with_n(40);
  const cz::reconstructor net(image, {3, 2}, 3);
  const std::vector<float> parameters = cz::initial_parameters(net, 1);
  const host_images start = random_images(dims, 2);
  const auto samples = [&](const any& d, int threads, index_t batch) {
    backend b(threads);
    cz::model network(b, cz::predict_x0{}, net, image, parameters);
    host_images z = start;
    for (index_t first = 0; first < dims.n; first += batch)
      cz::naive_sampler{}(b, network, d, cz::linear_schedule(6), 3, keys.from(first),
                          z.view().images(first, std::min(batch, dims.n - first)));
    return z;
  };
  for (const any& d : {any(cz::zoom<cz::bilinear>{.last_step = 6}), any(cz::gaussian_noise{})}) {
    const host_images whole = samples(d, 1, 40);
    BOOST_TEST((whole != start));
    BOOST_TEST((samples(d, 2, 40) == whole));
    BOOST_TEST((samples(d, 3, 40) == whole));
    BOOST_TEST((samples(d, 2, 33) == whole));
    BOOST_TEST((samples(d, 1, 1) == whole));
  }
}
