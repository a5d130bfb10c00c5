/// The digit classifier behind the scores: its network, its file, and what it makes of images.
#pragma once

#include <coldzoom/coldzoom.hpp>
#include <memory>
#include <string>
#include <vector>

#include "common/machine.hpp"
#include "common/options.hpp"

namespace programs {

using classifier_block = coldzoom::conv_block<coldzoom::group_norm, coldzoom::gelu>;
using classifier_blocks = coldzoom::conv_stack<coldzoom::group_norm, coldzoom::gelu>;

/// The second and the third block have no pool between them and hand over their images.
struct classifier_trunk : coldzoom::sequence<classifier_block, coldzoom::max_pool, classifier_blocks,
                                             coldzoom::max_pool, classifier_block, coldzoom::average_pool> {
  using sequence::sequence;

  /// The names in files count every block and every pool, so the blocks are 0, 2, 3 and 5.
  void describe(coldzoom::parameter_list& list, const std::string& prefix) const {
    const std::string stem = prefix.empty() ? "" : prefix + ".";
    const std::vector<classifier_block>& middle = std::get<2>(layers).blocks;
    std::get<0>(layers).describe(list, stem + "0");
    middle[0].describe(list, stem + "2");
    middle[1].describe(list, stem + "3");
    std::get<4>(layers).describe(list, stem + "5");
  }
};

/// Four 3x3 convolutions with group norm and GELU, 16, 32, 64 and 128 channels wide, pooled to a half after
/// the first and the third; the mean of the last over the picture is the vector of 128 features, a linear
/// layer makes 10 classes of it. 98,922 parameters and 8.2 M multiply-adds an image of 28 x 28.
struct digit_classifier : coldzoom::sequence<classifier_trunk, coldzoom::linear> {
  static constexpr coldzoom::index_t features = 128, classes = 10;

  /// `image` gives C, H and W; H and W must be multiples of 4. Throws `error` otherwise.
  explicit digit_classifier(coldzoom::shape image)
      : coldzoom::sequence<classifier_trunk, coldzoom::linear>(make_trunk(image),
                                                               coldzoom::linear{features, classes}),
        image_(image.with_n(1)) {
    output_shape(image_);  // checks
  }

  coldzoom::shape image() const { return image_; }
  const classifier_trunk& trunk() const { return std::get<0>(layers); }
  const coldzoom::linear& head() const { return std::get<1>(layers); }

  void describe(coldzoom::parameter_list& list, const std::string&) const {
    trunk().describe(list, "trunk");
    head().describe(list, "head");
  }

 private:
  static classifier_block block(coldzoom::index_t in, coldzoom::index_t out) {
    return {coldzoom::conv2d::same(in, out, 3), coldzoom::group_norm(8, out)};
  }
  static classifier_trunk make_trunk(coldzoom::shape image) {
    using coldzoom::max_pool;
    return classifier_trunk(block(image.c, 16), max_pool(2),
                            classifier_blocks({block(16, 32), block(32, 64)}), max_pool(2),
                            block(64, features),
                            coldzoom::average_pool(std::max<coldzoom::index_t>(image.h / 4, 1),
                                                   std::max<coldzoom::index_t>(image.w / 4, 1)));
  }

  coldzoom::shape image_;
};

/// What the classifier reads: the background is 0, as is the padding of its convolutions.
using classifier_range = coldzoom::unit;
inline constexpr const char* classifier_kind = "digit_classifier";

struct classifier_model {
  digit_classifier network;
  std::vector<float> parameters;
  std::string data;  // folder name of what it was trained on
  coldzoom::index_t train_images = 0;
  double test_accuracy = 0;
};

/// --classifier, the embedded one by default.
void add_classifier(options& o, std::string& path);

void save_classifier(const std::string& path, const classifier_model& model);

/// Throws coldzoom::error where the file is damaged or holds no such classifier.
classifier_model load_classifier(const std::string& path);

/// A classifier at work: features and class probabilities of images in [0, 1] in host memory, on the backend
/// of the machine. A FeatureExtractor of the CPU's. The bits of an image do not depend on the batch. One
/// `classifier_predictor` a thread.
class classifier_predictor {
 public:
  virtual ~classifier_predictor() = default;

  /// Number of features of an image.
  coldzoom::index_t size() const { return digit_classifier::features; }

  /// out: n x size() x 1 x 1. Both dense.
  virtual void operator()(host_backend&, coldzoom::image_batch<classifier_range, const float> images,
                          coldzoom::tensor_view<float> out) = 0;

  /// What the last layer makes of n rows of features: n rows of logits, before the softmax.
  virtual std::vector<float> logits(const float* features, coldzoom::index_t n) = 0;

  /// Rows of class probabilities: the softmax of the logits.
  coldzoom::feature_set probabilities(const coldzoom::feature_set& features);
};

/// The classifier at work on a machine, which must live as long.
std::unique_ptr<classifier_predictor> run(machine& m, const classifier_model& model);

}  // namespace programs
