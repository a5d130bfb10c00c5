#define BOOST_TEST_MODULE learning_rate
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/optim/learning_rate.hpp>

namespace cz = coldzoom;
using cz::index_t;

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
