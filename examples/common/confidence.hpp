/// Samples parted by how sure the digit classifier is of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/io/png.hpp>
#include <coldzoom/metrics/class_scores.hpp>
#include <string>
#include <vector>

#include "common/classifier.hpp"
#include "common/image_set.hpp"

namespace programs {

/// What the classifier takes one image for: a class 0 to 9, and its probability.
struct judgement {
  coldzoom::index_t digit = 0;
  float confidence = 0;
};

/// One for each image. Throws coldzoom::error where the images are not of the classifier's shape.
inline std::vector<judgement> judge(backend& b, const classifier_model& model, unit_images images) {
  using namespace coldzoom;
  classifier_predictor predict(b, model);
  const feature_set features = extract_features(b, predict, images);
  const std::vector<float> logits = predict.logits(features.values.data(), features.n);
  const feature_set rows = softmax(feature_view{logits.data(), features.n, digit_classifier::classes});
  const class_probabilities classes(rows);
  std::vector<judgement> out;
  for (index_t i = 0; i < classes.size(); ++i) out.push_back({classes.predicted(i), classes.confidence(i)});
  return out;
}

/// Samples on both sides of a threshold, in the order in which they came.
struct sorted_samples {
  image_set good, bad;
};

inline sorted_samples sort_by_confidence(const image_set& samples, const std::vector<judgement>& judgements,
                                         double threshold) {
  sorted_samples out{{samples.dims.with_n(0), {}}, {samples.dims.with_n(0), {}}};
  for (std::size_t i = 0; i < judgements.size(); ++i) {
    image_set& part = static_cast<double>(judgements[i].confidence) >= threshold ? out.good : out.bad;
    const auto from = samples.pixels.begin() + static_cast<coldzoom::index_t>(i) * samples.dims.image();
    part.pixels.insert(part.pixels.end(), from, from + samples.dims.image());
    ++part.dims.n;
  }
  return out;
}

/// The first `most` images as a PNG, in rows of `columns`, 0 for a square. There must be an image.
inline void save_grid(const std::string& path, const image_set& images, coldzoom::index_t most,
                      coldzoom::index_t columns = 0) {
  const coldzoom::index_t n = std::min(images.dims.n, most);
  if (columns == 0) columns = static_cast<coldzoom::index_t>(std::ceil(std::sqrt(static_cast<double>(n))));
  coldzoom::save_png(path, coldzoom::image_grid(coldzoom::tensor_view<const float>(images.pixels.data(),
                                                                                   images.dims.with_n(n)),
                                                columns, 2, 2, 64));
}

}  // namespace programs
