/// All scores of a set of samples against the test split of a data set.
#pragma once

#include <coldzoom/io/npy.hpp>
#include <coldzoom/metrics/class_scores.hpp>
#include <coldzoom/metrics/copies.hpp>
#include <coldzoom/metrics/frechet.hpp>
#include <coldzoom/metrics/kernel_distance.hpp>
#include <coldzoom/metrics/manifold.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/classifier.hpp"
#include "common/data.hpp"

namespace programs {

inline constexpr const char* embedded_classifier = COLDZOOM_EMBEDDED_DATA "/mnist_classifier.safetensors";

using unit_images = coldzoom::image_batch<coldzoom::unit, const float>;

/// Images in [0, 1], N x C x H x W, with their memory.
struct image_set {
  coldzoom::shape dims;
  std::vector<float> pixels;

  unit_images view() const { return unit_images(coldzoom::tensor_view<const float>(pixels.data(), dims)); }
};

/// The first `count` images (0 for all) of a data split.
inline image_set to_image_set(const coldzoom::labelled_images& images, coldzoom::index_t count = 0) {
  const coldzoom::index_t n = count > 0 ? std::min(count, images.dims.n) : images.dims.n;
  image_set set{images.dims.with_n(n), {}};
  set.pixels.reserve(static_cast<std::size_t>(set.dims.size()));
  for (coldzoom::index_t i = 0; i < set.dims.size(); ++i)
    set.pixels.push_back(coldzoom::from_byte<coldzoom::unit>(images.pixels[static_cast<std::size_t>(i)]));
  return set;
}

/// Reads N x H x W or N x C x H x W float32 in [0, 1]; of these the first `count` (0 for all). Throws
/// coldzoom::error for another type or rank, images that are not of the shape `image`, and at the first pixel
/// that is NaN or outside [0, 1].
inline image_set load_samples(const std::string& path, coldzoom::shape image, coldzoom::index_t count = 0) {
  using coldzoom::index_t;
  coldzoom::npy_array<float> array = coldzoom::load_npy<float>(path);
  const std::size_t rank = array.shape.size();
  const bool known = rank == 3 || rank == 4;
  const coldzoom::shape found = known ? coldzoom::shape{array.shape[0], rank == 4 ? array.shape[1] : 1,
                                                        array.shape[rank - 2], array.shape[rank - 1]}
                                      : coldzoom::shape{};
  coldzoom::require(known && found.with_n(1) == image && found.n > 0, path.c_str(), [&] {
    return "found shape " + coldzoom::to_string(array.shape) + ", wanted [N, " + std::to_string(image.h) +
           ", " + std::to_string(image.w) + "] or [N, " + std::to_string(image.c) + ", " +
           std::to_string(image.h) + ", " + std::to_string(image.w) + "]";
  });
  image_set set{found.with_n(count > 0 ? std::min(count, found.n) : found.n), std::move(array.data)};
  set.pixels.resize(static_cast<std::size_t>(set.dims.size()));
  coldzoom::require_range(path, set.view());
  return set;
}

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
    const image_set test = to_image_set(data.test);
    reference_ = coldzoom::extract_features(b, predict_, test.view());
    reference_moments_ = coldzoom::moments_of(b, reference_);
    reference_histogram_ = coldzoom::class_histogram(probabilities(reference_).rows);
    held_out_ = nearest_training_images(test.view());
  }

  coldzoom::shape image() const { return image_; }
  /// The fewest samples that all scores are defined for.
  static constexpr coldzoom::index_t fewest = 6 * digit_classifier::features + 60;

  /// One object, fields as docs/how_to/evaluate.md lists them. `where` names the samples in errors. Throws
  /// coldzoom::error for fewer than `fewest` samples. Cost: 10,000 samples against full MNIST take half a
  /// minute on two cores.
  nlohmann::ordered_json score(const std::string& where, unit_images samples) {
    using namespace coldzoom;
    require(samples.dims.n >= fewest, where.c_str(), [&] {
      return "found " + std::to_string(samples.dims.n) + " images, wanted at least " +
             std::to_string(fewest) + ", and 2000 for a Frechet distance that means much";
    });
    const feature_set features = extract_features(*b_, predict_, samples);
    const frechet_result frechet = frechet_distance(moments_of(*b_, features), reference_moments_);
    const frechet_infinity_result infinity = frechet_infinity(*b_, features, reference_);
    const kernel_distance_result kernel = kernel_distance(*b_, features, reference_);
    const manifold_scores manifold = compare_manifolds(*b_, features, reference_);
    const held_probabilities classes = probabilities(features);
    const std::vector<double> histogram = class_histogram(classes.rows);
    const copy_result copies = copy_share(nearest_training_images(samples), held_out_);

    nlohmann::ordered_json out{{"n", samples.dims.n},
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
                               {"duplicate_share", duplicate_share(*b_, samples)},
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

  // In parts, for the search keeps a copy of its queries.
  std::vector<coldzoom::nearest_image> nearest_training_images(unit_images images) {
    constexpr coldzoom::index_t part = 4096;
    std::vector<coldzoom::nearest_image> nearest;
    for (coldzoom::index_t first = 0; first < images.dims.n; first += part) {
      const auto found =
          coldzoom::nearest_images(*b_, images.images(first, std::min(part, images.dims.n - first)), train_);
      nearest.insert(nearest.end(), found.begin(), found.end());
    }
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
