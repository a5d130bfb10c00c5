/// The digit classifier behind the scores: its network, its file, and what it makes of images.
#pragma once

#include <coldzoom/coldzoom.hpp>
#include <coldzoom/training/checkpoint.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/backend.hpp"

namespace programs {

using classifier_block = coldzoom::conv_block<coldzoom::group_norm, coldzoom::gelu>;
using classifier_trunk =
    coldzoom::sequence<classifier_block, coldzoom::max_pool, classifier_block, classifier_block,
                       coldzoom::max_pool, classifier_block, coldzoom::average_pool>;

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
    return classifier_trunk(block(image.c, 16), max_pool(2), block(16, 32), block(32, 64), max_pool(2),
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

inline void save_classifier(const std::string& path, const classifier_model& model) {
  coldzoom::safetensors_file file;
  coldzoom::add_parameters(file, model.network, model.parameters);
  file.metadata = {{"format_version", "1"},
                   {"library", std::string("coldzoom ") + COLDZOOM_VERSION_STRING},
                   {"kind", classifier_kind},
                   {"value_range", classifier_range::name},
                   {"height", std::to_string(model.network.image().h)},
                   {"width", std::to_string(model.network.image().w)},
                   {"data", model.data},
                   {"train_images", std::to_string(model.train_images)},
                   {"test_accuracy", std::to_string(model.test_accuracy)}};
  coldzoom::save_safetensors(path, file);
}

/// Throws coldzoom::error where the file is damaged or holds no such classifier.
inline classifier_model load_classifier(const std::string& path) {
  using coldzoom::index_t, coldzoom::require;
  const coldzoom::safetensors_file file = coldzoom::load_safetensors(path);
  const auto metadata = [&](const char* key) {
    const auto at = file.metadata.find(key);
    return at == file.metadata.end() ? std::string() : at->second;
  };
  const auto expect = [&](const char* key, const std::string& wanted) {
    require(metadata(key) == wanted, path.c_str(), [&] {
      return "found " + std::string(key) + " '" + metadata(key) + "', wanted '" + wanted +
             "'; this is no classifier of train_classifier";
    });
  };
  expect("kind", classifier_kind);
  expect("format_version", "1");
  expect("value_range", classifier_range::name);
  const auto number = [&](const char* key, index_t largest) {
    const index_t value = std::atoll(metadata(key).c_str());
    require(value >= 1 && value <= largest, path.c_str(), [&] {
      return "found " + std::string(key) + " '" + metadata(key) + "', wanted 1 to " + std::to_string(largest);
    });
    return value;
  };
  const coldzoom::named_array* first = file.find("trunk.0.net.0.weight");
  require(first && first->shape.size() == 4 && first->shape[1] >= 1 && first->shape[1] <= 4, path.c_str(),
          "found no array 'trunk.0.net.0.weight' of rank 4 for 1 to 4 channels; this is no classifier");
  const digit_classifier network({1, first->shape[1], number("height", 4096), number("width", 4096)});
  return {network, coldzoom::read_parameters(file, network), metadata("data"),
          number("train_images", 1000000000), std::atof(metadata("test_accuracy").c_str())};
}

/// A classifier at work: features and class probabilities of images in [0, 1]. The bits of an image do not
/// depend on the batch. One `classifier_predictor` a thread.
class classifier_predictor {
 public:
  classifier_predictor(backend& b, const classifier_model& model)
      : trunk_(b, model.network.trunk(), model.network.image(), part(model, 0, trunk_size(model))),
        head_(b, model.network.head(), {1, digit_classifier::features, 1, 1},
              part(model, trunk_size(model), model.network.parameter_count())) {}

  /// Number of features of an image.
  coldzoom::index_t size() const { return digit_classifier::features; }

  /// out: n x size() x 1 x 1.
  void operator()(backend&, coldzoom::image_batch<classifier_range, const float> images,
                  coldzoom::tensor_view<float> out) {
    trunk_(images, coldzoom::side_inputs<backend>{}, out);
  }

  /// What the last layer makes of n rows of features: n rows of logits, before the softmax.
  std::vector<float> logits(const float* features, coldzoom::index_t n) {
    std::vector<float> out(static_cast<std::size_t>(n * digit_classifier::classes));
    head_(coldzoom::tensor_view<const float>(features, {n, digit_classifier::features, 1, 1}),
          coldzoom::side_inputs<backend>{},
          coldzoom::tensor_view<float>(out.data(), {n, digit_classifier::classes, 1, 1}));
    return out;
  }

 private:
  static coldzoom::index_t trunk_size(const classifier_model& model) {
    return model.network.trunk().parameter_count();
  }
  static std::vector<float> part(const classifier_model& model, coldzoom::index_t first,
                                 coldzoom::index_t last) {
    return {model.parameters.begin() + first, model.parameters.begin() + last};
  }

  coldzoom::predictor<backend, classifier_trunk> trunk_;
  coldzoom::predictor<backend, coldzoom::linear> head_;
};

}  // namespace programs
