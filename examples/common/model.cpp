#include "common/model.hpp"

#include <array>
#include <coldzoom/core/file.hpp>
#include <coldzoom/training/checkpoint.hpp>

#include "common/data.hpp"
#include "common/file_metadata.hpp"
#include "common/finite.hpp"
#include "common/program.hpp"
#include "common/safetensors.hpp"

namespace programs {

std::string spoken(const std::string& target) {
  return target == coldzoom::predict_x0::name ? target : "the " + target;
}

void save_model(const std::string& path, const trained_model& model) {
  coldzoom::safetensors_file file;
  coldzoom::add_parameters(file, model.network, model.parameters);
  model.network.on_backends().add_constants(file);
  const model_method& m = model.method;
  const coldzoom::shape image = model.network.image();
  file.metadata = {{"format_version", "1"},
                   {"library", std::string("coldzoom ") + COLDZOOM_VERSION_STRING},
                   {"kind", m.name()},
                   {"network", model.network.name()},
                   {"image", join(std::array{image.c, image.h, image.w})},
                   {"steps", std::to_string(m.steps)},
                   {"last_step", std::to_string(m.last_step)},
                   {"target", m.entry->target()},
                   {"value_range", value_range::name},
                   {"data", model.data}};
  for (const auto& [name, values] : model.network.settings().lists) file.metadata[name] = join(values);
  for (const auto& [name, value] : m.numbers) file.metadata[name] = coldzoom::exact_number(value);
  for (const auto& [name, value] : m.sources) file.metadata[name] = value;
  if (model.histogram) file.metadata["latent.histogram"] = join(*model.histogram);
  coldzoom::save_safetensors(path, file);
}

trained_model load_model(const std::string& path, const std::string& kind) {
  using coldzoom::require;
  const coldzoom::safetensors_file file = coldzoom::load_safetensors(path);
  const file_metadata metadata(file.source, file.metadata);
  metadata.expect("format_version", "1");
  metadata.expect("value_range", value_range::name);
  const std::string stored = metadata.text("kind"), known = stored.empty() ? kind : stored;
  require(!known.empty(), path.c_str(), "the file does not say what kind of model it is; give --kind");
  require(kind.empty() || known == kind, path.c_str(),
          [&] { return "the file holds a " + stored + " model, --kind says " + kind; });
  const method_entry& entry = find_method(path, known);
  metadata.expect("target", entry.target());

  model_network network =
      network_of(file, [&](coldzoom::shape image) { return entry.input_channels(image); });
  std::vector<float> parameters = coldzoom::read_parameters(file, network);
  require(all_finite(parameters), path.c_str(),
          "found weights that are not finite; take the model of an earlier epoch");
  const method_settings& original = entry.info().original;
  model_method method{original, &entry};
  method.steps = metadata.number("steps", 1, entry.most_steps(network.image()), original.steps);
  // A file that names no last step names no shorter one; only the original's own files have neither.
  method.last_step = metadata.number("last_step", 1, method.steps,
                                     metadata.text("steps").empty() ? original.last_step : method.steps);
  for (const method_number& number : entry.info().numbers) {
    const std::string text = metadata.text(number.name.c_str());
    if (text.empty()) continue;
    const double value = std::strtod(text.c_str(), nullptr);
    require(number.fits(value), path.c_str(), [&] {
      return "found " + number.name + " '" + text + "', wanted a number between " + spoken(number.low) +
             " and " + spoken(number.high);
    });
    method.numbers[number.name] = value;
  }
  for (const method_source& source : entry.info().sources) {
    const std::string text = metadata.text(source.name.c_str());
    if (!text.empty()) method.sources[source.name] = text;
  }
  return {method, metadata.text("data"), metadata.counts("latent.histogram"), std::move(network),
          std::move(parameters)};
}

named_data load_data_for(const trained_model& model, const std::string& named) {
  const std::string name = !named.empty() ? named : !model.data.empty() ? model.data : "embedded";
  return {name, load_data(name, images_of(model.network.image()))};
}

}  // namespace programs
