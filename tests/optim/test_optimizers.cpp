#define BOOST_TEST_MODULE optimizers
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/optim/adamw.hpp>
#include <coldzoom/optim/sgd.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <tuple>
#include <vector>

#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

/// Which optimisers run on: in double against formulas, in float within its rounding.
using all_backends =
    std::tuple<cz::reference_backend<double>, cz::cpu_backend<float>, cz::cpu_backend<double>,
               cz::testing::block_backend<float>, cz::testing::block_backend<double>>;

constexpr int steps = 100;
constexpr double rate = 1e-3;

/// A weight and its bias, the factors of a normalisation, and a bias: only the first tensor decays.
const cz::parameter_list tensors{{"conv.weight", {20, 5, 3, 2}, 0, 0.1f},
                                 {"conv.bias", {100}, 0, 0.1f},
                                 {"norm.weight", {2, 10, 10}, 1, 0},
                                 {"norm.bias", {2, 10, 10}, 0, 0}};
constexpr std::size_t count = 1100;

double start(std::size_t i) { return static_cast<double>(cz::random_uniform({1}, i)) - 0.5; }
/// A gradient that changes sign and size; exact in float.
double gradient(std::size_t i, int step) {
  return static_cast<double>(cz::random_normal({2, cz::stream::user, i}, static_cast<std::uint64_t>(step)));
}

/// Parameter i after all steps: change(p, g, t) is one step of a formula.
template <class Make> std::vector<double> by_formula(Make make) {
  std::vector<double> result;
  for (std::size_t i = 0; i < count; ++i) {
    auto change = make(i);
    double p = start(i);
    for (int t = 1; t <= steps; ++t) change(p, gradient(i, t), t);
    result.push_back(p);
  }
  return result;
}

/// Algorithm 1 of Adam's paper, with its corrected moments written out; before it AdamW's decay.
auto adam_formula(double weight_decay, bool all) {
  return [=](std::size_t i) {
    return [=, m = 0.0, v = 0.0](double& p, double g, int t) mutable {
      if (all || i < 600) p -= rate * weight_decay * p;
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      p -= rate * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
    };
  };
}

/// The algorithm on the page of PyTorch's SGD, without dampening.
auto sgd_formula(double momentum, bool nesterov, double weight_decay, bool all) {
  return [=](std::size_t i) {
    return [=, buffer = 0.0](double& p, double g, int t) mutable {
      if (all || i < 600) g += weight_decay * p;
      if (momentum != 0) {
        buffer = t > 1 ? momentum * buffer + g : g;
        g = nesterov ? g + momentum * buffer : buffer;
      }
      p -= rate * g;
    };
  };
}

template <class B, class O> std::vector<double> after_all_steps(const O& optimizer, B b = B()) {
  using real = cz::real_t<B>;
  auto state = optimizer.make_state(b, tensors);
  std::vector<real> p(count), g(count);
  for (std::size_t i = 0; i < count; ++i) p[i] = static_cast<real>(start(i));
  for (int t = 1; t <= steps; ++t) {
    for (std::size_t i = 0; i < count; ++i) g[i] = static_cast<real>(gradient(i, t));
    optimizer.step(b, state, g.data(), p.data(), rate, t);
  }
  return {p.begin(), p.end()};
}

// A step of Adam moves a parameter by at most about 3 rates, and so does one of SGD with a gradient of 3;
// with momentum 0.9 by 10 times as much. The moments are sums that forget, so the rounding of some ten terms
// stays in them: 20 units with the other operations. The parameter, below 1, is rounded twice each time.
template <class B, class O, class Make> void check(const O& optimizer, Make formula, double growth = 1) {
  const double unit = static_cast<double>(std::numeric_limits<cz::real_t<B>>::epsilon()) / 2;
  const double allowed = steps * (3 * rate * growth * 20 + 2) * unit;
  const std::vector<double> found = after_all_steps<B>(optimizer), wanted = by_formula(formula);
  double worst = 0;
  for (std::size_t i = 0; i < count; ++i) worst = std::max(worst, std::abs(found[i] - wanted[i]));
  BOOST_TEST(worst < allowed, O::name << " is off by " << worst << ", allowed " << allowed);
  BOOST_TEST_MESSAGE(O::name << ": worst error " << worst);
}

}  // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(against_formulas, B, all_backends) {
  check<B>(cz::adam(), adam_formula(0, false));
  check<B>(cz::adamw{.weight_decay = 0.5}, adam_formula(0.5, false));
  check<B>(cz::adamw{.weight_decay = 0.5, .decay_all = true}, adam_formula(0.5, true));
  check<B>(cz::sgd(), sgd_formula(0, false, 0, false));
  check<B>(cz::sgd{.momentum = 0.9}, sgd_formula(0.9, false, 0, false), 10);
  check<B>(cz::sgd{.momentum = 0.9, .nesterov = true, .weight_decay = 0.5},
           sgd_formula(0.9, true, 0.5, false), 10);
  check<B>(cz::sgd{.weight_decay = 0.5, .decay_all = true}, sgd_formula(0, false, 0.5, true));
}

BOOST_AUTO_TEST_CASE(threads_do_not_matter) {
  using fast = cz::cpu_backend<float>;
  const auto same = [](const auto& optimizer) {
    return after_all_steps(optimizer, fast(1)) == after_all_steps(optimizer, fast(2));
  };
  BOOST_TEST((same(cz::adam()) && same(cz::adamw()) && same(cz::sgd{.momentum = 0.9})));
}

BOOST_AUTO_TEST_CASE(adamw_without_decay_is_adam) {
  using fast = cz::cpu_backend<float>;
  BOOST_TEST(after_all_steps<fast>(cz::adamw{.weight_decay = 0}) == after_all_steps<fast>(cz::adam()));
}

BOOST_AUTO_TEST_CASE(adam_against_pytorch) {
  // import torch
  // p = torch.tensor([0.5, -0.25, 2.0], dtype=torch.float64, requires_grad=True)
  // adam = torch.optim.Adam([p], lr=0.01)
  // for k in range(5):
  //     p.grad = p.detach() * torch.tensor([1.0, 2.0, -3.0], dtype=torch.float64) + k
  //     adam.step()
  const double wanted[] = {0.45288635071108918, -0.26261078445889041, 2.0481200714215535};
  cz::reference_backend<double> b;
  const cz::adam optimizer;
  auto state = optimizer.make_state(b, {{"p", {3}}});
  double p[] = {0.5, -0.25, 2.0};
  for (int k = 0; k < 5; ++k) {
    const double g[] = {p[0] + k, 2 * p[1] + k, -3 * p[2] + k};
    optimizer.step(b, state, g, p, 0.01, k + 1);
  }
  for (int i = 0; i < 3; ++i) BOOST_TEST(std::abs(p[i] - wanted[i]) < 1e-14);
}

BOOST_AUTO_TEST_CASE(what_decays) {
  BOOST_TEST(cz::parameter_count(tensors) == 1100);
  BOOST_TEST((cz::decays(tensors[0]) && !cz::decays(tensors[1]) && !cz::decays(tensors[2]) &&
              !cz::decays(tensors[3])));
}

BOOST_AUTO_TEST_CASE(names_of_buffers_and_numbers) {
  cz::reference_backend<float> b;
  const auto names = [&](const auto& optimizer) {
    auto state = optimizer.make_state(b, tensors);
    std::string all;
    state.for_each_buffer([&](const char* name, cz::host_buffer<float>& buffer) {
      all += std::string(name) + " " + std::to_string(buffer.size()) + " ";
    });
    optimizer.for_each_number([&](const char* name, double value) {
      all += std::string(name) + " " + std::to_string(value).substr(0, 5) + " ";
    });
    return all;
  };
  BOOST_TEST(names(cz::adam()) == "first 1100 second 1100 beta1 0.900 beta2 0.999 eps 0.000 ");
  BOOST_TEST(names(cz::adamw()) ==
             "first 1100 second 1100 beta1 0.900 beta2 0.999 eps 0.000 weight_decay 0.010 decay_all 0.000 ");
  BOOST_TEST(names(cz::sgd()) == "momentum 0.000 nesterov 0.000 weight_decay 0.000 decay_all 0.000 ");
  BOOST_TEST(names(cz::sgd{.momentum = 0.5, .nesterov = true}) ==
             "velocity 1100 momentum 0.500 nesterov 1.000 weight_decay 0.000 decay_all 0.000 ");
}

BOOST_AUTO_TEST_CASE(numbers_out_of_range) {
  cz::reference_backend<float> b;
  const auto state_of = [&](const auto& optimizer) {
    return message_of([&] { optimizer.make_state(b, tensors); });
  };
  BOOST_TEST(state_of(cz::adam{.beta1 = 1}) == "adam: beta1 is 1.000000; it must be at least 0 and below 1");
  BOOST_TEST(state_of(cz::adam{.beta2 = -1}) ==
             "adam: beta2 is -1.000000; it must be at least 0 and below 1");
  BOOST_TEST(state_of(cz::adam{.eps = 0}) == "adam: eps is 0.000000; it must be above 0");
  BOOST_TEST(state_of(cz::adamw{.beta1 = 2}) == "adam: beta1 is 2.000000; it must be at least 0 and below 1");
  BOOST_TEST(state_of(cz::adamw{.weight_decay = -1}) ==
             "adamw: weight_decay is -1.000000; it must be at least 0");
  BOOST_TEST(state_of(cz::sgd{.momentum = 1}) ==
             "sgd: momentum is 1.000000; it must be at least 0 and below 1");
  BOOST_TEST(state_of(cz::sgd{.nesterov = true}) == "sgd: nesterov needs a momentum above 0");
  BOOST_TEST(state_of(cz::sgd{.weight_decay = -1}) ==
             "sgd: weight_decay is -1.000000; it must be at least 0");
}
