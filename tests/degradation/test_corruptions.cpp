#define BOOST_TEST_MODULE corruptions
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/degradation/blend.hpp>
#include <coldzoom/degradation/block_dct.hpp>
#include <coldzoom/degradation/dose_noise.hpp>
#include <coldzoom/degradation/fade.hpp>
#include <coldzoom/degradation/fading_mask.hpp>
#include <coldzoom/degradation/gaps.hpp>
#include <coldzoom/degradation/snow.hpp>

#include "common/degraded_values.hpp"
#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

constexpr double pi = 3.14159265358979323846, rounding = 1e-6;

/// The share of elements that differ.
double changed(const std::vector<float>& a, const std::vector<float>& b) {
  double count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] != b[i];
  return count / static_cast<double>(a.size());
}

}  // namespace

BOOST_AUTO_TEST_CASE(colours_fade_to_a_colour) {
  const cz::shape dims{2, 3, 5, 4};
  const std::vector<float> x0 = uniform_images<cz::centred>(dims);
  const cz::fade fade{{0.5f, -0.25f, 0}};
  BOOST_TEST(farthest(values_at<cz::centred>(fade, dims, x0, 0.75f), dims,
                      [&](index_t n, index_t c, index_t y, index_t x) {
                        const double colours[3] = {0.5, -0.25, 0};
                        return 0.25 * element(x0, dims, n, c, y, x) + 0.75 * colours[c];
                      }) < rounding);
  check_laws<cz::centred>(fade);
}

BOOST_AUTO_TEST_CASE(desaturation_keeps_the_luma) {
  const cz::shape dims{2, 3, 5, 4};
  const std::vector<float> x0 = uniform_images<cz::unit>(dims),
                           half = values_at<cz::unit>(cz::desaturation{}, dims, x0, 0.5f),
                           all = values_at<cz::unit>(cz::desaturation{}, dims, x0, 1);
  const auto luma = [&](const std::vector<float>& images, index_t n, index_t y, index_t x) {
    return 0.299 * element(images, dims, n, 0, y, x) + 0.587 * element(images, dims, n, 1, y, x) +
           0.114 * element(images, dims, n, 2, y, x);
  };
  BOOST_TEST(farthest(all, dims, [&](index_t n, index_t, index_t y, index_t x) {
               return luma(x0, n, y, x);
             }) < rounding);
  BOOST_TEST(farthest(half, dims, [&](index_t n, index_t c, index_t y, index_t x) {
               return (element(x0, dims, n, c, y, x) + luma(half, n, y, x)) / 2;
             }) < rounding);
  check_laws<cz::unit>(cz::desaturation{}, {}, 3);
}

BOOST_AUTO_TEST_CASE(salt_and_pepper_falls_on_a_share_of_the_pixels) {
  const cz::shape dims{50, 2, 20, 20};
  const std::vector<float> x0(static_cast<std::size_t>(dims.size()), 0.5f);
  const std::vector<float> some = values_at<cz::unit>(cz::salt_and_pepper{}, dims, x0, 0.3f),
                           more = values_at<cz::unit>(cz::salt_and_pepper{}, dims, x0, 0.6f),
                           all = values_at<cz::unit>(cz::salt_and_pepper{}, dims, x0, 1);
  // Of 20,000 pixels; six deviations of a share are 0.02.
  BOOST_TEST(std::abs(changed(some, x0) - 0.3) < 0.02);
  BOOST_TEST(changed(all, x0) == 1);
  double white = 0;
  for (const float value : all) white += value == 1;
  BOOST_TEST(std::abs(white / static_cast<double>(all.size()) - 0.5) < 0.022);
  for (std::size_t i = 0; i < x0.size(); ++i) {
    BOOST_REQUIRE((some[i] == 0.5f || (some[i] == more[i] && more[i] == all[i])));
  }
  BOOST_TEST(farthest(some, dims, [&](index_t n, index_t, index_t y, index_t x) {
               return element(some, dims, n, 0, y, x);  // all channels alike
             }) == 0);
  check_laws<cz::unit>(cz::salt_and_pepper{}, {.random = true});
}

BOOST_AUTO_TEST_CASE(gaps_take_whole_columns) {
  const cz::shape dims{200, 1, 2, 60};
  const std::vector<float> x0(static_cast<std::size_t>(dims.size()), 0.25f);
  const cz::gaps gaps{.length = 5, .fill = -0.5f};
  const std::vector<float> some = values_at<cz::centred>(gaps, dims, x0, 0.4f),
                           more = values_at<cz::centred>(gaps, dims, x0, 0.7f);
  BOOST_TEST(changed(values_at<cz::centred>(gaps, dims, x0, 1), x0) == 1);
  // Of 2,400 stretches; six deviations are 0.06.
  BOOST_TEST(std::abs(changed(some, x0) - 0.4) < 0.06);
  std::vector<bool> begins(5);
  for (index_t n = 0; n < dims.n; ++n) {
    for (index_t x = 0; x < dims.w; ++x) {
      const bool lost = element(some, dims, n, 0, 0, x) < 0;
      BOOST_REQUIRE(lost == (element(some, dims, n, 0, 1, x) < 0));
      BOOST_REQUIRE((!lost || element(more, dims, n, 0, 0, x) < 0));
      const bool before = x > 0 && element(some, dims, n, 0, 0, x - 1) < 0;
      if (x > 0 && lost && !before) begins[static_cast<std::size_t>(x % 5)] = true;
    }
  }
  BOOST_TEST(std::count(begins.begin(), begins.end(), true) == 5);
  check_laws<cz::centred>(gaps, {.random = true});
}

BOOST_AUTO_TEST_CASE(a_fading_mask_is_a_product_of_gaussian_holes) {
  const cz::shape dims{20, 2, 9, 12};
  const std::vector<float> x0 = uniform_images<cz::centred>(dims);
  for (const bool anywhere : {false, true}) {
    const cz::fading_mask mask{
        .times = 10, .sigma_first = 1.5f, .sigma_step = 0.5f, .fill = -0.5f, .anywhere = anywhere};
    for (const int steps : {1, 4, 10}) {
      BOOST_TEST(farthest(values_at<cz::centred>(mask, dims, x0, static_cast<float>(steps) / 10), dims,
                          [&](index_t n, index_t c, index_t y, index_t x) {
                            const auto [centre_y, centre_x] =
                                mask.centre({5, cz::stream::user, static_cast<std::uint64_t>(n)}, 9, 12);
                            BOOST_REQUIRE((centre_y >= 0 && centre_y < 9 && centre_x >= 0 && centre_x < 12));
                            const auto square = static_cast<double>((y - centre_y) * (y - centre_y) +
                                                                    (x - centre_x) * (x - centre_x));
                            double left = 1;
                            for (int i = 0; i < steps; ++i) {
                              const double sigma = 1.5 + 0.5 * i;
                              left *= 1 - std::exp(-square / (2 * sigma * sigma));
                            }
                            return -0.5 + (element(x0, dims, n, c, y, x) + 0.5) * left;
                          }) < rounding);
    }
    check_laws<cz::centred>(mask, {.random = anywhere});
  }
}

BOOST_AUTO_TEST_CASE(snow_covers_more_and_more) {
  const cz::shape dims{30, 3, 16, 16};
  const std::vector<float> x0 = uniform_images<cz::unit>(dims);
  std::vector<float> before = x0;
  for (const float level : {0.2f, 0.6f, 1.0f}) {
    const std::vector<float> after = values_at<cz::unit>(cz::snow{}, dims, x0, level);
    double sum = 0;
    for (std::size_t i = 0; i < x0.size(); ++i) {
      BOOST_REQUIRE((after[i] >= before[i] && after[i] <= 1));
      sum += static_cast<double>(after[i] - before[i]);
    }
    BOOST_TEST(sum / static_cast<double>(x0.size()) > 0.05);
    before = after;
  }
  // The light that is added is the same share in all channels.
  BOOST_TEST(farthest(before, dims, [&](index_t n, index_t c, index_t y, index_t x) {
               const double first = element(x0, dims, n, 0, y, x), clean = element(x0, dims, n, c, y, x);
               if (first > 0.9) return element(before, dims, n, c, y, x);  // divides by almost nothing
               return clean + (1 - clean) * (element(before, dims, n, 0, y, x) - first) / (1 - first);
             }) < 10 * rounding);
  // Without haze and flakes, nothing happens.
  BOOST_TEST(changed(values_at<cz::unit>(cz::snow{.density = 0, .haze = 0}, dims, x0, 1), x0) == 0);
  check_laws<cz::unit>(cz::snow{}, {.random = true});
}

BOOST_AUTO_TEST_CASE(block_frequencies_become_multiples_of_their_step) {
  const cz::shape dims{2, 1, 16, 24};
  std::vector<float> x0 = uniform_images<cz::unit>(dims);
  for (float& pixel : x0) pixel = 0.4f + 0.2f * pixel;  // so that nothing is clipped
  const cz::block_dct jpeg{.coarsest = 4};
  const std::vector<float> after = values_at<cz::unit>(jpeg, dims, x0, 0.5f);
  const auto wave = [](index_t k, index_t place) {
    return (k == 0 ? std::sqrt(0.125) : 0.5) * std::cos(static_cast<double>(k * (2 * place + 1)) * pi / 16);
  };
  const auto coefficient = [&](const std::vector<float>& images, index_t n, index_t top, index_t left,
                               index_t v, index_t u) {
    double sum = 0;
    for (index_t y = 0; y < 8; ++y) {
      for (index_t x = 0; x < 8; ++x)
        sum += wave(v, y) * wave(u, x) * (element(images, dims, n, 0, top + y, left + x) - 0.5);
    }
    return sum;
  };
  for (index_t n = 0; n < 2; ++n) {
    for (index_t top = 0; top < 16; top += 8) {
      for (index_t left = 0; left < 24; left += 8) {
        for (index_t k = 0; k < 64; ++k) {
          const double found = coefficient(after, n, top, left, k / 8, k % 8),
                       clean = coefficient(x0, n, top, left, k / 8, k % 8),
                       step = static_cast<double>(jpeg.step(0.5f, k / 8, k % 8));
          BOOST_REQUIRE(std::abs(found / step - std::round(found / step)) * step < 4e-6);
          BOOST_REQUIRE(std::abs(found - clean) <= step / 2 + 4e-6);
        }
      }
    }
  }
  const auto [low, high] = std::minmax_element(after.begin(), after.end());
  BOOST_TEST((*low > 0 && *high < 1));
  for (float& pixel : x0) pixel = pixel < 0.5f ? 0.0f : 1.0f;
  const std::vector<float> clipped = values_at<cz::unit>(cz::block_dct{.coarsest = 10}, dims, x0, 1);
  BOOST_TEST(*std::min_element(clipped.begin(), clipped.end()) == 0);
  BOOST_TEST(*std::max_element(clipped.begin(), clipped.end()) == 1);
  // 16 / 255, the first number of the table, at twice its size.
  BOOST_TEST(std::abs(static_cast<double>(jpeg.step(0.5f, 0, 0)) - 2 * 16.0 / 255) < 1e-7);
  check_laws<cz::unit>(jpeg);
}

BOOST_AUTO_TEST_CASE(dose_noise_is_a_filtered_back_projection) {
  const cz::shape dims{1, 1, 8, 11};
  const std::vector<float> x0 = uniform_images<cz::unit>(dims);
  const cz::dose_noise scan{.views = 5, .photons = 100, .attenuation = 0.2f};
  const int bins = 15;  // twice the half of the diagonal, 6.8, rounded up, and the middle
  const auto at = [&](double y, double x) {
    double sum = 0;
    for (index_t row = 0; row < dims.h; ++row) {
      for (index_t column = 0; column < dims.w; ++column) {
        const double v = std::abs(y - static_cast<double>(row)),
                     u = std::abs(x - static_cast<double>(column));
        if (v < 1 && u < 1) sum += (1 - v) * (1 - u) * element(x0, dims, 0, 0, row, column);
      }
    }
    return sum;
  };
  std::vector<double> noise;
  for (int view = 0; view < 5; ++view) {
    const double angle = pi * view / 5;
    for (int bin = 0; bin < bins; ++bin) {
      double path = 0;
      for (int k = 0; k < bins; ++k) {
        path += at(3.5 + (bin - 7) * std::sin(angle) + (k - 7) * std::cos(angle),
                   5 + (bin - 7) * std::cos(angle) - (k - 7) * std::sin(angle));
      }
      const double deviation = 0.5 * std::sqrt(std::exp(0.2 * path) / 100) / 0.2;
      noise.push_back(deviation * static_cast<double>(
                                      cz::random_normal({5}, static_cast<std::uint64_t>(view * bins + bin))));
    }
  }
  BOOST_TEST(
      farthest(values_at<cz::unit>(scan, dims, x0, 0.5f), dims, [&](index_t, index_t, index_t y, index_t x) {
        double sum = element(x0, dims, 0, 0, y, x);
        for (int view = 0; view < 5; ++view) {
          const double angle = pi * view / 5, s = (static_cast<double>(y) - 3.5) * std::sin(angle) +
                                                  (static_cast<double>(x) - 5) * std::cos(angle) + 7;
          double filtered[2] = {};
          for (int side = 0; side < 2; ++side) {
            const int bin = static_cast<int>(std::floor(s)) + side;
            for (int k = 0; k < bins; ++k) {
              const double off = pi * (k - bin), ramp = k == bin             ? 0.25
                                                        : (k - bin) % 2 == 0 ? 0
                                                                             : -1 / (off * off);
              filtered[side] += ramp * noise[static_cast<std::size_t>(view * bins + k)];
            }
          }
          const double u = s - std::floor(s);
          sum += pi / 5 * ((1 - u) * filtered[0] + u * filtered[1]);
        }
        return sum;
      }) < 2e-5);  // exp and the paths in float
  check_laws<cz::unit>(scan, {.random = true});
}

BOOST_AUTO_TEST_CASE(pictures_blend_into_others) {
  const cz::shape dims{40, 1, 5, 4}, others_dims{3, 1, 5, 4};
  const std::vector<float> x0 = uniform_images<cz::unit>(dims);
  std::vector<float> others;
  for (int k = 0; k < 3; ++k) others.insert(others.end(), 20, static_cast<float>(k) / 2);
  const cz::blend<cz::unit> blend(
      cz::image_batch<cz::unit, const float>(cz::tensor_view<const float>(others.data(), others_dims)));
  const std::vector<float> all = values_at<cz::unit>(blend, dims, x0, 1);
  std::vector<int> drawn(3);
  for (index_t n = 0; n < dims.n; ++n) {
    const double grey = element(all, dims, n, 0, 0, 0);
    BOOST_REQUIRE((grey == 0 || grey == 0.5 || grey == 1));
    ++drawn[static_cast<std::size_t>(2 * grey)];
  }
  BOOST_TEST(*std::min_element(drawn.begin(), drawn.end()) > 0);
  BOOST_TEST(farthest(values_at<cz::unit>(blend, dims, x0, 0.25f), dims,
                      [&](index_t n, index_t c, index_t y, index_t x) {
                        return 0.75 * element(x0, dims, n, c, y, x) + 0.25 * element(all, dims, n, c, y, x);
                      }) < rounding);
  BOOST_CHECK_EXCEPTION((values_at<cz::unit>(blend, {1, 1, 4, 5}, std::vector<float>(20), 1)), cz::error,
                        says("blend: the images are 1 x 1 x 4 x 5, the other pictures 3 x 1 x 5 x 4"));
  cpu one(1), two(2);
  const cz::shape law_dims{5, 2, 11, 9};
  const std::vector<float> random = uniform_images<cz::unit>(law_dims);
  const cz::blend<cz::unit> other(
      cz::image_batch<cz::unit, const float>(cz::tensor_view<const float>(random.data(), law_dims)));
  BOOST_CHECK_NO_THROW(cz::testing::degradation_laws<cz::unit>(other, {.random = true}, law_dims, one, two));
}

BOOST_AUTO_TEST_CASE(masks_hide_a_part) {
  const cz::shape dims{3, 2, 4, 5};
  const std::vector<float> x0 = uniform_images<cz::unit>(dims);
  std::vector<float> hidden;
  for (int i = 0; i < 40; ++i) hidden.push_back(static_cast<float>(i % 3) / 2);  // 0, a half, 1
  const cz::hidden_part mask(dims, hidden, 0.25f);
  for (const float level : {0.0f, 0.3f, 1.0f}) {
    BOOST_TEST(farthest(values_at<cz::unit>(mask, dims, x0, level), dims,
                        [&](index_t n, index_t c, index_t y, index_t x) {
                          const double share =
                              static_cast<double>(level) * element(hidden, dims.with_n(1), 0, c, y, x);
                          return (1 - share) * element(x0, dims, n, c, y, x) + share * 0.25;
                        }) < rounding);
  }
  cpu one(1), two(2);
  BOOST_CHECK_NO_THROW(cz::testing::degradation_laws<cz::unit>(mask, {}, dims, one, two));
  BOOST_CHECK_EXCEPTION(cz::hidden_part(dims, std::vector<float>(39)), cz::error,
                        says("hidden_part: found 39 values, wanted one for each element of 1 x 2 x 4 x 5"));
  BOOST_CHECK_EXCEPTION(cz::hidden_part(dims, std::vector<float>(40, 1.5f)), cz::error,
                        says("hidden_part: found a value outside [0, 1]"));
  BOOST_CHECK_EXCEPTION((values_at<cz::unit>(mask, {1, 1, 4, 5}, std::vector<float>(20), 1)), cz::error,
                        says("hidden_part: the images are 1 x 1 x 4 x 5, the mask 1 x 2 x 4 x 5"));
}

BOOST_AUTO_TEST_CASE(square_holes_grow_from_a_pixel_to_the_last) {
  const cz::shape dims{30, 2, 7, 9};
  const std::vector<float> x0 = uniform_images<cz::unit>(dims);
  const cz::square_hole hole{.fill = 2};
  const auto is_lost = [&](const std::vector<float>& images, index_t n, index_t y, index_t x) {
    BOOST_REQUIRE((element(images, dims, n, 0, y, x) == 2) == (element(images, dims, n, 1, y, x) == 2));
    return element(images, dims, n, 0, y, x) == 2;
  };
  index_t off_the_middle = 0;
  const std::vector<float> least = values_at<cz::unit>(hole, dims, x0, 1e-3f),
                           half = values_at<cz::unit>(hole, dims, x0, 0.5f),
                           all = values_at<cz::unit>(hole, dims, x0, 1);
  for (index_t n = 0; n < dims.n; ++n) {
    index_t row = -1, column = -1, lost = 0;
    for (index_t y = 0; y < dims.h; ++y) {
      for (index_t x = 0; x < dims.w; ++x) {
        BOOST_REQUIRE(is_lost(all, n, y, x));
        if (is_lost(least, n, y, x)) row = y, column = x, ++lost;
      }
    }
    BOOST_REQUIRE(lost == 1);
    off_the_middle += row != 3 || column != 4;
    const index_t farthest = std::max({row, 6 - row, column, 8 - column});
    for (index_t y = 0; y < dims.h; ++y) {
      for (index_t x = 0; x < dims.w; ++x) {
        const index_t off = std::max(std::abs(y - row), std::abs(x - column));
        BOOST_REQUIRE(is_lost(half, n, y, x) == (2 * off < farthest + 1));
      }
    }
  }
  BOOST_TEST(off_the_middle > 20);
  cpu one(1), two(2);
  BOOST_CHECK_NO_THROW(
      cz::testing::degradation_laws<cz::unit>(cz::square_hole{}, {.random = true}, {9, 2, 11, 9}, one, two));
}
