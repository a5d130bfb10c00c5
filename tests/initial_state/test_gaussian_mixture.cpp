#define BOOST_TEST_MODULE gaussian_mixture
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/initial_state/fit_mixture.hpp>
#include <coldzoom/metrics/energy_distance.hpp>
#include <coldzoom/testing/initial_state_laws.hpp>

#include "common/eigensolver.hpp"
#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

/// Images of two channels, 3 x 4, by three numbers each: two clouds of label 0 and one bent cloud of label 1. Pixel 0
/// never changes, and some values are cut off at the end of the range.
struct clouds {
  host_images images{{3000, 2, 3, 4}};
  std::vector<std::uint8_t> labels;

  explicit clouds(std::uint64_t seed) {
    for (index_t n = 0; n < images.dims.n; ++n) {
      const cz::sample_key key = cz::key_sequence{seed, cz::stream::user, 0}[n];
      const bool bent = n % 3 == 0;
      labels.push_back(bent);
      float v[3];
      for (std::uint64_t j = 0; j < 3; ++j) v[j] = 0.05f * cz::random_normal(key, j);
      if (bent) {
        v[1] += 30 * v[0] * v[0];
      } else {
        v[2] += cz::random_uniform(key, 40) < 0.5f ? 0.25f : -0.25f;
      }
      for (index_t e = 1; e < 24; ++e) {
        const auto at = static_cast<float>(e);
        const float value = v[0] * std::sin(at) + v[1] * std::cos(2 * at) + v[2] * std::sin(3 * at + 1);
        images.pixels[static_cast<std::size_t>(n * 24 + e)] = std::clamp(value, -0.5f, 0.5f);
      }
    }
  }
  /// Those of a label, as rows.
  cz::feature_set rows(int label) const {
    cz::feature_set x(std::count(labels.begin(), labels.end(), label), 24);
    index_t row = 0;
    for (std::size_t n = 0; n < labels.size(); ++n) {
      if (labels[n] == label)
        std::copy_n(images.pixels.begin() + static_cast<index_t>(n) * 24, 24, x.row(row++));
    }
    return x;
  }
};

cz::feature_set drawn_rows(backend& b, const cz::mixture_numbers& numbers, std::int32_t label,
                           index_t count) {
  host_images out({count, 2, 3, 4});
  const cz::gaussian_mixture<cz::centred, backend> state(b, out.dims, numbers);
  state.draw(b, {5, cz::stream::initial_state, 0},
             std::vector<std::int32_t>(static_cast<std::size_t>(count), label), out.view());
  cz::feature_set x(count, 24);
  x.values = out.pixels;
  return x;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_fitted_law_cannot_be_told_from_the_data) {
  backend b(2);
  const clouds train(1), held_out(2);
  const auto fitted = [&](index_t components) {
    return cz::fit_mixture<cz::centred>(train.images.view(), train.labels, {.components = components});
  };
  const cz::mixture_numbers numbers = fitted(8);
  BOOST_TEST(numbers.labels.back() == 1);
  BOOST_TEST(numbers.rank >= 3);
  for (const int label : {0, 1}) {
    const cz::feature_set real = held_out.rows(label);
    const auto compare = [&](const cz::mixture_numbers& m) {
      return cz::energy_distance(b, drawn_rows(b, m, label, 800),
                                 cz::feature_view{real.values.data(), 800, 24});
    };
    BOOST_TEST(compare(numbers).p_value > 0.01);
    // One component has neither two clouds nor a bend.
    BOOST_TEST(compare(fitted(1)).p_value < 0.01);
  }
}

BOOST_AUTO_TEST_CASE(laws) {
  backend b(1), other(3);
  const cz::mixture_numbers numbers =
      cz::fit_mixture<cz::centred>(clouds(1).images.view(), clouds(1).labels, {});
  const cz::gaussian_mixture<cz::centred, backend> state(b, {1, 2, 3, 4}, numbers);
  cz::testing::initial_state_laws(state, {}, {5, 2, 3, 4}, b, other);
  // The label of a sample is that of its component, whether it was asked for or not.
  const cz::key_sequence keys{5, cz::stream::initial_state, 0};
  index_t ones = 0;
  for (index_t n = 0; n < 3000; ++n) {
    for (const std::int32_t label : {0, 1})
      BOOST_REQUIRE(state.label_of(state.component(keys[n], label)) == label);
    ones += state.label_of(state.component(keys[n]));
  }
  BOOST_TEST(std::abs(static_cast<double>(ones) / 3000 - 1 / 3.0) < 0.05);
  BOOST_TEST(message_of([&] { state.component(keys[0], 2); }) ==
             "gaussian_mixture: no component has label 2");
}

BOOST_AUTO_TEST_CASE(images_that_are_all_alike) {
  backend b(1);
  host_images same({10, 1, 2, 2}), out({3, 1, 2, 2});
  std::fill(same.pixels.begin(), same.pixels.end(), 0.25f);
  const cz::mixture_numbers numbers = cz::fit_mixture<cz::centred>(same.view(), {});
  BOOST_TEST(numbers.rank == 0);
  cz::gaussian_mixture<cz::centred, backend>(b, out.dims, numbers)
      .draw(b, {1, cz::stream::user, 0}, out.view());
  for (const float pixel : out.pixels) BOOST_TEST(pixel == 0.25f);
}

BOOST_AUTO_TEST_CASE(bad_input) {
  const host_images images = random_images({4, 1, 2, 2}, 1);
  const auto fit = [&](const host_images& of, const std::vector<std::uint8_t>& labels,
                       cz::mixture_options options) {
    return message_of([&] { cz::fit_mixture<cz::centred>(of.view(), labels, options); });
  };
  BOOST_TEST(fit(images, {1, 2}, {}) == "fit_mixture: found 2 labels for 4 images");
  BOOST_TEST(fit(random_images({1, 1, 2, 2}, 1), {}, {}) ==
             "fit_mixture: found images of 1 x 1 x 2 x 2, wanted two at least");
  BOOST_TEST(fit(images, {}, {.rank = 65}).find("a rank of 1 to 64") != std::string::npos);
  backend b(1);
  cz::mixture_numbers numbers = cz::fit_mixture<cz::centred>(images.view(), {});
  numbers.mean.pop_back();
  const std::string message = message_of([&] {
    cz::gaussian_mixture<cz::centred, backend>(b, {1, 1, 2, 2}, numbers);
  });
  BOOST_TEST(message.find("gaussian_mixture: mean has ") == 0);
}
