// Each metric on real digits that were spoilt in a known way, with the features that the programs use: the
// damage must show in the metric that is meant to see it. docs/concepts/metrics.md has the numbers on full
// MNIST.
#define BOOST_TEST_MODULE metrics_controls
#include <boost/test/unit_test.hpp>
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/metrics/frechet.hpp>

#include "common/classifier.hpp"
#include "common/digits.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

constexpr index_t count = 2000, size = 28 * 28;

struct pictures {
  std::vector<float> pixels;

  cz::image_batch<cz::unit, const float> view() const {
    const cz::shape dims{static_cast<index_t>(pixels.size()) / size, 1, 28, 28};
    return cz::image_batch<cz::unit, const float>(cz::tensor_view<const float>(pixels.data(), dims));
  }
};

/// The first images from `first` on whose label is not `without`.
pictures digits_from(const cz::labelled_images& split, index_t first, int without = -1) {
  pictures p;
  for (index_t i = first; static_cast<index_t>(p.pixels.size()) < count * size; ++i) {
    if (split.labels.at(static_cast<std::size_t>(i)) == without) continue;
    for (index_t j = 0; j < size; ++j)
      p.pixels.push_back(cz::from_byte<cz::unit>(split.pixels[static_cast<std::size_t>(i * size + j)]));
  }
  return p;
}

pictures noisy(pictures p) {
  for (std::size_t i = 0; i < p.pixels.size(); ++i)
    p.pixels[i] = std::clamp(p.pixels[i] + 0.1f * cz::random_normal({1}, i), 0.0f, 1.0f);
  return p;
}

/// Mean over 3 x 3 pixels, black outside.
pictures blurred(const pictures& p) {
  pictures out = p;
  const auto images = p.view();
  for (index_t i = 0; i < static_cast<index_t>(p.pixels.size()); ++i) {
    const index_t n = i / size, y = i % size / 28, x = i % 28;
    float sum = 0;
    for (index_t v = std::max<index_t>(y - 1, 0); v <= std::min<index_t>(y + 1, 27); ++v) {
      for (index_t u = std::max<index_t>(x - 1, 0); u <= std::min<index_t>(x + 1, 27); ++u)
        sum += images(n, 0, v, u);
    }
    out.pixels[static_cast<std::size_t>(i)] = sum / 9;
  }
  return out;
}

pictures first_tenth_ten_times(pictures p) {
  for (std::size_t i = 0; i < p.pixels.size(); ++i) p.pixels[i] = p.pixels[i % (p.pixels.size() / 10)];
  return p;
}

struct scores {
  double frechet;
  cz::kernel_distance_result kernel;
  cz::manifold_scores manifold;
  double class_kl, unconfident, duplicates, copies;
};

/// Scores against the test images; the training images for copies are the first 7700, the samples later ones.
class scorer {
 public:
  scorer()
      : reference_(cz::extract_features(b_, net_, digits_from(embedded_digits().test, 0).view())),
        histogram_(cz::class_histogram(cz::class_probabilities(probabilities(reference_)))) {
    held_out_ = cz::nearest_images(b_, digits_from(embedded_digits().test, 0).view(), train_);
  }

  scores operator()(const pictures& p) {
    const cz::feature_set features = cz::extract_features(b_, net_, p.view()), rows = probabilities(features);
    const cz::class_probabilities classes(rows);
    return {cz::frechet_distance(cz::moments_of(b_, features), cz::moments_of(b_, reference_)).distance,
            cz::kernel_distance(b_, features, reference_),
            cz::compare_manifolds(b_, features, reference_),
            cz::class_divergence(cz::class_histogram(classes), histogram_),
            cz::unconfident_share(classes),
            cz::duplicate_share(b_, p.view()),
            cz::copy_share(cz::nearest_images(b_, p.view(), train_), held_out_).share};
  }

 private:
  cz::feature_set probabilities(const cz::feature_set& features) {
    cz::feature_set logits(features.n, 10);
    logits.values = net_.logits(features.values.data(), features.n);
    return cz::softmax(logits);
  }

  backend b_{2};
  programs::classifier_predictor net_{
      b_, programs::load_classifier(COLDZOOM_EXAMPLES_DATA "/mnist_classifier.safetensors")};
  cz::dataset<backend, cz::unit> train_{b_, embedded_digits().train.dims.with_n(7700),
                                        embedded_digits().train.pixels.data()};
  cz::feature_set reference_;
  std::vector<double> histogram_;
  std::vector<cz::nearest_image> held_out_;
};

std::ostream& operator<<(std::ostream& out, const scores& s) {
  return out << "frechet " << s.frechet << ", kernel " << s.kernel.distance << " +- "
             << s.kernel.standard_error << ", precision " << s.manifold.precision << ", recall "
             << s.manifold.recall << ", density " << s.manifold.density << ", coverage "
             << s.manifold.coverage << ", class KL " << s.class_kl << ", unconfident " << s.unconfident
             << ", duplicates " << s.duplicates << ", copies " << s.copies;
}

}  // namespace

BOOST_AUTO_TEST_CASE(spoilt_digits_score_worse_than_real_ones) {
  scorer score;
  const pictures digits = digits_from(embedded_digits().train, 8000);
  const scores real = score(digits);
  BOOST_TEST_MESSAGE("real: " << real);
  BOOST_TEST(real.manifold.precision > 0.9);
  BOOST_TEST(real.manifold.recall > 0.9);
  BOOST_TEST(real.manifold.coverage > 0.85);
  BOOST_TEST(real.duplicates == 0);
  BOOST_TEST(real.copies < 0.03);
  const auto kernel_sees = [&](const scores& s) {
    return s.kernel.distance >
           real.kernel.distance + 3 * std::hypot(s.kernel.standard_error, real.kernel.standard_error);
  };

  const scores noise = score(noisy(digits));
  BOOST_TEST_MESSAGE("noise 0.1: " << noise);
  BOOST_TEST(noise.frechet > 1.5 * real.frechet);
  BOOST_TEST(kernel_sees(noise));
  BOOST_TEST(noise.manifold.density < real.manifold.density - 0.15);
  BOOST_TEST(noise.manifold.coverage < real.manifold.coverage - 0.1);

  const scores blur = score(blurred(digits));
  BOOST_TEST_MESSAGE("blur 3 x 3: " << blur);
  BOOST_TEST(blur.frechet > 5 * real.frechet);
  BOOST_TEST(kernel_sees(blur));
  BOOST_TEST(blur.manifold.precision < real.manifold.precision - 0.2);
  BOOST_TEST(blur.manifold.density < real.manifold.density / 2);
  BOOST_TEST(blur.unconfident > 1.5 * real.unconfident);

  const scores no_ones = score(digits_from(embedded_digits().train, 7700, 1));
  BOOST_TEST_MESSAGE("without the 1s: " << no_ones);
  BOOST_TEST(no_ones.class_kl > 10 * real.class_kl);
  BOOST_TEST(no_ones.frechet > 5 * real.frechet);
  BOOST_TEST(no_ones.manifold.recall < real.manifold.recall - 0.05);
  BOOST_TEST(no_ones.manifold.coverage < real.manifold.coverage - 0.05);
  BOOST_TEST(no_ones.manifold.precision > 0.9);  // what is there is real

  const scores repeated = score(first_tenth_ten_times(digits));
  BOOST_TEST_MESSAGE("a tenth ten times: " << repeated);
  BOOST_TEST(repeated.duplicates == 1);
  BOOST_TEST(repeated.manifold.recall < 0.05);
  BOOST_TEST(repeated.manifold.coverage < real.manifold.coverage / 2);
  BOOST_TEST(repeated.frechet > 1.5 * real.frechet);
  BOOST_TEST(repeated.manifold.precision > 0.9);

  const scores copied = score(digits_from(embedded_digits().train, 0));
  BOOST_TEST_MESSAGE("training images: " << copied);
  BOOST_TEST(copied.copies == 1);
}
