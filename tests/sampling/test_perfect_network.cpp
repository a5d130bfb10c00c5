// A perfect network returns x0 through every pair of a prediction and a sampler that compiles.
#define BOOST_TEST_MODULE perfect_network
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/bilinear.hpp>
#include <coldzoom/prediction/preconditioned.hpp>
#include <coldzoom/sampling/adams_bashforth.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/sampling/dpm_solver.hpp>
#include <coldzoom/sampling/heun.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/karras.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/schedule/zero_terminal_snr.hpp>
#include <functional>
#include <numeric>

#include "common/errors.hpp"
#include "common/random_images.hpp"
#include "common/soft_frontier.hpp"

namespace cz = coldzoom;
using backend = cz::reference_backend<float>;
using cz::amplitudes;
using cz::index_t;

namespace {

constexpr int T = 24;
constexpr cz::key_sequence keys{5, cz::stream::sampling, 100};
const host_images x0 = random_images({2, 1, 7, 9}, 1);  // within [-1/2, 1/2)

/// The amplitudes of an element at step t.
using amplitude_function = std::function<amplitudes(int t, index_t element)>;

/// Knows the picture, and so the noise e = (z - signal x0) / noise that is in what it is shown; answers with
/// the target of `P`, rounded to float.
template <class P> struct perfect_model {
  using prediction = P;
  const amplitude_function& at;
  /// For each call: the most that the rounding of the answer moves x0_hat, which is linear in it. What is
  /// rounded later has 29 bits more.
  std::vector<double> off{};
  double largest_noise = 0;  // in the last call

  void operator()(cz::tensor_view<const float> x, const cz::sampling_step& step, cz::tensor_view<float> y) {
    off.push_back(0);
    largest_noise = 0;
    for (index_t i = 0; i < x.dims.size(); ++i) {
      const amplitudes a = at(step.t, i % x.dims.image());
      const double z = static_cast<double>(x.data[i]),
                   clean = static_cast<double>(x0.pixels[static_cast<std::size_t>(i)]);
      const double noise = a.noise > 0 ? (z - a.signal * clean) / a.noise : 0;
      y.data[i] = static_cast<float>(P::target(clean, noise, a));
      const double slope = std::abs(P::x0(0, 1, a) - P::x0(0, 0, a));
      off.back() = std::max(off.back(), 1.001 * slope * std::abs(static_cast<double>(y.data[i])) * 0x1p-24);
      largest_noise = std::max(largest_noise, std::abs(noise));
    }
  }
};

double largest_difference(const host_images& a, const host_images& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const double off = std::abs(static_cast<double>(a.pixels[i]) - static_cast<double>(b.pixels[i]));
    if (off > worst || std::isnan(off)) worst = off;  // NaN stays
  }
  return worst;
}

template <class D, class S> host_images degraded(const D& d, const S& schedule, int t) {
  backend b;
  host_images out(x0.dims);
  const std::vector<float> levels(static_cast<std::size_t>(x0.dims.n), schedule.level(t));
  cz::degrade(b, d, x0.view(), {levels.data(), x0.dims.n}, keys, out.view());
  return out;
}

/// Calls check(network, z, calls) after sampling with 1, 2, 8 and T calls.
template <class P, class Sampler, class D, class S, class Check>
void sample(const Sampler& sampler, const D& d, const S& schedule, const amplitude_function& at,
            Check&& check) {
  backend b;
  for (const int calls : {1, 2, 8, T}) {
    BOOST_TEST_CONTEXT(P::name << " by " << Sampler::name << ", " << calls << " calls") {
      perfect_model<P> network{at};
      host_images z = degraded(d, schedule, T);
      sampler(b, network, d, schedule, calls, keys, z.view());
      BOOST_TEST(network.off.size() == static_cast<std::size_t>(calls));
      check(network, z, calls);
    }
  }
}

constexpr double rounding = 0x1p-25;  // of a pixel up to 1/2 in size, generously

/// Samplers whose last step is x0_hat: it is off by the rounding of the last answer. Where the noise of an
/// element ends before, x0_hat of that step is what stays.
template <class P, class Sampler, class D, class S>
void check_last_answer(const Sampler& sampler, const D& d, const S& schedule, const amplitude_function& at) {
  sample<P>(sampler, d, schedule, at, [&](const auto& network, const host_images& z, int) {
    const double worst =
        cz::FieldAdditive<D> ? *std::max_element(network.off.begin(), network.off.end()) : network.off.back();
    BOOST_TEST(largest_difference(z, x0) <= worst + rounding);
  });
}

/// Deterministic samplers of added noise never leave the path D(x0, t), t = T .. 0, with the noise of z. A
/// step keeps a part of the error before it, adds at most the rounding of the answer, and is rounded, as D
/// is; all values are below 8. Where the schedule knows amplitudes that the level as a float does not,
/// `level_rounding` is the largest difference.
template <class P, class Sampler, class D, class S>
void check_path(const Sampler& sampler, const D& d, const S& schedule, const amplitude_function& at,
                double level_rounding) {
  backend b;
  perfect_model<P> network{at};
  host_images z = degraded(d, schedule, T);
  double allowed = level_rounding + 4 * 8 * 0x1p-24;
  BOOST_TEST_CONTEXT(P::name << " by " << Sampler::name) {
    sampler(b, network, d, schedule, 8, keys, z.view(), [&](int t, const auto& state, const auto&) {
      host_images found(x0.dims);
      std::copy_n(state.data, state.dims.size(), found.pixels.begin());
      BOOST_TEST(largest_difference(found, degraded(d, schedule, t)) <= allowed, "at step " << t);
      allowed += network.off.back() + 8 * 0x1p-24;
    });
  }
}

/// Multistep samplers carry the error of every answer on, half of the one before, and what is rounded.
template <class P, class D, class S>
void check_multistep(const cz::adams_bashforth_sampler& sampler, const D& d, const S& schedule,
                     const amplitude_function& at) {
  sample<P>(sampler, d, schedule, at, [&](const auto& network, const host_images& z, int calls) {
    const double answers = std::accumulate(network.off.begin(), network.off.end(), 0.0);
    BOOST_TEST(largest_difference(z, x0) <= 2 * answers + calls * 8 * 8 * 0x1p-24);
  });
}

/// tacos ends at D(x0, 0). The error of x0_hat enters by the part of the signal that a step brings back, and
/// a step rounds: twice D, of three operations, then a difference and a sum, all below 8 in size.
template <class P, class D, class S>
void check_tacos(const D& d, const S& schedule, const amplitude_function& at) {
  const host_images wanted = degraded(d, schedule, 0);
  sample<P>(cz::tacos_sampler{}, d, schedule, at, [&](const auto& network, const host_images& z, int calls) {
    std::vector<int> steps = cz::sampling_steps(T, calls);
    steps.push_back(0);
    double allowed = calls * 8 * 8 * 0x1p-24;
    for (std::size_t i = 0; i < network.off.size(); ++i) {
      double gain = 0;
      for (index_t e = 0; e < x0.dims.image(); ++e)
        gain = std::max(gain, std::abs(at(steps[i + 1], e).signal - at(steps[i], e).signal));
      allowed += gain * (network.off[i] + rounding);
    }
    BOOST_TEST(largest_difference(z, wanted) <= allowed);
  });
}

/// ddpm ends at the mean of step 0 given x0 and the last state: signal(0) x0 + signal(t) noise(0)^2 /
/// (signal(0) noise(t)) e (Ho et al. 2020, equation 7), which is x0 where the schedule leaves no noise at
/// step 0.
template <class P, class S> void check_ddpm(const S& s, const amplitude_function& at) {
  sample<P>(cz::ddpm_sampler{}, cz::gaussian_noise{}, s, at,
            [&](const auto& network, const host_images& z, int calls) {
              const int last = cz::sampling_steps(T, calls).back();
              const double left = s.signal(last) * s.noise(0) * s.noise(0) / (s.signal(0) * s.noise(last));
              const double allowed =
                  (1 - s.signal(0)) / 2 + left * network.largest_noise + network.off.back() + rounding;
              BOOST_TEST(largest_difference(z, x0) <= allowed);
            });
}

template <class P, class D, class S>
void check_all_but_ddpm(const D& d, const S& schedule, const amplitude_function& at,
                        double level_rounding = 0) {
  check_last_answer<P>(cz::naive_sampler{}, d, schedule, at);
  check_last_answer<P>(cz::ddim_sampler{}, d, schedule, at);
  check_last_answer<P>(cz::ddim_sampler{.clip = false}, d, schedule, at);
  check_last_answer<P>(cz::dpm_solver_sampler{}, d, schedule, at);
  check_last_answer<P>(cz::dpm_solver_sampler{.clip = false}, d, schedule, at);
  check_last_answer<P>(cz::heun_sampler{}, d, schedule, at);
  check_last_answer<P>(cz::heun_sampler{.clip = true}, d, schedule, at);
  check_path<P>(cz::heun_sampler{}, d, schedule, at, level_rounding);
  check_path<P>(cz::ddim_sampler{}, d, schedule, at, level_rounding);
  check_path<P>(cz::dpm_solver_sampler{}, d, schedule, at, level_rounding);
  check_multistep<P>(cz::adams_bashforth_sampler{}, d, schedule, at);
  check_multistep<P>(cz::adams_bashforth_sampler{.clip = true, .spacing = 1.5}, d, schedule, at);
  check_tacos<P>(d, schedule, at);
}

}  // namespace

BOOST_AUTO_TEST_CASE(zoom) {
  const cz::zoom<cz::bilinear> d{.last_step = T};
  const cz::linear_schedule schedule(T);
  const amplitude_function clean = [](int, index_t) { return amplitudes{}; };
  BOOST_TEST(largest_difference(degraded(d, schedule, T), x0) > 0.3);
  check_last_answer<cz::predict_x0>(cz::naive_sampler{}, d, schedule, clean);
  check_tacos<cz::predict_x0>(d, schedule, clean);
}

BOOST_AUTO_TEST_CASE(gaussian_noise) {
  for (const cz::ddpm_schedule& schedule : {cz::ddpm_schedule::linear(T), cz::ddpm_schedule::cosine(T)}) {
    const amplitude_function at = [&](int t, index_t) {
      return amplitudes{schedule.signal(t), schedule.noise(t)};
    };
    double level_rounding = 0;
    for (int t = 0; t <= T; ++t) {
      const double level = static_cast<double>(schedule.level(t));
      level_rounding =
          std::max(level_rounding, std::abs(std::sqrt((1 - level) * (1 + level)) - schedule.signal(t)));
    }
    const auto check = [&]<class P>(P) {
      check_all_but_ddpm<P>(cz::gaussian_noise{}, schedule, at, level_rounding);
      check_last_answer<P>(cz::ddim_sampler{.eta = 1}, cz::gaussian_noise{}, schedule, at);
      check_ddpm<P>(schedule, at);
    };
    check(cz::predict_x0{});
    check(cz::predict_noise{});
    check(cz::predict_velocity{});
    check(cz::predict_flow{});
  }
}

BOOST_AUTO_TEST_CASE(zero_terminal_snr) {
  // z at T is noise alone, and still every sampler finds the image.
  const cz::zero_terminal_snr schedule(cz::ddpm_schedule::linear(T, 1e-4, 0.5));
  const amplitude_function at = [&](int t, index_t) {
    return amplitudes{schedule.signal(t), schedule.noise(t)};
  };
  double level_rounding = 0;
  for (int t = 0; t <= T; ++t) {
    const double level = static_cast<double>(schedule.level(t));
    level_rounding =
        std::max(level_rounding, std::abs(std::sqrt((1 - level) * (1 + level)) - schedule.signal(t)));
  }
  const auto check = [&]<class P>(P) {
    check_all_but_ddpm<P>(cz::gaussian_noise{}, schedule, at, level_rounding);
    check_last_answer<P>(cz::ddim_sampler{.eta = 1}, cz::gaussian_noise{}, schedule, at);
    check_ddpm<P>(schedule, at);
  };
  check(cz::predict_x0{});
  check(cz::predict_velocity{});
  check(cz::predict_preconditioned<>{});
  backend b;
  perfect_model<cz::predict_noise> network{at};
  host_images z = x0;
  BOOST_TEST(message_of([&] {
               cz::ddim_sampler{}(b, network, cz::gaussian_noise{}, schedule, 8, keys, z.view());
             }) ==
             "sampling_loop: no signal is left at step 24, so a prediction of noise says nothing of the "
             "image; use predict_velocity, predict_flow or predict_x0, or a schedule that leaves some");
}

BOOST_AUTO_TEST_CASE(exploding_noise) {
  const cz::karras_schedule schedule(T, {.sigma_min = 0.01, .sigma_max = 2});
  const amplitude_function at = [&](int t, index_t) {
    return amplitudes{1, static_cast<double>(schedule.level(t))};
  };
  check_all_but_ddpm<cz::predict_x0>(cz::exploding_noise{}, schedule, at);
  check_all_but_ddpm<cz::predict_noise>(cz::exploding_noise{}, schedule, at);
  check_all_but_ddpm<cz::predict_preconditioned<>>(cz::exploding_noise{}, schedule, at);
  check_last_answer<cz::predict_preconditioned<>>(cz::heun_sampler{.churn = 8}, cz::exploding_noise{},
                                                  schedule, at);
}

BOOST_AUTO_TEST_CASE(flow_noise) {
  const cz::linear_schedule schedule(T);
  const amplitude_function at = [&](int t, index_t) {
    const double level = static_cast<double>(schedule.level(t));
    return amplitudes{1 - level, level};
  };
  check_all_but_ddpm<cz::predict_x0>(cz::flow_noise{}, schedule, at);
  check_all_but_ddpm<cz::predict_velocity>(cz::flow_noise{}, schedule, at);
  check_all_but_ddpm<cz::predict_flow>(cz::flow_noise{}, schedule, at);

  // At T nothing is left of the image, and the noise says nothing of it.
  backend b;
  perfect_model<cz::predict_noise> network{at};
  host_images z = x0;
  const auto message = [&](const auto& sampler) {
    return message_of([&] { sampler(b, network, cz::flow_noise{}, schedule, 8, keys, z.view()); });
  };
  for (const std::string& said : {message(cz::naive_sampler{}), message(cz::ddim_sampler{})}) {
    BOOST_TEST(said ==
               "sampling_loop: no signal is left at step 24, so a prediction of noise says nothing of the "
               "image; use predict_velocity, predict_flow or predict_x0, or a schedule that leaves some");
  }
  BOOST_TEST((z == x0));
}

BOOST_AUTO_TEST_CASE(noise_that_is_not_of_the_schedule) {
  // A path of its own on the levels of a noise schedule: the amplitudes are those of the degradation.
  const cz::ddpm_schedule schedule = cz::ddpm_schedule::cosine(T);
  const amplitude_function at = [&](int t, index_t) {
    const double level = static_cast<double>(schedule.level(t));
    return amplitudes{1 - level, level};
  };
  check_all_but_ddpm<cz::predict_velocity>(cz::flow_noise{}, schedule, at);
  backend b;
  perfect_model<cz::predict_flow> network{at};
  host_images z = x0;
  BOOST_TEST(message_of([&] {
               cz::ddim_sampler{.eta = 0.5}(b, network, cz::flow_noise{}, schedule, 8, keys, z.view());
             }) ==
             "ddim_sampler: eta is 0.500000; without variance-preserving noise and a schedule of it, such as "
             "gaussian_noise and ddpm_schedule, it must be 0");
}

BOOST_AUTO_TEST_CASE(a_field_of_noise) {
  const cz::linear_schedule schedule(T);
  const soft_frontier d{{}, 0.5f};
  const amplitude_function at = [&](int t, index_t e) {
    return d.amplitudes(schedule.level(t), x0.dims.with_n(1), 0, e / x0.dims.w, e % x0.dims.w);
  };
  // It is a field: at half time there are pixels with no noise, some and noise alone.
  const auto share = [&](index_t e) { return at(T / 2, e).noise; };
  BOOST_TEST(share(3 * x0.dims.w + 4) == 1.0);
  BOOST_TEST(share(0) == 0.0);
  BOOST_TEST((share(1 * x0.dims.w + 4) > 0 && share(1 * x0.dims.w + 4) < 1));
  check_all_but_ddpm<cz::predict_x0>(d, schedule, at);
  check_all_but_ddpm<cz::predict_velocity>(d, schedule, at);
  check_all_but_ddpm<cz::predict_flow>(d, schedule, at);
}
