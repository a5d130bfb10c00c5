#include "common/scores.hpp"
#include "common/program.hpp"

#include <algorithm>
#include <coldzoom/metrics/class_scores.hpp>
#include <coldzoom/metrics/frechet.hpp>
#include <coldzoom/metrics/kernel_distance.hpp>
#include <coldzoom/metrics/manifold.hpp>
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

nlohmann::ordered_json scorer::score(const std::string& where, image_source samples,
                                     const std::vector<coldzoom::index_t>& asked) {
  using namespace coldzoom;
  const index_t n = samples.dims().n;
  require(n >= fewest, where.c_str(), [&] {
    return "found " + std::to_string(n) + " images, wanted at least " + std::to_string(fewest) +
           ", and 2000 for a Frechet distance that means much";
  });
  const feature_set features = features_of(samples);
  const frechet_result frechet = frechet_distance(moments_of(*b_, features), reference_moments_);
  const frechet_infinity_result infinity = frechet_infinity(*b_, features, reference_);
  stop_if_requested();
  const kernel_distance_result kernel = kernel_distance(*b_, features, reference_);
  stop_if_requested();
  const manifold_scores manifold = compare_manifolds(*b_, features, reference_);
  const feature_set rows = predict_->probabilities(features);
  const class_probabilities classes(rows);
  const std::vector<double> histogram = class_histogram(classes);
  const copy_result copies = copy_share(nearest_training_images(samples), held_out_);
  const double duplicates = duplicate_share(*b_, samples.dims(), [&](index_t first, index_t count) {
    stop_if_requested();
    return samples.read(first, count);
  });

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
                             {"inception_score", classifier_score(classes)},
                             {"class_histogram", histogram},
                             {"class_kl", class_divergence(histogram, reference_histogram_)},
                             {"total_variation", class_variation(histogram, reference_histogram_)},
                             {"unconfident_share", unconfident_share(classes)},
                             {"copy_share", copies.share},
                             {"duplicate_share", duplicates},
                             {"warnings", nlohmann::ordered_json::array()}};
  if (!asked.empty()) out["asked_class_share"] = asked_class_share(classes, asked);
  if (frechet.few) {
    out["warnings"].push_back("fewer than " + std::to_string(frechet_few) +
                              " images: the Frechet distance is mostly bias");
  }
  out["warnings"].push_back("compare only with scores of the same n, reference and features");
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
