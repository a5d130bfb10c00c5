#include "common/scores.hpp"
#include "common/program.hpp"

#include <algorithm>
#include <coldzoom/metrics/class_scores.hpp>
#include <coldzoom/metrics/frechet.hpp>
#include <coldzoom/metrics/kernel_distance.hpp>
#include <coldzoom/metrics/manifold.hpp>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "common/eigensolver.hpp"

namespace programs {

namespace {

const coldzoom::split_pair& checked(const coldzoom::split_pair& data, const classifier_model& model) {
  coldzoom::require(data.test.dims.with_n(1) == model.network.image(), "--data", [&] {
    return "the images are " + to_string(data.test.dims.with_n(1)) + ", the classifier wants " +
           to_string(model.network.image());
  });
  return data;
}

}  // namespace

scorer::scorer(machine& m, const classifier_model& model, const std::string& data_name,
               const coldzoom::split_pair& data, const std::string& reference)
    : b_(&m.host()),
      predict_(run(m, model)),
      image_(model.network.image()),
      reference_name_(data_name +
                      (reference == "test" ? ", test split of " : ", the first of the train split, ") +
                      std::to_string(data.test.dims.n) + " images"),
      features_name_(std::string(classifier_kind) + ", " + std::to_string(digit_classifier::features) +
                     " features, trained on " + std::to_string(model.train_images) + " images of " +
                     model.data),
      train_(*b_, checked(data, model).train.dims, data.train.pixels.data()) {
  image_source test = source_of(data.test);
  image_source compared = reference == "test" ? test : source_of(data.train, data.test.dims.n);
  reference_ = features_of(compared);
  reference_moments_ = coldzoom::moments_of(*b_, reference_);
  const coldzoom::feature_set rows = predict_->probabilities(reference_);
  reference_histogram_ = coldzoom::class_histogram(coldzoom::class_probabilities(rows));
  held_out_ = nearest_training_images(test);
}

nlohmann::ordered_json scorer::score(image_source samples, const std::vector<coldzoom::index_t>& asked) {
  using namespace coldzoom;
  const index_t n = samples.dims().n;
  const feature_set features = features_of(samples);
  const feature_set rows = predict_->probabilities(features);
  const class_probabilities classes(rows);
  const std::vector<double> histogram = class_histogram(classes);

  nlohmann::ordered_json out{{"n", n}, {"reference", reference_name_}, {"features", features_name_}};
  nlohmann::ordered_json warnings = nlohmann::ordered_json::array();
  // Scores that one computation brings. Where they are not defined for these samples or this reference, they are null, and a
  // warning says why; the rest is worth having all the same.
  const auto add = [&](std::initializer_list<const char*> names, auto&& compute) {
    stop_if_requested();
    for (const char* name : names) out[name] = nullptr;  // in this order
    try {
      compute();
    } catch (const coldzoom::error& e) {
      warnings.push_back(std::string(*names.begin()) + " is not known: " + e.what());
    }
  };
  add({"frechet_distance"}, [&] {
    const frechet_result frechet = frechet_distance(moments_of(*b_, features), reference_moments_);
    out["frechet_distance"] = frechet.distance;
    if (frechet.few) {
      warnings.push_back("fewer than " + std::to_string(frechet_few) +
                         " images: the Frechet distance is mostly bias");
    }
  });
  add({"frechet_infinity", "frechet_infinity_interval"}, [&] {
    const frechet_infinity_result infinity = frechet_infinity(*b_, features, reference_);
    out["frechet_infinity"] = infinity.distance;
    out["frechet_infinity_interval"] = {infinity.low, infinity.high};
  });
  add({"kid", "kid_error"}, [&] {
    const kernel_distance_result kernel = kernel_distance(*b_, features, reference_);
    out["kid"] = kernel.distance;
    out["kid_error"] = kernel.standard_error;
  });
  add({"precision", "recall", "density", "coverage"}, [&] {
    const manifold_scores manifold = compare_manifolds(*b_, features, reference_);
    out["precision"] = manifold.precision;
    out["recall"] = manifold.recall;
    out["density"] = manifold.density;
    out["coverage"] = manifold.coverage;
  });
  add({"inception_score"}, [&] { out["inception_score"] = classifier_score(classes); });
  out["class_histogram"] = histogram;
  add({"class_kl"}, [&] { out["class_kl"] = class_divergence(histogram, reference_histogram_); });
  add({"total_variation"},
      [&] { out["total_variation"] = class_variation(histogram, reference_histogram_); });
  add({"unconfident_share"}, [&] { out["unconfident_share"] = unconfident_share(classes); });
  add({"copy_share"},
      [&] { out["copy_share"] = copy_share(nearest_training_images(samples), held_out_).share; });
  add({"duplicate_share"}, [&] {
    out["duplicate_share"] = duplicate_share(*b_, samples.dims(), [&](index_t first, index_t count) {
      stop_if_requested();
      return samples.read(first, count);
    });
  });
  warnings.push_back("compare only with scores of the same n, reference and features");
  out["warnings"] = warnings;
  if (!asked.empty()) out["asked_class_share"] = asked_class_share(classes, asked);
  return out;
}

coldzoom::feature_set scorer::features_of(image_source& images) {
  coldzoom::feature_set all(images.dims().n, digit_classifier::features);
  images.for_each_part([&](coldzoom::index_t first, unit_images part) {
    stop_if_requested();
    const coldzoom::feature_set features = coldzoom::extract_features(*b_, *predict_, part);
    std::copy(features.values.begin(), features.values.end(), all.row(first));
  });
  return all;
}

std::vector<coldzoom::nearest_image> scorer::nearest_training_images(image_source& images) {
  std::vector<coldzoom::nearest_image> nearest;
  images.for_each_part([&](coldzoom::index_t, unit_images part) {
    stop_if_requested();
    const auto found = coldzoom::nearest_images(*b_, part, train_);
    nearest.insert(nearest.end(), found.begin(), found.end());
  });
  return nearest;
}

}  // namespace programs
