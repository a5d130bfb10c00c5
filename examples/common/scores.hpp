/// All scores of a set of samples against real images of a data set.
#pragma once

#include <coldzoom/metrics/copies.hpp>
#include <coldzoom/metrics/moments.hpp>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/classifier.hpp"
#include "common/image_set.hpp"

namespace programs {

/// Scores samples against a split of a data set. The reference is worked through once, so that the
/// epochs of a run can follow one another. The classifier runs on the backend that was chosen, the metrics on
/// the CPU. Everything random in the metrics comes from fixed seeds: the same samples get the same scores, on
/// any number of threads.
class scorer {
 public:
  /// `data_name` as the user gave it. `reference` is the split to compare with: test, or train, of which the first
  /// images are taken, as many as test has. Copies are always judged by the test images. Throws coldzoom::error
  /// where the classifier was trained on images of another shape.
  scorer(machine& m, const classifier_model& model, const std::string& data_name,
         const coldzoom::split_pair& data, const std::string& reference = "test");

  coldzoom::shape image() const { return image_; }
  /// The fewest samples that all scores are defined for.
  static constexpr coldzoom::index_t fewest = 6 * digit_classifier::features + 60;

  /// One object, fields as docs/how_to/evaluate.md lists them. A score that is not defined for these samples (too few, a class
  /// that the reference lacks) is null, and a warning says why. Cost: 10,000 samples against full MNIST take half a
  /// minute on two cores; of n samples the n x 128 features stay in memory, pixels in parts.
  /// `asked` names the classes of the samples in turn, where they were asked for.
  nlohmann::ordered_json score(image_source samples, const std::vector<coldzoom::index_t>& asked = {});

 private:
  coldzoom::feature_set features_of(image_source& images);
  std::vector<coldzoom::nearest_image> nearest_training_images(image_source& images);

  host_backend* b_;
  std::unique_ptr<classifier_predictor> predict_;
  coldzoom::shape image_;
  std::string reference_name_, features_name_;
  coldzoom::dataset<host_backend, coldzoom::unit> train_;
  coldzoom::feature_set reference_;
  coldzoom::moments reference_moments_;
  std::vector<double> reference_histogram_;
  std::vector<coldzoom::nearest_image> held_out_;
};

}  // namespace programs
