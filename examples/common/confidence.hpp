/// Samples parted by how sure the digit classifier is of them.
#pragma once

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
std::vector<judgement> judge(host_backend& host, classifier_predictor& predict, unit_images images);

/// Samples on both sides of a threshold, in the order in which they came.
struct sorted_samples {
  image_set good, bad;
};

sorted_samples sort_by_confidence(const image_set& samples, const std::vector<judgement>& judgements,
                                  double threshold);

}  // namespace programs
