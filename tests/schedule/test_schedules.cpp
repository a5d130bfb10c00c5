#define BOOST_TEST_MODULE schedules
#include <boost/test/unit_test.hpp>
#include <coldzoom/schedule/curve.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/first_steps.hpp>
#include <coldzoom/schedule/karras.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/schedule/respaced.hpp>
#include <coldzoom/schedule/zero_terminal_snr.hpp>
#include <coldzoom/testing/schedule_laws.hpp>

#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::ddpm_schedule;

namespace {

static_assert(cz::Schedule<cz::linear_schedule> && !cz::NoiseSchedule<cz::linear_schedule>);
static_assert(cz::NoiseSchedule<ddpm_schedule>);
static_assert(!cz::Schedule<int>);

// Where a value comes from cos^2 near its zero, the rounding of the angle grows by 2 angle tan(angle) = 2000
// at t = 999; four roundings of 2^-53 and one more for each of up to 1000 factors of a product remain below
// this.
constexpr double allowed = 1e4 * 0x1p-53;

struct known {
  int t;
  double beta, squared_signal;
};
/// Values of numpy in double.
void check_values(const ddpm_schedule& s, std::initializer_list<known> values) {
  for (const known& k : values) {
    BOOST_TEST_CONTEXT("t = " << k.t) {
      BOOST_TEST(std::abs(s.beta(k.t) - k.beta) < allowed);
      BOOST_TEST(std::abs(s.signal(k.t) * s.signal(k.t) / k.squared_signal - 1) < allowed);
    }
  }
}

/// A schedule of noise that does not grow.
struct constant_noise {
  int steps() const { return 2; }
  double beta(int) const { return 0; }
  double signal(int) const { return 0.6; }
  double noise(int) const { return 0.8; }
  float level(int) const { return 0.8f; }
};

/// Signal falls, noise and level grow, squares add up to one, and each beta is what its step takes.
void check_laws(const ddpm_schedule& s) {
  BOOST_TEST(s.steps() == 1000);
  for (int t = 0; t <= s.steps(); ++t) {
    const double signal = s.signal(t), noise = s.noise(t);
    BOOST_REQUIRE(std::abs(signal * signal + noise * noise - 1) < 8 * 0x1p-53);
    BOOST_REQUIRE(s.level(t) == static_cast<float>(noise));
    if (t == 0) continue;
    BOOST_REQUIRE(signal < s.signal(t - 1));
    BOOST_REQUIRE(s.level(t) >= s.level(t - 1));
    const double kept = signal / s.signal(t - 1);
    BOOST_REQUIRE(std::abs(1 - kept * kept - s.beta(t)) < 16 * 0x1p-53);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(first_steps_are_those_of_the_whole) {
  const auto whole = ddpm_schedule::linear(1000);
  const cz::first_steps part(whole, 250);
  static_assert(cz::NoiseSchedule<cz::first_steps<ddpm_schedule>> &&
                !cz::NoiseSchedule<cz::first_steps<cz::linear_schedule>>);
  BOOST_TEST(part.steps() == 250);
  for (int t = 1; t <= 250; ++t) {
    BOOST_REQUIRE(part.level(t) == whole.level(t));
    BOOST_REQUIRE(part.beta(t) == whole.beta(t));
    BOOST_REQUIRE(part.signal(t) == whole.signal(t));
    BOOST_REQUIRE(part.noise(t) == whole.noise(t));
    BOOST_REQUIRE(cz::detail::time_of(part, t) == cz::detail::time_of(whole, t));
  }
  BOOST_TEST(message_of([&] { cz::first_steps(whole, 0); }) ==
             "first_steps: the last step is 0; it must be 1 to 1000");
  BOOST_TEST(message_of([&] { cz::first_steps(whole, 1001); }) ==
             "first_steps: the last step is 1001; it must be 1 to 1000");
}

BOOST_AUTO_TEST_CASE(linear) {
  const cz::linear_schedule s(24);
  BOOST_TEST(s.steps() == 24);
  BOOST_TEST(s.level(0) == 0.0f);
  BOOST_TEST(s.level(6) == 0.25f);
  BOOST_TEST(s.level(24) == 1.0f);
  for (int t = 1; t <= 24; ++t) BOOST_TEST(s.level(t) > s.level(t - 1));
  BOOST_TEST(message_of([] { cz::linear_schedule(0); }) ==
             "linear_schedule: the number of steps is 0; it must be at least 1");
}

BOOST_AUTO_TEST_CASE(ddpm_linear) {
  // b = 1e-4 + (0.02 - 1e-4) * arange(1001) / 1000; a = cumprod(1 - b)
  const ddpm_schedule s = ddpm_schedule::linear();
  check_laws(s);
  check_values(s, {{0, 0.0001, 0.9999},
                   {1, 0.00011990000000000001, 0.99978011199},
                   {500, 0.01005, 0.07799232318807908},
                   {1000, 0.02, 3.995202405970448e-05}});
}

BOOST_AUTO_TEST_CASE(ddpm_cosine) {
  // f = lambda t: cos((t / 1000 + 0.008) / 1.008 * pi / 2)**2; t = arange(-1, 1001) b = clip(1 - f(t[1:]) /
  // f(t[:-1]), 0, 0.999); a = cumprod(1 - b)
  const ddpm_schedule s = ddpm_schedule::cosine();
  check_laws(s);
  check_values(s, {{0, 3.642687385130294e-05, 0.9999635731261487},
                   {1, 4.128422482196914e-05, 0.999922290405182},
                   {500, 0.0031458862304784008, 0.49382560126246583},
                   {999, 0.7499993929011166, 2.4286784346491153e-06},
                   {1000, 0.999, 2.4286784346491175e-09}});
}

BOOST_AUTO_TEST_CASE(ddpm_cosine_of_the_original) {
  // The same, clipped at 0.02.
  const ddpm_schedule s = ddpm_schedule::cosine(1000, 0.02);
  check_laws(s);
  check_values(s, {{0, 3.642687385130294e-05, 0.9999635731261487},
                   {1, 4.128422482196914e-05, 0.999922290405182},
                   {500, 0.0031458862304784008, 0.49382560126246583},
                   {999, 0.02, 0.003261166620350964},
                   {1000, 0.02, 0.0031959432879439444}});
  BOOST_TEST(std::abs(s.beta(0) - 3.64e-5) < 0.005e-5);
  BOOST_TEST(std::abs(s.signal(1000) - 0.057) < 0.0005);
}

BOOST_AUTO_TEST_CASE(zero_terminal_snr) {
  // diffusers 0.42: rescale_zero_terminal_snr of the betas of ddpm_linear above, in double.
  const cz::zero_terminal_snr s(ddpm_schedule::linear());
  cz::testing::schedule_laws(s);
  for (const known& k : {known{0, 9.999999999998899e-05, 0.9999},
                         {1, 0.0001206626953743628, 0.9997793493708952},
                         {250, 0.005119629191015607, 0.5192019149731423},
                         {500, 0.010280932180018576, 0.07545273416335879},
                         {900, 0.028942603978307946, 0.00010507238993036351},
                         {999, 0.7522674830469817, 4.1705798317743745e-09}}) {
    BOOST_TEST_CONTEXT("t = " << k.t) {
      BOOST_TEST(std::abs(s.beta(k.t) - k.beta) < allowed);
      // The last signal is taken away, which leaves its rounding.
      BOOST_TEST(std::abs(s.signal(k.t) - std::sqrt(k.squared_signal)) < allowed);
    }
  }
  BOOST_TEST(s.signal(1000) == 0.0);
  BOOST_TEST(s.noise(1000) == 1.0);
  BOOST_TEST(s.beta(1000) == 1.0);
  BOOST_TEST(s.level(1000) == 1.0f);
  const cz::zero_terminal_snr cosine(ddpm_schedule::cosine());
  cz::testing::schedule_laws(cosine);
  BOOST_TEST(cosine.signal(0) == ddpm_schedule::cosine().signal(0));
  BOOST_TEST(cz::detail::time_of(cosine, 250) == 0.25f);
  // The times of a part are those of the whole.
  const cz::first_steps part(ddpm_schedule::linear(1000), 250);
  BOOST_TEST(cz::detail::time_of(cz::zero_terminal_snr(part), 250) == 0.25f);
  BOOST_TEST(message_of([&] { cz::zero_terminal_snr{constant_noise{}}; }) ==
             "zero_terminal_snr: signal(0) is 0.600000 and signal(T) 0.600000; the signal must fall");
}

BOOST_AUTO_TEST_CASE(karras) {
  // diffusers 0.42: EDMEulerScheduler(sigma_min=0.002, sigma_max=80), set_timesteps(5), sigmas in double; its timesteps
  // are c_noise = ln(sigma) / 4, of which the times here are an affine function.
  const cz::karras_schedule s(5);
  cz::testing::schedule_laws(s);
  BOOST_TEST(s.level(0) == 0.0f);
  const double sigma[] = {0.002, 0.16975275626876413, 2.515218976147159, 17.52783196464411, 80},
               c_noise[] = {-1.553652, -0.44335306, 0.23058996, 0.7159475, 1.0955067};
  double shares = 0;
  for (int t = 1; t <= 5; ++t) {
    BOOST_TEST(std::abs(static_cast<double>(s.level(t)) / sigma[t - 1] - 1) < 0x1p-23);
    const double time = (c_noise[t - 1] - c_noise[0]) / (c_noise[4] - c_noise[0]);
    BOOST_TEST(std::abs(static_cast<double>(s.time(t)) - time) < 1e-6);  // of seven digits
    shares += s.share(t);
  }
  BOOST_TEST(std::abs(shares - 1) < 8 * 0x1p-53);
  // Step 2 is drawn between the geometric means with its neighbours; of ln sigma by erf, in numpy.
  BOOST_TEST(std::abs(s.share(2) - 0.7307173434878059) < 1e-12);
  const auto message = [](int steps, cz::karras_numbers numbers) {
    return message_of([&] { cz::karras_schedule(steps, numbers); });
  };
  BOOST_TEST(message(1, {}) == "karras_schedule: the number of steps is 1.000000; it must be at least 2");
  BOOST_TEST(message(9, {.sigma_min = 0}) == "karras_schedule: sigma_min is 0.000000; it must be above 0");
  BOOST_TEST(message(9, {.sigma_min = 2, .sigma_max = 1}) ==
             "karras_schedule: sigma_max is 1.000000; it must be above sigma_min and finite");
  BOOST_TEST(message(9, {.rho = 0.5}) ==
             "karras_schedule: rho is 0.500000; it must be at least 1 and finite");
  BOOST_TEST(message(9, {.mean = NAN}).starts_with("karras_schedule: the mean of ln sigma is"));
  BOOST_TEST(message(9, {.deviation = 0}) ==
             "karras_schedule: the deviation of ln sigma is 0.000000; it must be above 0 and finite");
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  BOOST_TEST(message_of([] { ddpm_schedule::linear(0); }) ==
             "ddpm_schedule: the number of steps is 0; it must be at least 1");
  BOOST_TEST(message_of([] { ddpm_schedule::cosine(-1); }) ==
             "ddpm_schedule: the number of steps is -1; it must be at least 1");
  BOOST_TEST(message_of([] { ddpm_schedule::cosine(10, 1.0); }) ==
             "ddpm_schedule: beta_max is 1.000000; it must lie between 0 and 1");
  BOOST_TEST(message_of([] { ddpm_schedule::linear(10, 1e-4, 0); }) ==
             "ddpm_schedule: beta_max is 0.000000; it must lie between 0 and 1");
  BOOST_TEST(message_of([] { ddpm_schedule::cosine(1); }) == "no error");
}

BOOST_AUTO_TEST_CASE(curves_go_from_0_to_1) {
  const auto check = [](const auto& schedule, double at_a_quarter, double at_the_middle) {
    BOOST_TEST(schedule.level(0) == 0);
    BOOST_TEST(schedule.level(schedule.steps()) == 1);
    BOOST_TEST(std::abs(static_cast<double>(schedule.level(schedule.steps() / 4)) - at_a_quarter) < 1e-7);
    BOOST_TEST(std::abs(static_cast<double>(schedule.level(schedule.steps() / 2)) - at_the_middle) < 1e-7);
    BOOST_CHECK_NO_THROW(cz::testing::schedule_laws(schedule));
  };
  check(cz::power_schedule(8, cz::power_curve(3)), 1.0 / 64, 1.0 / 8);
  check(cz::cosine_schedule(8), 0.14644660940672624, 0.5);  // sin^2(pi / 8)
  // The logistic function of -1.5 between those of -3 and 3, from its definition.
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-x)); };
  check(cz::sigmoid_schedule(8, cz::sigmoid_curve(3)),
        (logistic(-1.5) - logistic(-3)) / (logistic(3) - logistic(-3)), 0.5);
  check(cz::exponential_schedule(8, cz::exponential_curve(81)), 2.0 / 80, 8.0 / 80);
  BOOST_CHECK_EXCEPTION(cz::power_schedule(0), cz::error,
                        says("curve_schedule: the number of steps is 0; it must be at least 1"));
  BOOST_CHECK_EXCEPTION(cz::power_curve(0), cz::error,
                        says("power_curve: the number of the curve is 0.000000; it must be above 0"));
  BOOST_CHECK_EXCEPTION(cz::sigmoid_curve(-1), cz::error,
                        says("sigmoid_curve: the number of the curve is -1.000000; it must be above 0"));
  BOOST_CHECK_EXCEPTION(cz::exponential_curve(1), cz::error,
                        says("exponential_curve: the number of the curve is 1.000000; it must be above 1"));
}

BOOST_AUTO_TEST_CASE(a_table_holds_levels_of_any_schedule) {
  const cz::table_schedule table({0, 0.25f, 0.25f, 2});
  BOOST_TEST(table.steps() == 3);
  BOOST_TEST(table.level(2) == 0.25f);
  BOOST_CHECK_NO_THROW(cz::testing::schedule_laws(table));
  const cz::cosine_schedule cosine(12);
  const auto copied = cz::table_schedule::of(cosine);
  for (int t = 0; t <= 12; ++t) BOOST_TEST(copied.level(t) == cosine.level(t));
  BOOST_CHECK_EXCEPTION((cz::table_schedule({1})), cz::error,
                        says("table_schedule: the number of levels is 1; it must be at least 2"));
  BOOST_CHECK_EXCEPTION(
      (cz::table_schedule({0, 0.5f, 0.25f})), cz::error,
      says("table_schedule: level 2 is 0.250000; it must be finite and at least the level before it"));
  BOOST_CHECK_EXCEPTION((cz::table_schedule({0, std::nanf("")})), cz::error,
                        says("table_schedule: level 1 is nan; it must be finite"));
}

BOOST_AUTO_TEST_CASE(respaced_schedules_pass_through_levels_of_the_whole) {
  const cz::respaced few(cz::linear_schedule(1000), 4);
  for (int t = 0; t <= 4; ++t) {
    BOOST_TEST(few.level(t) == static_cast<float>(t) / 4);
    BOOST_TEST(few.time(t) == static_cast<float>(t) / 4);
  }
  // Steps of 10 / 4, rounded: 0, 3, 5, 8, 10.
  const cz::respaced uneven(cz::linear_schedule(10), 4);
  for (const auto& [t, step] : {std::pair(1, 3), std::pair(2, 5), std::pair(3, 8), std::pair(4, 10)})
    BOOST_TEST(uneven.time(t) == static_cast<float>(step) / 10);
  const auto whole = ddpm_schedule::linear(1000);
  const cz::respaced noise(whole, 50);
  static_assert(cz::NoiseSchedule<cz::respaced<ddpm_schedule>>);
  BOOST_CHECK_NO_THROW(cz::testing::schedule_laws(noise));
  for (int t = 1; t <= 50; ++t) {  // what the twenty steps between keep
    double kept = 1;
    for (int step = 20 * (t - 1) + 1; step <= 20 * t; ++step) kept *= 1 - whole.beta(step);
    BOOST_TEST(std::abs(1 - kept - noise.beta(t)) < 1e-12);
  }
  BOOST_CHECK_EXCEPTION(cz::respaced(cz::linear_schedule(3), 4), cz::error,
                        says("respaced: the number of steps is 4; it must be 1 to 3"));
}
