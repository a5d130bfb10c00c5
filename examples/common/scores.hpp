/// All scores of a set of samples against the test split of a data set.
#pragma once

#include <coldzoom/metrics/class_scores.hpp>
#include <coldzoom/metrics/copies.hpp>
#include <coldzoom/metrics/frechet.hpp>
#include <coldzoom/metrics/kernel_distance.hpp>
#include <coldzoom/metrics/manifold.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/classifier.hpp"
#include "common/image_set.hpp"

namespace programs {

/// Scores samples against the test split of a data set. The reference is worked through once, so that the
/// epochs of a run can follow one another. Everything random in the metrics comes from fixed seeds: the same
/// samples get the same scores, on any number of threads.
class scorer {
 public:
  /// `data_name` as the user gave it. Throws coldzoom::error where the classifier was trained on images of
  /// another shape.
  scorer(backend& b, const classifier_model& model, const std::string& data_name,
         const coldzoom::split_pair& data)
      : b_(&b),
        predict_(b, model),
        image_(model.network.image()),
        reference_name_(data_name + ", test split of " + std::to_string(data.test.dims.n) + " images"),
        features_name_(std::string(classifier_kind) + ", " + std::to_string(digit_classifier::features) +
                       " features, trained on " + std::to_string(model.train_images) + " images of " +
                       model.data),
        train_(b, checked(data, model).train.dims, data.train.pixels.data()) {
    image_source test = source_of(data.test);
    reference_ = features_of(test);
    reference_moments_ = coldzoom::moments_of(b, reference_);
    reference_histogram_ = coldzoom::class_histogram(probabilities(reference_).rows);
    held_out_ = nearest_training_images(test);
  }

  coldzoom::shape image() const { return image_; }
  /// The fewest samples that all scores are defined for.
  static constexpr coldzoom::index_t fewest = 6 * digit_classifier::features + 60;

  /// One object, fields as docs/how_to/evaluate.md lists them. `where` names the samples in errors. Throws
  /// coldzoom::error for fewer than `fewest` samples. Cost: 10,000 samples against full MNIST take half a
  /// minute on two cores; of n samples the n x 128 features stay in memory, pixels in parts.
  nlohmann::ordered_json score(const std::string& where, image_source samples) {
    using namespace coldzoom;
    const index_t n = samples.dims().n;
    require(n >= fewest, where.c_str(), [&] {
      return "found " + std::to_string(n) + " images, wanted at least " + std::to_string(fewest) +
             ", and 2000 for a Frechet distance that means much";
    });
    const feature_set features = features_of(samples);
    const frechet_result frechet = frechet_distance(moments_of(*b_, features), reference_moments_);
    const frechet_infinity_result infinity = frechet_infinity(*b_, features, reference_);
    const kernel_distance_result kernel = kernel_distance(*b_, features, reference_);
    const manifold_scores manifold = compare_manifolds(*b_, features, reference_);
    const held_probabilities classes = probabilities(features);
    const std::vector<double> histogram = class_histogram(classes.rows);
    const copy_result copies = copy_share(nearest_training_images(samples), held_out_);
    const double duplicates = duplicate_share(
        *b_, samples.dims(), [&](index_t first, index_t count) { return samples.read(first, count); });

    nlohmann::ordered_json out{{"n", n},
                               {"reference", reference_name_},
                               {"features", features_name_},
                               {"frechet_distance", frechet.distance},
                               {"frechet_infinity", infinity.distance},
                               {"frechet_infinity_interval", {infinity.low, infinity.high}},
                               {"kid", kernel.distance},
                               {"kid_error", kernel.standard_error},
                               {"precision", manifold.precision},
                               {"recall", manifold.recall},
                               {"density", manifold.density},
                               {"coverage", manifold.coverage},
                               {"inception_score", classifier_score(classes.rows)},
                               {"class_histogram", histogram},
                               {"class_kl", class_divergence(histogram, reference_histogram_)},
                               {"total_variation", class_variation(histogram, reference_histogram_)},
                               {"unconfident_share", unconfident_share(classes.rows)},
                               {"copy_share", copies.share},
                               {"duplicate_share", duplicates},
                               {"warnings", nlohmann::ordered_json::array()}};
    if (frechet.few) {
      out["warnings"].push_back("fewer than " + std::to_string(frechet_few) +
                                " images: the Frechet distance is mostly bias");
    }
    out["warnings"].push_back("compare only with scores of the same n, reference and features");
    return out;
  }

 private:
  /// class_probabilities with the memory they look at.
  struct held_probabilities {
    coldzoom::feature_set values;
    coldzoom::class_probabilities rows;
    explicit held_probabilities(coldzoom::feature_set from) : values(std::move(from)), rows(values) {}
  };
  held_probabilities probabilities(const coldzoom::feature_set& features) {
    const std::vector<float> logits = predict_.logits(features.values.data(), features.n);
    return held_probabilities(
        coldzoom::softmax(coldzoom::feature_view{logits.data(), features.n, digit_classifier::classes}));
  }

  coldzoom::feature_set features_of(image_source& images) {
    coldzoom::feature_set all(images.dims().n, digit_classifier::features);
    images.for_each_part([&](coldzoom::index_t first, unit_images part) {
      const coldzoom::feature_set features = coldzoom::extract_features(*b_, predict_, part);
      std::copy(features.values.begin(), features.values.end(), all.row(first));
    });
    return all;
  }

  std::vector<coldzoom::nearest_image> nearest_training_images(image_source& images) {
    std::vector<coldzoom::nearest_image> nearest;
    images.for_each_part([&](coldzoom::index_t, unit_images part) {
      const auto found = coldzoom::nearest_images(*b_, part, train_);
      nearest.insert(nearest.end(), found.begin(), found.end());
    });
    return nearest;
  }

  static const coldzoom::split_pair& checked(const coldzoom::split_pair& data,
                                             const classifier_model& model) {
    coldzoom::require(data.test.dims.with_n(1) == model.network.image(), "--data", [&] {
      return "the images are " + to_string(data.test.dims.with_n(1)) + ", the classifier wants " +
             to_string(model.network.image());
    });
    return data;
  }

  backend* b_;
  classifier_predictor predict_;
  coldzoom::shape image_;
  std::string reference_name_, features_name_;
  coldzoom::dataset<backend, coldzoom::unit> train_;
  coldzoom::feature_set reference_;
  coldzoom::moments reference_moments_;
  std::vector<double> reference_histogram_;
  std::vector<coldzoom::nearest_image> held_out_;
};

}  // namespace programs
