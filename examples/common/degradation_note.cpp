#include "common/degradation_note.hpp"

#include <algorithm>
#include <coldzoom/core/file.hpp>
#include <nlohmann/json.hpp>

namespace programs {

using coldzoom::require;

std::string note_path(const std::string& folder) { return folder + "/degradation.json"; }

std::uint64_t degradation_note::sample_of(const std::string& name) const {
  const auto found = std::find(files.begin(), files.end(), name);
  require(found != files.end(), name.c_str(),
          "found no such picture in degradation.json beside it, which knows the draw of each; degrade it "
          "with the "
          "others, or take it to another folder");
  return static_cast<std::uint64_t>(found - files.begin());
}

void save_note(const std::string& folder, const degradation_note& note) {
  const nlohmann::ordered_json json{{"method", note.method},
                                    {"steps", note.settings.steps},
                                    {"numbers", note.settings.numbers},
                                    {"sources", note.settings.sources},
                                    {"step", note.step},
                                    {"seed", note.seed},
                                    {"files", note.files}};
  coldzoom::write_file_atomically(note_path(folder), json.dump(2) + "\n");
}

std::optional<degradation_note> load_note(const std::string& folder) {
  const std::string path = note_path(folder);
  if (!coldzoom::file_exists(path)) return std::nullopt;
  const std::vector<std::byte> bytes = coldzoom::read_file(path);
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  degradation_note note;
  try {
    const auto json = nlohmann::json::parse(text, text + bytes.size());
    json.at("method").get_to(note.method);
    json.at("steps").get_to(note.settings.steps);
    json.at("numbers").get_to(note.settings.numbers);
    json.at("sources").get_to(note.settings.sources);
    json.at("step").get_to(note.step);
    json.at("seed").get_to(note.seed);
    json.at("files").get_to(note.files);
  } catch (const nlohmann::json::exception& failure) {
    throw coldzoom::error(path, std::string("found no note of the program degrade: ") + failure.what());
  }
  return note;
}

void check_note(const std::string& folder, const degradation_note& note, const model_method& method) {
  const std::string path = note_path(folder);
  require(note.method == method.name(), path.c_str(), [&] {
    return "found pictures degraded by " + note.method + ", the model undoes " + method.name();
  });
  require(note.settings.steps == method.steps && note.step >= 1 && note.step <= method.steps, path.c_str(),
          [&] {
            return "found step " + std::to_string(note.step) + " of " + std::to_string(note.settings.steps) +
                   ", the model knows the steps of " + std::to_string(method.steps);
          });
  for (const auto& own : method.numbers) {
    const auto found = note.settings.numbers.find(own.first);
    const bool same = found != note.settings.numbers.end() && found->second == own.second;
    require(same, path.c_str(),
            [&] { return "found another " + own.first + " than the model's, " + spoken(own.second); });
  }
  for (const method_source& source : method.entry->info().sources) {
    const std::string noted = note.settings.source(source.name), own = method.source(source.name);
    require(noted == own, path.c_str(),
            [&] { return "found " + source.name + " = '" + noted + "', the model has '" + own + "'"; });
  }
}

}  // namespace programs
