#define BOOST_TEST_MODULE adam
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/optim/adam.hpp>
#include <coldzoom/optim/learning_rate.hpp>
#include <vector>

#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

constexpr std::size_t count = 1000;
constexpr int steps = 100;
constexpr double rate = 1e-3;

double start(std::size_t i) { return static_cast<double>(cz::random_uniform({1}, i)) - 0.5; }
/// A gradient that changes sign and size; exact in float.
double gradient(std::size_t i, int step) {
  return static_cast<double>(cz::random_normal({2, cz::stream::user, i}, static_cast<std::uint64_t>(step)));
}

/// Algorithm 1 of the paper, with its corrected moments written out.
std::vector<double> by_the_paper() {
  std::vector<double> result;
  for (std::size_t i = 0; i < count; ++i) {
    double p = start(i), m = 0, v = 0, power1 = 1, power2 = 1;
    for (int t = 1; t <= steps; ++t) {
      const double g = gradient(i, t);
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      power1 *= 0.9;
      power2 *= 0.999;
      p -= rate * (m / (1 - power1)) / (std::sqrt(v / (1 - power2)) + 1e-8);
    }
    result.push_back(p);
  }
  return result;
}

template <class B> double worst_error(B b) {
  using real = cz::real_t<B>;
  cz::adam<B> optimizer(b, count);
  std::vector<real> p(count), g(count);
  for (std::size_t i = 0; i < count; ++i) p[i] = static_cast<real>(start(i));
  for (int t = 1; t <= steps; ++t) {
    for (std::size_t i = 0; i < count; ++i) g[i] = static_cast<real>(gradient(i, t));
    optimizer.step(b, g.data(), p.data(), rate);
  }
  BOOST_TEST(optimizer.steps() == steps);
  const std::vector<double> wanted = by_the_paper();
  double worst = 0;
  for (std::size_t i = 0; i < count; ++i)
    worst = std::max(worst, std::abs(static_cast<double>(p[i]) - wanted[i]));
  BOOST_TEST_MESSAGE("worst error " << worst);
  return worst;
}

}  // namespace

BOOST_AUTO_TEST_CASE(against_the_paper) {
  // A step moves a parameter by at most about 3 rates. Its first moment is a sum that forgets, so the
  // rounding of some ten terms stays in it: 20 units with the other operations. The parameter, below 1, is
  // rounded each time.
  const auto allowed = [](double unit) { return steps * (3 * rate * 20 + 1) * unit; };
  BOOST_TEST(worst_error(cz::reference_backend<double>()) < allowed(0x1p-53));
  BOOST_TEST(worst_error(cz::cpu_backend<float>(2)) < allowed(0x1p-24));
}

BOOST_AUTO_TEST_CASE(against_pytorch) {
  // import torch p = torch.tensor([0.5, -0.25, 2.0], dtype=torch.float64, requires_grad=True) adam =
  // torch.optim.Adam([p], lr=0.01) for k in range(5):
  //     p.grad = p.detach() * torch.tensor([1.0, 2.0, -3.0], dtype=torch.float64) + k
  //     adam.step()
  const double wanted[] = {0.45288635071108918, -0.26261078445889041, 2.0481200714215535};
  cz::reference_backend<double> b;
  cz::adam<cz::reference_backend<double>> optimizer(b, 3);
  double p[] = {0.5, -0.25, 2.0};
  for (int k = 0; k < 5; ++k) {
    const double g[] = {p[0] + k, 2 * p[1] + k, -3 * p[2] + k};
    optimizer.step(b, g, p, 0.01);
  }
  for (int i = 0; i < 3; ++i) BOOST_TEST(std::abs(p[i] - wanted[i]) < 1e-14);
}

BOOST_AUTO_TEST_CASE(continues_from_its_state) {
  using backend = cz::cpu_backend<float>;
  backend b(1);
  cz::adam<backend> whole(b, 1), first(b, 1), second(b, 1);
  float p = 1, q = 1;
  const auto step = [&](cz::adam<backend>& optimizer, float& at, int t) {
    const float g = static_cast<float>(gradient(0, t));
    optimizer.step(b, &g, &at, 0.1);
  };
  for (int t = 0; t < 10; ++t) step(whole, p, t);
  for (int t = 0; t < 4; ++t) step(first, q, t);
  second.set_steps(first.steps());
  *second.first().data() = *first.first().data();
  *second.second().data() = *first.second().data();
  for (int t = 4; t < 10; ++t) step(second, q, t);
  BOOST_TEST(q == p);
}

BOOST_AUTO_TEST_CASE(learning_rates) {
  BOOST_TEST(cz::constant_rate{}(0) == 2e-4);
  BOOST_TEST(cz::constant_rate{0.5}(1000000) == 0.5);

  const cz::warmup_cosine rate_of{.peak = 2, .warmup = 4, .total = 104, .floor = 1};
  const auto close = [](double a, double b) { return std::abs(a - b) < 1e-15 * 16; };
  for (index_t step = 0; step < 4; ++step) BOOST_TEST(rate_of(step) == 0.5 * static_cast<double>(step + 1));
  BOOST_TEST(rate_of(4) == 2.0);
  BOOST_TEST(close(rate_of(54), 1.5));                       // half way
  BOOST_TEST(close(rate_of(29), 1.5 + std::sqrt(0.5) / 2));  // a quarter: cos(pi / 4)
  for (index_t step = 5; step <= 104; ++step) BOOST_TEST(rate_of(step) < rate_of(step - 1));
  BOOST_TEST(rate_of(104) == 1.0);
  BOOST_TEST(rate_of(1000) == 1.0);
  BOOST_TEST(cz::warmup_cosine{}(0) == 2e-4);
}

BOOST_AUTO_TEST_CASE(average_of_weights) {
  using backend = cz::reference_backend<double>;
  backend b;
  cz::weight_average<backend> average(b, 1, 0.5);
  double wanted = 0;
  for (index_t step = 1; step <= 20; ++step) {
    const double p = static_cast<double>(step * step);
    average.update(b, &p, step);
    const double t = static_cast<double>(step), decay = step == 1 ? 0 : std::min(0.5, (1 + t) / (10 + t));
    wanted = decay * wanted + (1 - decay) * p;
    // The mean of values up to 400, four roundings a step, the older ones halved.
    BOOST_TEST(std::abs(*average.values().data() - wanted) <= 400 * 8 * 0x1p-53);
  }
  for (const double decay : {0.0, 1.0, -0.5})
    BOOST_TEST(message_of([&] { cz::weight_average<backend>(b, 1, decay); }) ==
               "weight_average: the decay is " + std::to_string(decay) + "; it must lie between 0 and 1");
}
