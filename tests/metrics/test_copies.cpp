#define BOOST_TEST_MODULE copies
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/metrics/copies.hpp>

#include "common/digits.hpp"
#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;
using backend = cz::cpu_backend<float>;
using images = cz::image_batch<cz::unit, const float>;
using cz::nearest_image;

namespace {

template <class Images>
concept searchable = requires(backend& b, Images x) {
  cz::nearest_images(b, x, x);
  cz::duplicate_share(b, x);
};
static_assert(searchable<images> && searchable<cz::image_batch<cz::unit, float>>);
static_assert(!searchable<cz::image_batch<cz::centred, const float>> &&
              !searchable<cz::tensor_view<const float>>);

struct pictures {
  cz::shape dims;
  std::vector<float> pixels;

  images view() const { return images(cz::tensor_view<const float>(pixels.data(), dims)); }
};

/// Multiples of 1/levels: with a power of two up to 64, squared distances are exact in float, ties included.
pictures random_pictures(cz::shape dims, std::uint64_t seed, index_t levels) {
  pictures p{dims, {}};
  for (index_t i = 0; i < dims.size(); ++i) {
    p.pixels.push_back(
        static_cast<float>(cz::random_below({seed}, static_cast<std::uint64_t>(i), levels + 1)) /
        static_cast<float>(levels));
  }
  return p;
}

double distance2(images x, index_t n, images y, index_t m) {
  double sum = 0;
  for (index_t c = 0; c < x.dims.c; ++c) {
    for (index_t i = 0; i < x.dims.h; ++i) {
      for (index_t j = 0; j < x.dims.w; ++j) {
        sum += std::pow(static_cast<double>(x(n, c, i, j)) - static_cast<double>(y(m, c, i, j)), 2);
      }
    }
  }
  return sum;
}

/// The first of the nearest, and that of the others where `self`.
std::pair<double, index_t> nearest_by_loop(images x, index_t n, images y, bool self = false) {
  std::pair<double, index_t> best{1e300, -1};
  for (index_t m = 0; m < y.dims.n; ++m) {
    if (!(self && m == n)) best = std::min(best, {distance2(x, n, y, m), m});
  }
  return {std::sqrt(best.first), best.second};
}

void check_against_loop(const pictures& x, const pictures& y) {
  backend b(2);
  const std::vector<nearest_image> found = cz::nearest_images(b, x.view(), y.view());
  BOOST_REQUIRE(static_cast<index_t>(found.size()) == x.dims.n);
  for (index_t n = 0; n < x.dims.n; ++n) {
    const auto [distance, index] = nearest_by_loop(x.view(), n, y.view());
    const nearest_image& ours = found[static_cast<std::size_t>(n)];
    BOOST_REQUIRE(ours.index == index);
    // The square is exact, its root is rounded once.
    BOOST_REQUIRE(std::abs(static_cast<double>(ours.distance) - distance) <= distance * 0x1p-23);
  }
}

bool equal(const std::vector<nearest_image>& a, const std::vector<nearest_image>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const nearest_image& x, const nearest_image& y) {
                      return x.distance == y.distance && x.index == y.index;
                    });
}

/// Digits of a split with pixels 0 to 1.
pictures unit_digits(const cz::labelled_images& split, index_t first, index_t count) {
  pictures p{split.dims.with_n(count), {}};
  for (index_t i = first * p.dims.image(); i < (first + count) * p.dims.image(); ++i)
    p.pixels.push_back(cz::from_byte<cz::unit>(split.pixels[static_cast<std::size_t>(i)]));
  return p;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_basis_is_orthonormal_and_finds_what_varies) {
  cz::reference_backend<float> b;
  // Rows vary along three fixed directions, by 9, 3 and 1, and by 1/100 along all others.
  cz::feature_set x(400, 60);
  std::uint64_t at = 0;
  for (index_t i = 0; i < x.n; ++i) {
    for (index_t l = 0; l < x.d; ++l) x.row(i)[l] = 5 + 0.01f * cz::random_normal({1}, at++);
    for (const auto& [l, size] : {std::pair{7, 9.0f}, {20, 3.0f}, {59, 1.0f}})
      x.row(i)[l] += size * cz::random_normal({2}, at++);
  }
  const std::vector<double> basis = cz::detail::principal_basis(b, x, 3);
  for (index_t i = 0; i < 3; ++i) {
    for (index_t j = 0; j < 3; ++j) {
      double product = 0;
      for (std::size_t l = 0; l < 60; ++l)
        product += basis[3 * l + static_cast<std::size_t>(i)] * basis[3 * l + static_cast<std::size_t>(j)];
      BOOST_TEST(std::abs(product - (i == j)) < 1e-14);
    }
  }
  // Sampling mixes a direction with those that vary as 1/100 by some 1/100 / sqrt(400).
  for (const std::size_t l : {7u, 20u, 59u}) {
    double inside = 0;
    for (std::size_t j = 0; j < 3; ++j) inside += std::pow(basis[3 * l + j], 2);
    BOOST_TEST(inside > 0.999);
  }
}

BOOST_AUTO_TEST_CASE(against_a_loop) {
  check_against_loop(random_pictures({40, 1, 9, 7}, 1, 64), random_pictures({300, 1, 9, 7}, 2, 64));
  check_against_loop(random_pictures({70, 3, 5, 4}, 3, 64), random_pictures({50, 3, 5, 4}, 4, 64));
  // More references than are read at a time, fewer pixels than directions, many ties.
  check_against_loop(random_pictures({20, 1, 2, 3}, 5, 4), random_pictures({9000, 1, 2, 3}, 6, 4));
  check_against_loop(random_pictures({3, 1, 1, 1}, 7, 64), random_pictures({1, 1, 1, 1}, 8, 64));
}

// Where the directions have least to go by: all images alike, or in a few directions alone.
BOOST_AUTO_TEST_CASE(images_of_low_rank) {
  const cz::shape dims{200, 1, 10, 10};
  pictures flat = random_pictures(dims, 9, 64), alike = flat;
  for (index_t i = 0; i < dims.size(); ++i)
    flat.pixels[static_cast<std::size_t>(i)] = flat.pixels[static_cast<std::size_t>(i - i % 100)];
  std::fill(alike.pixels.begin(), alike.pixels.end(), 0.5f);
  const pictures noise = random_pictures(dims, 10, 64);
  check_against_loop(noise, flat);
  check_against_loop(flat, flat);
  check_against_loop(noise, alike);
  check_against_loop(alike, noise);
}

BOOST_AUTO_TEST_CASE(digits_against_a_loop) {
  // Bytes / 255: distances are rounded, 784 terms; no two of these are as near as that.
  backend b(2);
  const pictures queries = unit_digits(embedded_digits().test, 0, 50),
                 train = unit_digits(embedded_digits().train, 0, 2000);
  const std::vector<nearest_image> found = cz::nearest_images(b, queries.view(), train.view());
  for (index_t n = 0; n < 50; ++n) {
    const auto [distance, index] = nearest_by_loop(queries.view(), n, train.view());
    const nearest_image& ours = found[static_cast<std::size_t>(n)];
    BOOST_REQUIRE(ours.index == index);
    BOOST_REQUIRE(std::abs(static_cast<double>(ours.distance) - distance) < distance * 784 * 0x1p-24);
  }
}

BOOST_AUTO_TEST_CASE(same_bits_for_views_data_sets_and_threads) {
  const pictures x = random_pictures({60, 2, 8, 8}, 11, 1000);
  const pictures y = random_pictures({5000, 2, 8, 8}, 12, 1000);
  cz::reference_backend<float> plain;
  const std::vector<nearest_image> wanted = cz::nearest_images(plain, x.view(), y.view());
  for (const int threads : {1, 2, 5}) {
    backend b(threads);
    BOOST_TEST(equal(cz::nearest_images(b, x.view(), y.view()), wanted));
    const cz::dataset<backend, cz::unit, float> set(b, y.dims, y.pixels.data());
    BOOST_TEST(equal(cz::nearest_images(b, x.view(), set), wanted));
  }
  // The first 4 columns of each channel by strides, and copied.
  pictures left{{60, 2, 8, 4}, {}};
  for (std::size_t i = 0; i < x.pixels.size(); i += 8)
    left.pixels.insert(left.pixels.end(), x.pixels.begin() + static_cast<std::ptrdiff_t>(i),
                       x.pixels.begin() + static_cast<std::ptrdiff_t>(i) + 4);
  const images strided(cz::tensor_view<const float>(x.pixels.data(), left.dims, 128, 64, 8, 1));
  BOOST_TEST(equal(cz::nearest_images(plain, strided, left.view()),
                   cz::nearest_images(plain, left.view(), strided)));
  BOOST_TEST(cz::nearest_images(plain, strided, left.view())[41].distance == 0);
  BOOST_TEST(cz::nearest_images(plain, strided, left.view())[41].index == 41);
}

BOOST_AUTO_TEST_CASE(share_of_copies) {
  std::vector<nearest_image> held_out, samples;
  for (int i = 200; i > 0; --i) held_out.push_back({static_cast<float>(i), 0});
  for (const float d : {0.0f, 2.0f, 3.0f, 4.0f, 100.0f}) samples.push_back({d, 0});
  const cz::copy_result found = cz::copy_share(samples, held_out);
  BOOST_TEST(found.threshold == 3);  // 2 of 200 lie below
  BOOST_TEST(found.share == 0.4);
  BOOST_TEST(found.samples_median == 3);
  BOOST_TEST(found.held_out_median == 101);
  BOOST_TEST(cz::copy_share(held_out, held_out).share == 0.01);
  BOOST_CHECK_EXCEPTION(cz::copy_share({}, held_out), cz::error,
                        says("there are 0 samples and 200 held-out"));
}

BOOST_AUTO_TEST_CASE(training_images_are_copies_and_new_digits_are_none) {
  backend b(2);
  const cz::labelled_images& train = embedded_digits().train;
  const cz::dataset<backend, cz::unit> set(b, train.dims.with_n(3000), train.pixels.data());
  const std::vector<nearest_image> held_out =
      cz::nearest_images(b, unit_digits(embedded_digits().test, 0, 1000).view(), set);
  pictures copies = unit_digits(train, 100, 200);
  BOOST_TEST(cz::copy_share(cz::nearest_images(b, copies.view(), set), held_out).share == 1);
  // Off by up to 0.02 a pixel, too little to see: at most 0.02 * 28 = 0.56 in all.
  for (std::size_t i = 0; i < copies.pixels.size(); ++i)
    copies.pixels[i] = std::min(1.0f, copies.pixels[i] + 0.02f * cz::random_uniform({1}, i));
  const cz::copy_result near = cz::copy_share(cz::nearest_images(b, copies.view(), set), held_out);
  BOOST_TEST_MESSAGE("threshold " << near.threshold << ", medians " << near.samples_median << ", "
                                  << near.held_out_median);
  BOOST_TEST(near.share == 1);
  const pictures others = unit_digits(train, 5000, 1000);
  const double share = cz::copy_share(cz::nearest_images(b, others.view(), set), held_out).share;
  BOOST_TEST(share < 0.03);  // 0.01 expected, standard deviation 0.0045 of the two thousand images
}

BOOST_AUTO_TEST_CASE(share_of_duplicates) {
  backend b(2);
  const pictures digits = unit_digits(embedded_digits().test, 0, 2000);
  BOOST_TEST(cz::duplicate_share(b, digits.view()) == 0);
  // 25 images ten times; 500 images of which 3 come twice, one of these with noise of 0.01.
  pictures repeated = unit_digits(embedded_digits().test, 0, 250);
  for (std::size_t i = 0; i < repeated.pixels.size(); ++i)
    repeated.pixels[i] = repeated.pixels[i % (25 * 784)];
  BOOST_TEST(cz::duplicate_share(b, repeated.view()) == 1);
  pictures few = unit_digits(embedded_digits().test, 0, 500);
  for (const std::size_t twin : {10u, 100u, 499u})
    std::copy_n(few.pixels.begin() + 3 * static_cast<std::ptrdiff_t>(twin) / 4 * 784, 784,
                few.pixels.begin() + static_cast<std::ptrdiff_t>(twin) * 784);
  for (std::size_t i = 499 * 784; i < few.pixels.size(); ++i) few.pixels[i] = std::abs(few.pixels[i] - 0.01f);
  BOOST_TEST(cz::duplicate_share(b, few.view()) == 6.0 / 500);
  BOOST_TEST(cz::duplicate_share(b, few.view(), 0.005f) == 4.0 / 500);

  const pictures coarse = random_pictures({300, 1, 2, 3}, 13, 4);
  for (const float tolerance : {0.11f, 0.15f, 0.2f}) {
    int twins = 0;
    for (index_t n = 0; n < 300; ++n)
      twins += nearest_by_loop(coarse.view(), n, coarse.view(), true).first <
               static_cast<double>(tolerance) * std::sqrt(6.0);
    BOOST_TEST(cz::duplicate_share(b, coarse.view(), tolerance) == twins / 300.0);
    BOOST_TEST(twins > 0);
  }
  BOOST_TEST(cz::duplicate_share(b, digits.view().images(0, 1)) == 0);
}

// Twins in one part of 4096 and in two.
BOOST_AUTO_TEST_CASE(duplicates_among_more_than_are_read_at_a_time) {
  backend b(2);
  pictures x = random_pictures({9000, 1, 3, 4}, 13, 1000);
  for (const auto& [from, to] : {std::pair{10, 11}, {20, 8999}, {4095, 4096}, {4096, 8192}})
    std::copy_n(x.pixels.begin() + 12 * from, 12, x.pixels.begin() + 12 * to);
  // 12 random pixels come nearer than 0.001 to others of 9,000 with a chance below 1e-20.
  BOOST_TEST(cz::duplicate_share(b, x.view(), 0.001f) == 7.0 / 9000);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_compared) {
  backend b(1);
  pictures x = random_pictures({4, 1, 3, 3}, 1, 64);
  const pictures wide = random_pictures({4, 1, 3, 4}, 1, 64);
  BOOST_CHECK_EXCEPTION(cz::nearest_images(b, x.view(), wide.view()), cz::error,
                        says("the images are 4 x 1 x 3 x 3, the reference 4 x 1 x 3 x 4"));
  BOOST_CHECK_EXCEPTION(cz::nearest_images(b, x.view(), x.view().images(0, 0)), cz::error,
                        says("must not be 0"));
  const pictures fine = x;
  x.pixels[13] = -0.5f;
  BOOST_CHECK_EXCEPTION(cz::nearest_images(b, x.view(), fine.view()), cz::error,
                        says("nearest_images: the pixel at image 1, channel 0, row 1, column 1 is -0.5"));
  BOOST_CHECK_EXCEPTION(cz::nearest_images(b, fine.view(), x.view()), cz::error, says("is -0.5"));
  BOOST_CHECK_EXCEPTION(cz::duplicate_share(b, x.view()), cz::error, says("duplicate_share: the pixel"));
  const pictures none{{0, 1, 2, 2}, {}};
  BOOST_CHECK_EXCEPTION(cz::duplicate_share(b, none.view()), cz::error, says("there are no samples"));
}
