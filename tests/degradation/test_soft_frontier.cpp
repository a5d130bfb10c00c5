#define BOOST_TEST_MODULE soft_frontier
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/soft_frontier.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/nn/frontier.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/testing/degradation_laws.hpp>

#include "common/degraded_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {
/// The channels go one after another.
struct channel_order {
  COLDZOOM_HD float operator()(const cz::shape& image, index_t c, index_t, index_t) const {
    return (static_cast<float>(c) + 0.5f) / static_cast<float>(image.c);
  }
};
}  // namespace

BOOST_AUTO_TEST_CASE(the_input_shows_the_first_channel_of_an_image_of_several) {
  backend b(1);
  const cz::soft_frontier<channel_order> d{{}, 0.5f, 0.5f};
  const cz::shape dims{2, 3, 2, 2};
  const host_images x_t = random_images(dims, 6);
  const std::vector<float> level{0.3f, 0.8f};
  host_images composed({2, 6, 2, 2});
  cz::input_context<backend> context;
  context.x_t = cz::tensor_view<const float>(x_t.pixels.data(), dims);
  context.time = context.level = {level.data(), 2};
  cz::frontier_input(d).compose(b, context, cz::tensor_view<float>(composed.pixels.data(), composed.dims));
  for (index_t n = 0; n < 2; ++n) {
    const float sigma = d.sigma(level[static_cast<std::size_t>(n)], dims.with_n(1), 0, 0, 0);
    BOOST_TEST((sigma > 0 && sigma <= 1));
    BOOST_TEST(composed.view()(n, 3, 1, 1) == 2 * sigma - 1);
  }
}

BOOST_AUTO_TEST_CASE(laws) {
  backend b(2);
  const cz::shape dims{2, 2, 9, 8};
  cz::testing::degradation_laws<cz::centred>(cz::masked<cz::zoom_order>{{7}}, {.levels_beyond = true}, dims,
                                             b);
  cz::testing::degradation_laws<cz::centred>(cz::soft_frontier<cz::zoom_order>{{7}, 0.4f, 0.5f},
                                             {.random = true, .levels_beyond = true}, dims, b);
}

BOOST_AUTO_TEST_CASE(sigma_is_the_formula) {
  for (const float width : {0.1f, 1.0f / 3, 2.0f}) {
    const cz::soft_frontier<cz::zoom_order> d{{24}, width, 1};
    const cz::shape image{1, 1, 28, 28};
    for (int k = 0; k <= 50; ++k) {
      const float level = static_cast<float>(k) / 50;
      for_each_pixel(image, [&](index_t, index_t, index_t y, index_t x) {
        const index_t lost = cz::zoom_lost_step(28, 28, y, x);
        double wanted = 0;
        if (lost <= 24) {
          const double order = (static_cast<double>(lost) - 0.5) / 24, w = static_cast<double>(width);
          wanted = std::clamp((static_cast<double>(level) * (1 + w) - order) / w, 0.0, 1.0);
        }
        const cz::amplitudes found = d.amplitudes(level, image, 0, y, x);
        BOOST_REQUIRE(std::abs(found.noise - wanted) < 4 * 0x1p-24 * (2 + 1 / static_cast<double>(width)));
        BOOST_REQUIRE(found.signal + found.noise == 1);
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(ends) {
  const host_images x0 = random_images({2, 1, 28, 28}, 4);
  const cz::key_sequence keys{1, cz::stream::user, 5};
  const auto frontier = [](float width) { return cz::soft_frontier<cz::zoom_order>{{24}, width, 0.5f}; };
  for (const float width : {0.0f, 0.3f, HUGE_VALF}) {
    BOOST_TEST((degraded(frontier(width), x0, 0, keys) == x0));
    // At level 1 the window of the last step is left, and noise of the key.
    const host_images last = degraded(frontier(width), x0, 1, keys);
    for_each_pixel(x0.dims, [&](index_t n, index_t c, index_t y, index_t x) {
      const bool kept = y >= 12 && y < 16 && x >= 12 && x < 16;
      const float noise = 0.5f * cz::random_normal(keys[n], static_cast<std::uint64_t>(y * 28 + x));
      BOOST_REQUIRE(last.view()(n, c, y, x) == (kept ? x0.view()(n, c, y, x) : noise));
    });
  }
  // Width 0: what the zoom still shows is clean, all else is noise.
  for (const int step : {3, 11, 24}) {
    const float level = cz::linear_schedule(24).level(step);
    const host_images cold = degraded(frontier(0), x0, level, keys);
    const cz::image_window window = cz::zoom<cz::nearest>{}.window(step, 28, 28);
    for_each_pixel(x0.dims, [&](index_t n, index_t c, index_t y, index_t x) {
      BOOST_REQUIRE((cold.view()(n, c, y, x) == x0.view()(n, c, y, x)) == inside(window, y, x));
    });
  }
  // An infinite width: flow matching, one noise level for all that is ever lost.
  const cz::amplitudes flow = frontier(HUGE_VALF).amplitudes(0.3f, {1, 1, 28, 28}, 0, 2, 9);
  BOOST_TEST(flow.noise == static_cast<double>(0.3f));
}

BOOST_AUTO_TEST_CASE(input_and_weights) {
  backend b(2);
  const cz::soft_frontier<cz::zoom_order> d{{5}, 0.5f, 0.5f};
  const cz::shape dims{3, 2, 6, 7};
  const host_images x_t = random_images(dims, 6);
  const std::vector<float> level{0.1f, 0.6f, 1.0f};
  const auto input = cz::frontier_input(d);
  BOOST_TEST(input.channels(dims) == 5);
  host_images composed({3, 5, 6, 7});
  cz::input_context<backend> context;
  context.x_t = cz::tensor_view<const float>(x_t.pixels.data(), dims);
  context.time = context.level = {level.data(), 3};
  input.compose(b, context, cz::tensor_view<float>(composed.pixels.data(), composed.dims));
  for_each_pixel({3, 1, 6, 7}, [&](index_t n, index_t, index_t y, index_t x) {
    const auto at = [&](index_t c) { return composed.view()(n, c, y, x); };
    for (index_t c = 0; c < 2; ++c) BOOST_REQUIRE(at(c) == x_t.view()(n, c, y, x));
    BOOST_REQUIRE(at(2) == 2 * d.sigma(level[static_cast<std::size_t>(n)], dims, 0, y, x) - 1);
    BOOST_REQUIRE(std::abs(at(3) - (static_cast<float>(2 * y + 1) / 6 - 1)) < 1e-6f);
    BOOST_REQUIRE(std::abs(at(4) - (static_cast<float>(2 * x + 1) / 7 - 1)) < 1e-6f);
  });

  const cz::frontier_weight weight(d);
  std::vector<float> weights;
  for (index_t n = 0; n < 3; ++n) {
    for_each_pixel({1, 2, 6, 7}, [&](index_t, index_t c, index_t y, index_t x) {
      weights.push_back(weight.pixel_weight(level[static_cast<std::size_t>(n)], dims, c, y, x));
      const float sigma = d.sigma(level[static_cast<std::size_t>(n)], dims, c, y, x);
      BOOST_REQUIRE((weights.back() == 0) == (sigma == 0));
      if (sigma > 0 && sigma < 1) BOOST_REQUIRE(weights.back() == 1);
    });
  }
  BOOST_TEST(std::count(weights.begin(), weights.end(), 0.1f) > 0);
}
