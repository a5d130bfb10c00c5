#include "common/run_folder.hpp"

#include <algorithm>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/program.hpp"

namespace programs {

namespace {

constexpr const char* checkpoint = "checkpoint-";
constexpr const char* partial = ".partial";
constexpr const char* state = "state.safetensors";

}  // namespace

std::vector<std::string> log_lines(const std::string& path) {
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

run_folder::run_folder(std::string path, bool resume) : path_(std::move(path)) {
  make_folder(path_);
  coldzoom::write_file_atomically(file(".writable"), std::string());
  std::error_code failure;
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

std::string run_folder::state_file(int epoch) const { return checkpoint_folder(epoch) + "/" + state; }

void run_folder::add_checkpoint(int epoch, const std::function<void(const std::string&)>& write) {
  const std::filesystem::path target = checkpoint_folder(epoch), aside = target.string() + partial;
  std::filesystem::remove_all(aside);
  std::filesystem::create_directory(aside);
  write(aside.string());
  std::filesystem::remove_all(target);
  std::filesystem::rename(aside, target);
  last_epoch_ = epoch;
  if (epoch > 2) std::filesystem::remove(state_file(epoch - 2));
}

void run_folder::append_log(const nlohmann::ordered_json& line, int last_epoch) const {
  const std::string log = file("log.jsonl");
  std::string text;
  for (const std::string& old : std::filesystem::exists(log) ? log_lines(log) : std::vector<std::string>{}) {
    if (nlohmann::ordered_json::parse(old).at("epoch").get<int>() <= last_epoch) text += old + "\n";
  }
  coldzoom::write_file_atomically(log, text + line.dump() + "\n");
}

std::string run_folder::checkpoint_folder(int epoch) const {
  return file(checkpoint + std::to_string(epoch));
}

}  // namespace programs
