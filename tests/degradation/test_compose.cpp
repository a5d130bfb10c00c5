#define BOOST_TEST_MODULE compose
#include <boost/test/unit_test.hpp>
#include <coldzoom/degradation/blur.hpp>
#include <coldzoom/degradation/compose.hpp>
#include <coldzoom/degradation/fade.hpp>
#include <coldzoom/degradation/gaps.hpp>
#include <coldzoom/degradation/snow.hpp>

#include "common/degraded_values.hpp"
#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

const cz::shape dims{3, 3, 6, 5};

static_assert(std::same_as<cz::composed<cz::fade, cz::snow>::range, cz::unit>);
static_assert(std::same_as<cz::with_noise<cz::snow>::range, cz::unit>);
static_assert(!cz::detail::StatesRange<cz::iterated<cz::fade>>);

}  // namespace

BOOST_AUTO_TEST_CASE(composed_degradations_follow_each_other) {
  const std::vector<float> x0 = uniform_images<cz::unit>(dims);
  const cz::heat_blur heat{.sigma_max = 3};
  const std::vector<float> blurred = values_at<cz::unit>(heat, dims, x0, 0.5f);
  const cz::fade fade{{1, 0, 0.5f}};
  BOOST_TEST(values_at<cz::unit>(cz::composed(heat, fade), dims, x0, 0.5f) ==
             values_at<cz::unit>(fade, dims, blurred, 0.5f));
  // Two draws of one kind differ: pixels that one misses, the other may hit.
  const std::vector<float> grey(x0.size(), 0.5f);
  const std::vector<float> once = values_at<cz::unit>(cz::salt_and_pepper{}, dims, grey, 0.5f),
                           twice = values_at<cz::unit>(
                               cz::composed(cz::salt_and_pepper{}, cz::salt_and_pepper{}), dims, grey, 0.5f);
  BOOST_TEST(std::count(twice.begin(), twice.end(), 0.5f) < std::count(once.begin(), once.end(), 0.5f));
  check_laws<cz::unit>(cz::composed(heat, cz::snow{}), {.random = true});
}

BOOST_AUTO_TEST_CASE(iterated_degradations_repeat) {
  const std::vector<float> x0 = uniform_images<cz::centred>(dims);
  const cz::gaussian_blur once{.radius = 1, .sigma = 1, .times = 1},
      many{.radius = 1, .sigma = 1, .times = 4};
  const cz::iterated repeated(once, 4);
  for (const float level : {0.25f, 0.75f, 1.0f}) {
    const std::vector<float> at_once = values_at<cz::centred>(many, dims, x0, level);
    BOOST_TEST(farthest(values_at<cz::centred>(repeated, dims, x0, level), dims,
                        [&](index_t n, index_t c, index_t y, index_t x) {
                          return element(at_once, dims, n, c, y, x);
                        }) < 2e-6);
  }
  // 1 - 0.9^3 of the way to 0.5.
  BOOST_TEST(
      farthest(values_at<cz::centred>(cz::iterated(cz::fade{{0.5f, 0.5f, 0.5f}}, 3, 0.1f), dims, x0, 1), dims,
               [&](index_t n, index_t c, index_t y, index_t x) {
                 return 0.5 + 0.729 * (element(x0, dims, n, c, y, x) - 0.5);
               }) < 1e-6);
  BOOST_CHECK_EXCEPTION((cz::iterated(cz::fade{}, 0)), cz::error,
                        says("iterated: the number of times is 0; it must be at least 1"));
  check_laws<cz::centred>(repeated);
}

BOOST_AUTO_TEST_CASE(some_channels_alone) {
  const std::vector<float> x0 = uniform_images<cz::centred>(dims),
                           all = values_at<cz::centred>(cz::heat_blur{}, dims, x0, 0.5f);
  BOOST_TEST(farthest(values_at<cz::centred>(cz::on_channels(cz::heat_blur{}, 1, 2), dims, x0, 0.5f), dims,
                      [&](index_t n, index_t c, index_t y, index_t x) {
                        return element(c == 0 ? x0 : all, dims, n, c, y, x);
                      }) == 0);
  BOOST_CHECK_EXCEPTION((values_at<cz::centred>(cz::on_channels(cz::heat_blur{}, 2, 2), dims, x0, 1)),
                        cz::error, says("on_channels: the channels are 2 to 3, the images have 3"));
  check_laws<cz::centred>(cz::on_channels(cz::heat_blur{}, 0, 1));
}

BOOST_AUTO_TEST_CASE(noise_grows_with_the_level) {
  const cz::shape many{40, 1, 12, 12};
  const std::vector<float> x0 = uniform_images<cz::centred>(many);
  const cz::fade fade{};
  const cz::with_noise noisy(fade, 0.2f);
  const std::vector<float> clean = values_at<cz::centred>(fade, many, x0, 0.5f),
                           found = values_at<cz::centred>(noisy, many, x0, 0.5f);
  double square = 0, sum = 0;
  for (std::size_t i = 0; i < x0.size(); ++i) {
    const double off = static_cast<double>(found[i] - clean[i]) / 0.1;
    sum += off;
    square += off * off;
  }
  const auto count = static_cast<double>(x0.size());
  BOOST_TEST(square < chi_square_bound(count));
  BOOST_TEST(square > 2 * count - chi_square_bound(count));
  BOOST_TEST(sum * sum / count < chi_square_bound(1));
  check_laws<cz::centred>(noisy, {.random = true});
}
