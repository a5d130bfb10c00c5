/// A trained model as a file, and the data to go with it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/latents.hpp"

namespace programs {

struct trained_model {
  model_method method;
  std::string data;  // what it was trained on; empty where the file does not say
  std::optional<histogram_counts> histogram;
  model_network network;
  std::vector<float> parameters;
};

void save_model(const std::string& path, const trained_model& model);

/// "the noise", but "x0": what a network predicts, in a sentence.
std::string spoken(const std::string& target);

/// Reads our files, and the original project's, which carry no metadata: for those `kind` must be given.
trained_model load_model(const std::string& path, const std::string& kind);

/// Images to go with a model, by the name of the data set.
struct named_data {
  std::string name;
  coldzoom::split_pair images;
};

/// Those that the user named; where `named` is empty, what the model was trained on, else embedded. Cropped, resized
/// and of the channels that the model is for, as load_data says.
named_data load_data_for(const trained_model& model, const std::string& named);

}  // namespace programs
