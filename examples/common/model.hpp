/// A trained model as a file, what its kind says about it, and the model at work.
#pragma once

#include <array>
#include <coldzoom/coldzoom.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/method.hpp"

namespace programs {

using histogram_counts = std::array<std::uint64_t, 256>;

struct trained_model {
  model_method method;
  std::string data;  // what it was trained on; empty where the file does not say
  std::optional<histogram_counts> histogram;
  coldzoom::reconstructor network;
  std::vector<float> parameters;
};

/// "1,2,3".
template <class Values> std::string join(const Values& values) {
  std::string text;
  for (const auto& value : values) {
    if (!text.empty()) text += ',';
    text += std::to_string(value);
  }
  return text;
}

void save_model(const std::string& path, const trained_model& model);

/// Reads our files, and the original project's, which carry no metadata: for those `kind` must be given.
trained_model load_model(const std::string& path, const std::string& kind);

/// The network with its parameters, ready to predict. For the CPU it is compiled once.
template <class B> coldzoom::any_network<B> network_of(B& b, const trained_model& model) {
  return coldzoom::any_network<B>(coldzoom::predictor<B, coldzoom::reconstructor>(
      b, model.network, model.network.image(), model.parameters));
}
coldzoom::any_network<backend> network_of(backend& b, const trained_model& model);

}  // namespace programs
