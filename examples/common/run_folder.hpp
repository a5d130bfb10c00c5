/// The folder of a training run: model, checkpoints, log, sample grids.
#pragma once

#include <algorithm>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace programs {

/// The lines of a text file. Throws coldzoom::error where it cannot be read.
inline std::vector<std::string> log_lines(const std::string& path) {
  std::vector<std::string> lines;
  std::string line;
  for (const std::byte b : coldzoom::read_file(path)) {
    if (static_cast<char>(b) != '\n') {
      line += static_cast<char>(b);
    } else {
      lines.push_back(std::exchange(line, {}));
    }
  }
  return lines;
}

/// DIR/model.safetensors, DIR/checkpoint-EPOCH/{model,state}.safetensors, DIR/log.jsonl,
/// DIR/samples-EPOCH.png. Files and checkpoints are written aside and renamed, so that a kill at any moment
/// leaves whole ones.
class run_folder {
 public:
  /// A new run refuses a folder that holds one; a resumed run needs one with a checkpoint.
  run_folder(std::string path, bool resume) : path_(std::move(path)) {
    std::error_code failure;
    std::filesystem::create_directories(path_, failure);
    coldzoom::require(!failure && std::filesystem::is_directory(path_), path_.c_str(),
                      [&] { return "cannot make this folder: " + failure.message(); });
    coldzoom::write_file_atomically(file(".writable"), std::string());
    std::filesystem::remove(file(".writable"), failure);
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(partial)) std::filesystem::remove_all(entry.path(), failure);  // left by a kill
      if (name.starts_with(checkpoint) && std::filesystem::exists(entry.path() / state)) {
        const std::string number = name.substr(std::string(checkpoint).size());
        if (!number.empty() && number.size() < 9 &&
            number.find_first_not_of("0123456789") == std::string::npos) {
          last_epoch_ = std::max(last_epoch_, std::stoi(number));
        }
      }
    }
    coldzoom::require(resume || (last_epoch_ == 0 && !std::filesystem::exists(file("log.jsonl"))),
                      path_.c_str(),
                      "this folder holds a run already; continue it with --resume or choose another --out");
    coldzoom::require(!resume || last_epoch_ > 0, path_.c_str(),
                      "found no checkpoint to resume; start without --resume");
  }

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// Epoch of the newest whole checkpoint, 0 for none.
  int last_epoch() const { return last_epoch_; }
  std::string state_file(int epoch) const { return checkpoint_folder(epoch) + "/" + state; }

  /// write(folder) fills an empty folder that becomes the checkpoint of `epoch`. Only the two newest keep
  /// their training state; all keep their model.
  template <class Write> void add_checkpoint(int epoch, Write&& write) {
    const std::filesystem::path target = checkpoint_folder(epoch), aside = target.string() + partial;
    std::filesystem::remove_all(aside);
    std::filesystem::create_directory(aside);
    write(aside.string());
    std::filesystem::remove_all(target);
    std::filesystem::rename(aside, target);
    last_epoch_ = epoch;
    if (epoch > 2) std::filesystem::remove(state_file(epoch - 2));
  }

  /// One line an epoch. Lines after `last_epoch` belong to work that is lost, and go.
  void append_log(const nlohmann::ordered_json& line, int last_epoch) const {
    const std::string log = file("log.jsonl");
    std::string text;
    for (const std::string& old :
         std::filesystem::exists(log) ? log_lines(log) : std::vector<std::string>{}) {
      if (nlohmann::json::parse(old).at("epoch").get<int>() <= last_epoch) text += old + "\n";
    }
    coldzoom::write_file_atomically(log, text + line.dump() + "\n");
  }

 private:
  static constexpr const char* checkpoint = "checkpoint-";
  static constexpr const char* partial = ".partial";
  static constexpr const char* state = "state.safetensors";

  std::string checkpoint_folder(int epoch) const { return file(checkpoint + std::to_string(epoch)); }

  std::string path_;
  int last_epoch_ = 0;
};

}  // namespace programs
