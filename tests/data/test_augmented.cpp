#define BOOST_TEST_MODULE augmented
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/data/augmented.hpp>
#include <coldzoom/data/random_crop.hpp>
#include <coldzoom/data/random_flip.hpp>
#include <coldzoom/data/random_shift.hpp>
#include <utility>
#include <vector>

#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::key_sequence keys{5, cz::stream::augmentation, 100};

template <class Policy>
host_images changed(const Policy& policy, const host_images& images, cz::key_sequence by = keys,
                    int threads = 2) {
  backend b(threads);
  host_images out(images.dims);
  policy(b, images.view(), by, out.view());
  return out;
}

/// The policy gives image 4 of 9 the same bits alone, under its own key, and on any number of threads.
template <class Policy> void depends_on_the_key_alone(const Policy& policy) {
  const host_images images = random_images({9, 2, 7, 8}, 2), out = changed(policy, images);
  BOOST_TEST((changed(policy, images, keys, 1) == out));
  BOOST_TEST(!(out == images));
  host_images one({1, 2, 7, 8}), expected({1, 2, 7, 8});
  for (index_t c = 0; c < 2; ++c) {
    for (index_t y = 0; y < 7; ++y) {
      for (index_t x = 0; x < 8; ++x) {
        one.view()(0, c, y, x) = images.view()(4, c, y, x);
        expected.view()(0, c, y, x) = out.view()(4, c, y, x);
      }
    }
  }
  BOOST_TEST((changed(policy, one, keys.from(4)) == expected));
}

/// A linear interpolation in double, from the definition.
double at(const cz::image_view<const float>& image, index_t c, double y, double x) {
  const auto clamp = [](double v, index_t n) {
    return std::min(std::max(v, 0.0), static_cast<double>(n - 1));
  };
  y = clamp(y, image.h);
  x = clamp(x, image.w);
  double sum = 0;
  for (index_t i = 0; i < image.h; ++i) {
    for (index_t k = 0; k < image.w; ++k) {
      const double weight = std::max(0.0, 1 - std::abs(y - static_cast<double>(i))) *
                            std::max(0.0, 1 - std::abs(x - static_cast<double>(k)));
      sum += weight * image(c, i, k);
    }
  }
  return sum;
}

}  // namespace

BOOST_AUTO_TEST_CASE(half_of_the_images_are_mirrored) {
  constexpr index_t n = 4000;
  const host_images images = random_images({n, 2, 3, 5}, 1), out = changed(cz::random_flip{}, images);
  index_t flipped = 0;
  for (index_t i = 0; i < n; ++i) {
    bool same = true, mirrored = true;
    for (index_t c = 0; c < 2; ++c) {
      for (index_t y = 0; y < 3; ++y) {
        for (index_t x = 0; x < 5; ++x) {
          same &= out.view()(i, c, y, x) == images.view()(i, c, y, x);
          mirrored &= out.view()(i, c, y, x) == images.view()(i, c, y, 4 - x);
        }
      }
    }
    BOOST_REQUIRE(same != mirrored);
    flipped += mirrored ? 1 : 0;
  }
  BOOST_TEST(std::abs(static_cast<double>(flipped) - n / 2.0) < 4 * std::sqrt(n / 4.0));
  depends_on_the_key_alone(cz::random_flip{0.5});
  BOOST_TEST((changed(cz::random_flip{0}, images) == images));
}

BOOST_AUTO_TEST_CASE(crops_are_interpolated_parts_within_the_image) {
  const host_images images = random_images({50, 2, 9, 6}, 3), out = changed(cz::random_crop{0.4}, images);
  for (index_t i = 0; i < 50; ++i) {
    const double share = 0.4 + 0.6 * cz::random_uniform(keys[i], 4);
    const double top = cz::random_uniform(keys[i], 5) * 9 * (1 - share),
                 left = cz::random_uniform(keys[i], 6) * 6 * (1 - share);
    for (index_t c = 0; c < 2; ++c) {
      for (index_t y = 0; y < 9; ++y) {
        for (index_t x = 0; x < 6; ++x) {
          const double expected =
              at(images.view().image(i), c, top + (static_cast<double>(y) + 0.5) * share - 0.5,
                 left + (static_cast<double>(x) + 0.5) * share - 0.5);
          // Places are up to 9, exact to 2^-20 in float; the images change by at most 1 from pixel to pixel.
          BOOST_REQUIRE(std::abs(out.view()(i, c, y, x) - expected) < 1e-5);
        }
      }
    }
  }
  depends_on_the_key_alone(cz::random_crop{0.5});
  BOOST_TEST((changed(cz::random_crop{1}, images) == images));
}

BOOST_AUTO_TEST_CASE(a_data_set_is_changed_for_training_alone) {
  backend b(2);
  const cz::shape dims{6, 1, 4, 4};
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 96; ++i) pixels.push_back(static_cast<std::uint8_t>(2 * i));
  cz::dataset<backend, cz::centred> plain(b, dims, pixels.data());
  plain.set_labels(b, std::vector<int>{0, 1, 2, 0, 1, 2});
  const auto images = cz::augment(b, plain, cz::random_flip{0.5}, cz::random_crop{1}, cz::random_shift{1});
  static_assert(cz::AugmentedDataset<decltype(images), backend>);
  static_assert(!cz::AugmentedDataset<decltype(plain), backend>);
  BOOST_TEST(images.size() == 6);
  BOOST_TEST(images.classes() == 3);
  BOOST_TEST(!images.streams());
  const std::vector<std::int32_t> order{5, 0, 3};
  const cz::vector_view<const std::int32_t> some{order.data(), 3};
  host_images before({3, 1, 4, 4}), unchanged(before.dims), flipped(before.dims), expected(before.dims),
      found(before.dims);
  plain.gather(b, some, before.view());
  cz::gather_images(b, images, some, nullptr, unchanged.view());
  BOOST_TEST((unchanged == before));
  cz::random_flip{0.5}(b, std::as_const(before).view(), keys, flipped.view());
  cz::random_shift{1}(b, std::as_const(flipped).view(), keys, expected.view());
  const cz::key_sequence place{keys.seed, cz::stream::label_dropout, keys.first};
  cz::gather_images(b, images, some, &place, found.view());
  BOOST_TEST((found == expected));
  BOOST_TEST(!(found == before));

  plain.set_conditions(b, dims, std::vector<float>(96).data());
  BOOST_TEST(message_of([&] { cz::augment(b, plain, cz::random_flip{}); }) ==
             "augmented: found images with conditions, which would not move with the images; wanted none");
  BOOST_TEST(message_of([&] { cz::random_flip{1.5}(b, std::as_const(before).view(), keys, found.view()); }) ==
             "random_flip: the probability is 1.500000; it must be 0 to 1");
  BOOST_TEST(message_of([&] { cz::random_crop{0}(b, std::as_const(before).view(), keys, found.view()); }) ==
             "random_crop: the smallest share is 0.000000; it must be above 0, at most 1");
}
