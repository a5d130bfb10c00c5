#define BOOST_TEST_MODULE classifier
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "common/classifier.hpp"
#include "common/digits.hpp"
#include "common/errors.hpp"
#include "common/safetensors.hpp"
#include "common/temporary_folder.hpp"

namespace cz = coldzoom;
using cz::index_t;
using programs::digit_classifier, programs::host_backend;

namespace {

constexpr cz::shape image{1, 1, 28, 28};

programs::classifier_model embedded() {
  return programs::load_classifier(COLDZOOM_EXAMPLES_DATA "/mnist_classifier.safetensors");
}

/// The embedded test digits in [0, 1].
std::vector<float> test_pixels() {
  std::vector<float> pixels;
  for (const std::uint8_t byte : embedded_digits().test.pixels)
    pixels.push_back(cz::from_byte<cz::unit>(byte));
  return pixels;
}
cz::image_batch<cz::unit, const float> view(const std::vector<float>& pixels) {
  const auto n = static_cast<index_t>(pixels.size()) / image.image();
  return cz::image_batch<cz::unit, const float>(cz::tensor_view<const float>(pixels.data(), image.with_n(n)));
}
std::vector<float> features_of(const programs::classifier_model& model,
                               cz::image_batch<cz::unit, const float> images, int threads = 2) {
  host_backend b(threads);
  programs::machine m(b, b);
  const auto predict = programs::run(m, model);
  std::vector<float> out(static_cast<std::size_t>(images.dims.n * predict->size()));
  (*predict)(b, images, cz::tensor_view<float>(out.data(), {images.dims.n, predict->size(), 1, 1}));
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(embedded_weights_know_the_digits) {
  const programs::classifier_model model = embedded();
  // The file says what it was measured at, on the 10,000 test digits.
  BOOST_TEST(model.test_accuracy >= 0.993);
  BOOST_TEST(model.train_images == 60000);
  host_backend b;
  programs::machine m(b, b);
  const auto predict = programs::run(m, model);
  const std::vector<float> pixels = test_pixels();
  const std::vector<std::uint8_t>& labels = embedded_digits().test.labels;
  const auto n = static_cast<index_t>(labels.size());
  const std::vector<float> logits = predict->logits(features_of(model, view(pixels)).data(), n);
  index_t wrong = 0;
  for (index_t i = 0; i < n; ++i) {
    const auto row = logits.begin() + i * 10;
    wrong += std::max_element(row, row + 10) - row != labels[static_cast<std::size_t>(i)];
  }
  BOOST_TEST_MESSAGE(wrong << " of " << n << " are wrong");
  // At 99.3 % accuracy 14 are expected; six standard deviations more, and it is another classifier.
  BOOST_TEST(wrong <= 14 + 6 * 3.8);
}

BOOST_AUTO_TEST_CASE(features_and_logits_are_the_network_itself) {
  const programs::classifier_model model = embedded();
  const std::vector<float> pixels = test_pixels();
  const auto images = view(pixels).images(0, 70);
  host_backend b(1);
  cz::predictor<host_backend, digit_classifier> whole(b, model.network, image, model.parameters);
  std::vector<float> wanted(700);
  whole(images, cz::side_inputs<host_backend>{}, cz::tensor_view<float>(wanted.data(), {70, 10, 1, 1}));
  programs::machine m(b, b);
  const auto predict = programs::run(m, model);
  const std::vector<float> features = features_of(model, images);
  BOOST_TEST(predict->logits(features.data(), 70) == wanted);
  BOOST_TEST(features_of(model, images, 1) == features);
  // One image alone has the bits that it has among others.
  const std::vector<float> one = features_of(model, images.images(41, 1));
  BOOST_TEST(std::equal(one.begin(), one.end(), features.begin() + 41 * 128));
}

BOOST_AUTO_TEST_CASE(a_file_brings_back_the_classifier) {
  const temporary_folder folder;
  const digit_classifier network({1, 3, 8, 12});
  programs::classifier_model model{network, cz::initial_parameters(network, 1), "somewhere", 77, 0.25};
  programs::save_classifier(folder / "c.safetensors", model);
  const programs::classifier_model again = programs::load_classifier(folder / "c.safetensors");
  BOOST_TEST((again.network.image() == cz::shape{1, 3, 8, 12}));
  BOOST_TEST(again.parameters == model.parameters);
  BOOST_TEST(again.data == "somewhere");
  BOOST_TEST(again.train_images == 77);
  BOOST_TEST(again.test_accuracy == 0.25);
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  BOOST_TEST(message_of([] {
               digit_classifier({1, 1, 30, 28});
             }) == "max_pool: the input 1 x 64 x 15 x 14 does not divide into windows of 2 x 2");
  const temporary_folder folder;
  cz::safetensors_file other;
  other.add("x", {1}, std::vector<float>{1});
  cz::save_safetensors(folder / "x.safetensors", other);
  BOOST_TEST(message_of([&] { programs::load_classifier(folder / "x.safetensors"); }) ==
             folder / "x.safetensors" +
                 ": found kind '', wanted 'digit_classifier'; this is no classifier of train_classifier");
}
