/// A trained model as a file, and what its kind says about it.
#pragma once

#include <algorithm>
#include <array>
#include <coldzoom/training/checkpoint.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/method.hpp"
#include "common/program.hpp"

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

inline void save_model(const std::string& path, const trained_model& model) {
  coldzoom::safetensors_file file;
  coldzoom::add_parameters(file, model.network, model.parameters);
  const std::vector<float> frequencies = model.network.frequency_table();
  file.add("gt.frequencies", {static_cast<coldzoom::index_t>(frequencies.size())}, frequencies);
  const model_method& m = model.method;
  file.metadata = {{"format_version", "1"},
                   {"library", std::string("coldzoom ") + COLDZOOM_VERSION_STRING},
                   {"kind", m.kind},
                   {"network", "reconstructor"},
                   {"widths", join(model.network.widths())},
                   {"steps", std::to_string(m.steps)},
                   {"last_step", std::to_string(m.last_step)},
                   {"target", find_kind(path, m.kind).target},
                   {"value_range", value_range::name},
                   {"data", model.data}};
  if (m.adds_noise()) file.metadata["beta_max"] = exact(m.beta_max);
  if (model.histogram) file.metadata["latent.histogram"] = join(*model.histogram);
  coldzoom::save_safetensors(path, file);
}

/// The strings that go with a file's arrays, with the file's name in every complaint.
class file_metadata {
 public:
  explicit file_metadata(const coldzoom::safetensors_file& file) : file_(file) {}

  /// Empty where there is none.
  std::string text(const char* key) const {
    const auto at = file_.metadata.find(key);
    return at == file_.metadata.end() ? std::string() : at->second;
  }
  /// What the file says must be this, if it says anything.
  void expect(const char* key, const std::string& wanted) const {
    const std::string found = text(key);
    coldzoom::require(found.empty() || found == wanted, file_.source.c_str(), [&] {
      return "found " + std::string(key) + " '" + found + "', wanted '" + wanted + "'";
    });
  }
  /// A whole number from `low` to `high`, or `otherwise` where the file does not say.
  int number(const char* key, int low, int high, int otherwise) const {
    const std::string found = text(key);
    if (found.empty()) return otherwise;
    char* end = nullptr;
    const long value = std::strtol(found.c_str(), &end, 10);
    coldzoom::require(*end == '\0' && value >= low && value <= high, file_.source.c_str(), [&] {
      return "found " + std::string(key) + " '" + found + "', wanted " + std::to_string(low) + " to " +
             std::to_string(high);
    });
    return static_cast<int>(value);
  }
  /// 256 counts, if the file has any.
  std::optional<histogram_counts> counts(const char* key) const {
    const std::string list = text(key);
    if (list.empty()) return std::nullopt;
    histogram_counts counts{};
    std::size_t bin = 0;
    const char* at = list.c_str();
    for (char* end = nullptr; bin < 256; ++bin, at = end + 1) {
      counts[bin] = std::strtoull(at, &end, 10);
      if (end == at || *end != (bin < 255 ? ',' : '\0')) break;
    }
    coldzoom::require(bin == 256, file_.source.c_str(),
                      [&] { return std::string(key) + " is no list of 256 counts"; });
    return counts;
  }

 private:
  const coldzoom::safetensors_file& file_;
};

/// The network that a file's arrays are of; their extents are the network's.
inline coldzoom::reconstructor reconstructor_of(const coldzoom::safetensors_file& file) {
  using coldzoom::index_t;
  const auto dims = [&](const std::string& name, std::size_t rank) {
    const coldzoom::named_array* array = file.find(name);
    coldzoom::require(array && array->shape.size() == rank, file.source.c_str(), [&] {
      return "found no array '" + name + "' of rank " + std::to_string(rank) + "; this is no reconstructor";
    });
    return array->shape;
  };
  std::vector<index_t> widths;
  for (int i = 0; file.find("gt.blocks." + std::to_string(i) + ".net.0.weight"); ++i) {
    widths.push_back(dims("gt.blocks." + std::to_string(i) + ".net.0.weight", 4)[0]);
  }
  const auto first = dims("gt.blocks.0.net.0.weight", 4), affine = dims("gt.blocks.0.net.1.weight", 2);
  const coldzoom::shape image{1, first[1], affine[0], affine[1]};
  coldzoom::require(
      widths.size() >= 2 && widths.size() <= 64 && image.size() <= (1 << 24) &&
          std::all_of(widths.begin(), widths.end(), [](index_t w) { return w > 0 && w <= 4096; }),
      file.source.c_str(), [&] {
        return "found " + std::to_string(widths.size()) + " blocks for images of " + to_string(image) +
               ", wanted 2 to 64 of reasonable size";
      });
  return coldzoom::reconstructor(image, widths, first[2]);
}

/// Reads our files, and the original project's, which carry no metadata: for those `kind` must be given.
inline trained_model load_model(const std::string& path, const std::string& kind) {
  using coldzoom::require;
  const coldzoom::safetensors_file file = coldzoom::load_safetensors(path);
  const file_metadata metadata(file);
  metadata.expect("format_version", "1");
  metadata.expect("network", "reconstructor");
  metadata.expect("value_range", value_range::name);
  const std::string stored = metadata.text("kind"), known = stored.empty() ? kind : stored;
  require(!known.empty(), path.c_str(), "the file does not say what kind of model it is; give --kind");
  require(kind.empty() || kind == known, path.c_str(),
          [&] { return "the file holds a " + stored + " model, --kind says " + kind; });
  const model_kind& original = find_kind(path, known);
  metadata.expect("target", original.target);

  coldzoom::reconstructor network = reconstructor_of(file);
  std::vector<float> parameters = coldzoom::read_parameters(file, network);
  model_method method{known, original.steps, original.last_step, original.beta_max};
  const coldzoom::index_t side = std::min(network.image().h, network.image().w);
  const int most = method.adds_noise() ? largest_steps : static_cast<int>(side) - 1;
  method.steps = metadata.number("steps", 1, most, original.steps);
  // A file that names no last step names no shorter one; only the original's own files have neither.
  method.last_step = metadata.number("last_step", 1, method.steps,
                                     metadata.text("steps").empty() ? original.last_step : method.steps);
  if (const std::string text = metadata.text("beta_max"); method.adds_noise() && !text.empty()) {
    method.beta_max = std::strtod(text.c_str(), nullptr);
    require(method.beta_max > 0 && method.beta_max < 1, path.c_str(),
            [&] { return "found beta_max '" + text + "', wanted a number between 0 and 1"; });
  }
  return {std::move(method), metadata.text("data"), metadata.counts("latent.histogram"), std::move(network),
          std::move(parameters)};
}

}  // namespace programs
