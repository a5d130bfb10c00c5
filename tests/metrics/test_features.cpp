#define BOOST_TEST_MODULE features
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/metrics/class_scores.hpp>
#include <coldzoom/metrics/features.hpp>
#include <limits>

#include "common/errors.hpp"
#include "common/random_features.hpp"

namespace cz = coldzoom;
using cz::index_t;
using backend = cz::cpu_backend<float>;
using images = cz::image_batch<cz::unit, const float>;
using cz::class_probabilities, cz::feature_set;

namespace {

/// The first two pixels and the number of images that came along.
struct two_pixels {
  index_t most = 0;
  index_t size() const { return 2; }
  template <class B> void operator()(B&, images x, cz::tensor_view<float> out) {
    most = std::max(most, x.dims.n);
    for (index_t n = 0; n < x.dims.n; ++n) {
      for (index_t i = 0; i < 2; ++i) out(n, i, 0, 0) = x(n, 0, 0, i);
    }
  }
};
static_assert(cz::FeatureExtractor<two_pixels, backend>);

struct no_size {
  template <class B> void operator()(B&, images, cz::tensor_view<float>) {}
};
struct int_size : no_size {
  int size() const { return 2; }
};
struct wants_centred {
  index_t size() const { return 2; }
  template <class B> void operator()(B&, cz::image_batch<cz::centred, const float>, cz::tensor_view<float>) {}
};
static_assert(!cz::FeatureExtractor<no_size, backend> && !cz::FeatureExtractor<int_size, backend>);
static_assert(!cz::FeatureExtractor<wants_centred, backend> && !cz::FeatureExtractor<two_pixels, int>);
static_assert(cz::HostBackend<backend> && cz::HostBackend<cz::reference_backend<double>>);

struct elsewhere : cz::reference_backend<float> {
  struct space {};
};
static_assert(cz::Backend<elsewhere> && !cz::HostBackend<elsewhere>);

std::vector<float> ramp(index_t count) {  // multiples of 1/1024 in [0, 1)
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 37 % 1024) / 1024;
  return values;
}

}  // namespace

BOOST_AUTO_TEST_CASE(extracts_in_batches_from_views_and_data_sets) {
  backend b(2);
  const cz::shape dims{600, 1, 2, 3};
  const std::vector<float> pixels = ramp(dims.size());
  const images all(cz::tensor_view<const float>(pixels.data(), dims));
  two_pixels extractor;
  const feature_set x = cz::extract_features(b, extractor, all);
  BOOST_TEST(x.n == 600);
  BOOST_TEST(x.d == 2);
  BOOST_TEST(extractor.most == 256);
  for (index_t n = 0; n < 600; ++n) {
    BOOST_REQUIRE(x.row(n)[0] == all(n, 0, 0, 0));
    BOOST_REQUIRE(x.row(n)[1] == all(n, 0, 0, 1));
  }
  const cz::dataset<backend, cz::unit, float> set(b, dims, pixels.data());
  BOOST_TEST((cz::extract_features(b, two_pixels{}, set).values == x.values));
  const cz::image_batch<cz::unit, float> writable(
      cz::tensor_view<float>(const_cast<float*>(pixels.data()), dims));
  BOOST_TEST((cz::extract_features(b, two_pixels{}, writable).values == x.values));

  const images strided(cz::tensor_view<const float>(pixels.data() + 1, {300, 1, 2, 2}, 12, 6, 3, 1));
  const feature_set every_second = cz::extract_features(b, two_pixels{}, strided);
  for (index_t n = 0; n < 300; ++n)
    BOOST_REQUIRE(every_second.row(n)[0] == pixels[static_cast<std::size_t>(12 * n + 1)]);
}

BOOST_AUTO_TEST_CASE(no_images_and_no_numbers_are_refused) {
  backend b(1);
  const images none(cz::tensor_view<const float>(nullptr, {0, 1, 2, 3}));
  BOOST_CHECK_EXCEPTION(cz::extract_features(b, two_pixels{}, none), cz::error, says("there are 0 images"));
  const std::vector<float> bad{0, 1, 2, 3, std::numeric_limits<float>::quiet_NaN(), 5};
  const images broken(cz::tensor_view<const float>(bad.data(), {3, 1, 1, 2}));
  BOOST_CHECK_EXCEPTION(cz::extract_features(b, two_pixels{}, broken), cz::error,
                        says("value 0 of row 2 of the images is nan; it must be finite"));
}

BOOST_AUTO_TEST_CASE(ranges_are_checked_where_no_type_can) {
  std::vector<float> pixels(24, 0.5f);
  const cz::tensor_view<float> view(pixels.data(), {2, 1, 3, 4});
  const auto check = [&](float value) {
    pixels[17] = value;  // image 1, row 1, column 1
    cz::require_range("a.npy", cz::image_batch<cz::unit, float>(view));
  };
  for (const float inside : {0.0f, 1.0f, -1e-6f, 1 + 0x1p-20f}) BOOST_CHECK_NO_THROW(check(inside));
  BOOST_CHECK_EXCEPTION(check(-0.5f), cz::error,
                        says("a.npy: the pixel at image 1, channel 0, row 1, column 1 is -0.5"));
  BOOST_CHECK_EXCEPTION(check(1.00001f), cz::error, says("lie from 0.000000 to 1.000000"));
  BOOST_CHECK_EXCEPTION(check(std::numeric_limits<float>::quiet_NaN()), cz::error, says("is nan"));
  BOOST_CHECK_EXCEPTION(check(255), cz::error, says("range unit"));
  pixels[17] = -0.5f;
  BOOST_CHECK_NO_THROW(cz::require_range("", cz::image_batch<cz::centred, float>(view)));
}

BOOST_AUTO_TEST_CASE(softmax_rows) {
  const feature_set p = cz::softmax(rows_of({{0, 0, 0, 0}, {1000, 999, -1000, 0}, {1, 2, 3, 4}}));
  BOOST_TEST(p.row(0)[3] == 0.25f);
  const double e = std::exp(-1.0);  // the others underflow to 0
  BOOST_TEST(p.row(1)[0] == static_cast<float>(1 / (1 + e)));
  BOOST_TEST(p.row(1)[2] == 0.0f);
  const double total = std::exp(1.0) + std::exp(2.0) + std::exp(3.0) + std::exp(4.0);
  for (index_t c = 0; c < 4; ++c) {
    const double wanted = std::exp(static_cast<double>(c + 1)) / total;
    BOOST_TEST(std::abs(static_cast<double>(p.row(2)[c]) - wanted) <= wanted * 0x1p-23);
  }
  BOOST_CHECK_NO_THROW(class_probabilities{p});
}

BOOST_AUTO_TEST_CASE(what_is_no_probability_is_refused) {
  const auto check = [](const feature_set& x) { class_probabilities{x}; };
  BOOST_CHECK_EXCEPTION(check(rows_of({{0.5f, 0.5f}, {0.5f, 0.6f}})), cz::error, says("row 1 sums to 1.1"));
  BOOST_CHECK_EXCEPTION(check(rows_of({{1.5f, -0.5f}})), cz::error, says("class 1 of row 0 has -0.5"));
  BOOST_CHECK_EXCEPTION(check(rows_of({{std::numeric_limits<float>::infinity(), 0}})), cz::error,
                        says("must be finite"));
  BOOST_CHECK_EXCEPTION(check(feature_set(0, 3)), cz::error, says("there are 0 rows"));
}

BOOST_AUTO_TEST_CASE(scores_of_classes_in_closed_form) {
  // Certain and even: the number of classes. Everything the same: 1. Two of three classes at 3 : 1.
  const feature_set even = rows_of({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}});
  const feature_set flat = rows_of({{0.25f, 0.5f, 0.25f}, {0.25f, 0.5f, 0.25f}});
  const feature_set uneven = rows_of({{1, 0, 0}, {1, 0, 0}, {1, 0, 0}, {0, 1, 0}});
  // A dozen operations on numbers of order 1 in double.
  BOOST_TEST(std::abs(cz::classifier_score(class_probabilities(even)) - 3) < 1e-14);
  BOOST_TEST(std::abs(cz::classifier_score(class_probabilities(flat)) - 1) < 1e-14);
  const double entropy = -(0.75 * std::log(0.75) + 0.25 * std::log(0.25));
  BOOST_TEST(std::abs(cz::classifier_score(class_probabilities(uneven)) - std::exp(entropy)) < 1e-14);

  const std::vector<double> p = cz::class_histogram(class_probabilities(uneven));
  BOOST_TEST(p == (std::vector<double>{0.75, 0.25, 0}));
  const std::vector<double> q = cz::class_histogram(class_probabilities(even));
  BOOST_TEST(std::abs(cz::class_divergence(p, q) - (0.75 * std::log(2.25) + 0.25 * std::log(0.75))) < 1e-15);
  BOOST_TEST(std::abs(cz::class_variation(p, q) - (0.75 - 1 / 3.0)) < 1e-15);
  BOOST_TEST(cz::class_divergence(p, p) == 0);
  BOOST_TEST(cz::class_variation(q, q) == 0);
}

BOOST_AUTO_TEST_CASE(confidence) {
  const feature_set x = rows_of({{0.9f, 0.1f}, {0.05f, 0.95f}, {0.5f, 0.5f}, {0.2f, 0.8f}});
  const class_probabilities p(x);
  BOOST_TEST(p.predicted(1) == 1);
  BOOST_TEST(p.predicted(2) == 0);  // the first of equals
  BOOST_TEST(cz::unconfident_share(p) == 0.5);
  BOOST_TEST(cz::unconfident_share(p, 0.6f) == 0.25);
  // The rows show 0, 1, 0 and 1.
  BOOST_TEST(cz::asked_class_share(p, {0}) == 0.5);
  BOOST_TEST(cz::asked_class_share(p, {0, 1}) == 1);
  BOOST_TEST(cz::asked_class_share(p, {0, 0, 0, 1}) == 0.75);
  BOOST_CHECK_EXCEPTION(cz::asked_class_share(p, {2}), cz::error, says("the classifier knows 0 to 1"));
  BOOST_CHECK_EXCEPTION(cz::asked_class_share(p, {}), cz::error, says("no class was asked for"));
}

BOOST_AUTO_TEST_CASE(histograms_that_cannot_be_compared) {
  BOOST_CHECK_EXCEPTION(cz::class_divergence({0.5, 0.5}, {1, 0}), cz::error, says("class 1 occurs"));
  BOOST_CHECK_EXCEPTION(cz::class_divergence({0.5, 0.5}, {1}), cz::error, says("2 and 1 classes"));
  BOOST_CHECK_EXCEPTION(cz::class_variation({0.5, 0.4}, {1, 0}), cz::error, says("sum to 0.9"));
  BOOST_CHECK_EXCEPTION(cz::class_variation({1.5, -0.5}, {1, 0}), cz::error, says("-0.5"));
}
