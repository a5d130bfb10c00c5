#include "common/classifier.hpp"

#include <coldzoom/training/checkpoint.hpp>
#include <cstdlib>

#include "common/data.hpp"
#include "common/safetensors.hpp"

namespace programs {

void add_classifier(options& o, std::string& path) {
  path = embedded_classifier;
  o.add("--classifier", path, "model.safetensors of train_classifier; the embedded one if absent")
      .hide_default();
}

void save_classifier(const std::string& path, const classifier_model& model) {
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

classifier_model load_classifier(const std::string& path) {
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

coldzoom::feature_set classifier_predictor::probabilities(const coldzoom::feature_set& features) {
  const std::vector<float> rows = logits(features.values.data(), features.n);
  return coldzoom::softmax(coldzoom::feature_view{rows.data(), features.n, digit_classifier::classes});
}

}  // namespace programs
