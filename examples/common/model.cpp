#include "common/model.hpp"

#include <algorithm>
#include <coldzoom/training/checkpoint.hpp>

#include "common/data.hpp"
#include "common/file_metadata.hpp"
#include "common/program.hpp"
#include "common/safetensors.hpp"

namespace programs {

void save_model(const std::string& path, const trained_model& model) {
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

namespace {

/// The network that a file's arrays are of; their extents are the network's.
coldzoom::reconstructor reconstructor_of(const coldzoom::safetensors_file& file) {
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

}  // namespace

trained_model load_model(const std::string& path, const std::string& kind) {
  using coldzoom::require;
  const coldzoom::safetensors_file file = coldzoom::load_safetensors(path);
  const file_metadata metadata(file.source, file.metadata);
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

named_data load_data_for(const trained_model& model, const std::string& named) {
  named_data data{!named.empty() ? named : !model.data.empty() ? model.data : "embedded", {}};
  data.images = load_data(data.name);
  const coldzoom::shape image = model.network.image();
  for (const coldzoom::shape found : {data.images.train.dims, data.images.test.dims}) {
    coldzoom::require(found.with_n(1) == image, data.name.c_str(), [&] {
      return "the images are " + to_string(found.with_n(1)) + ", the model is for " + to_string(image);
    });
  }
  return data;
}

}  // namespace programs
