#include "common/run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <coldzoom/io/safetensors.hpp>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/finite.hpp"
#include "common/program.hpp"
#include "common/safetensors.hpp"

namespace programs {

namespace {

constexpr const char* checkpoint = "checkpoint-";
constexpr const char* partial = ".partial";
constexpr const char* state = "state.safetensors";

std::string checkpoint_folder(const std::string& folder, int epoch) {
  return folder + "/" + checkpoint + std::to_string(epoch);
}

/// Whether an atomic_file that was never finished left it: "model.safetensors.tmp123-0".
bool is_leftover(const std::string& name) {
  const std::size_t mark = name.rfind(".tmp");
  if (mark == std::string::npos) return name.ends_with(partial);
  const std::string number = name.substr(mark + 4);
  return !number.empty() && number.find('-') != std::string::npos &&
         number.find_first_not_of("0123456789-") == std::string::npos;
}

bool is_whole(const std::string& safetensors) {
  try {
    coldzoom::load_safetensors(safetensors);
    return true;
  } catch (const coldzoom::error&) {
    return false;
  }
}

}  // namespace

/// The lock is the kernel's, on the folder itself: no file stands for it, and it ends with the process.
struct run_folder::lock {
  explicit lock(const std::string& folder)
      : held(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    // File systems that know no locks are used without one.
    const bool taken = held.get() >= 0 && ::flock(held.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    coldzoom::require(!taken, folder.c_str(),
                      "another program trains into this folder; choose another --out, or wait for its end");
  }

  coldzoom::detail::file_handle held;
};

std::vector<std::string> log_lines(const std::string& path) {
  std::vector<std::string> lines;
  std::string line;
  const auto take = [&] {
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(std::exchange(line, {}));
  };
  for (const std::byte b : coldzoom::read_file(path)) {
    if (static_cast<char>(b) == '\n') {
      take();
    } else {
      line += static_cast<char>(b);
    }
  }
  if (!line.empty()) take();
  return lines;
}

run_folder::run_folder(std::string path, bool resume) : path_(std::move(path)) {
  coldzoom::require(!resume || std::filesystem::is_directory(path_), path_.c_str(),
                    "found no such folder, and so nothing to resume; start without --resume");
  make_folder(path_);
  lock_ = std::make_unique<lock>(path_);
  coldzoom::write_file_atomically(file(".writable"), std::string());
  std::error_code failure;
  std::filesystem::remove(file(".writable"), failure);
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    const std::string name = entry.path().filename().string();
    if (is_leftover(name)) {
      std::filesystem::remove_all(entry.path(), failure);
    } else if (name.starts_with(checkpoint) && std::filesystem::exists(entry.path() / state)) {
      const std::string number = name.substr(std::string(checkpoint).size());
      if (!number.empty() && number.size() < 9 &&
          number.find_first_not_of("0123456789") == std::string::npos) {
        checkpoints_.insert(std::stoi(number));
      }
    }
  }
  const bool holds_model = std::filesystem::exists(file("model.safetensors"));
  coldzoom::require(resume || (checkpoints_.empty() && !holds_model), path_.c_str(),
                    "this folder holds a run already; continue it with --resume or choose another --out");
  coldzoom::require(!resume || !checkpoints_.empty() || !holds_model, path_.c_str(),
                    "found a model and no checkpoint to resume; choose another --out");
  if (!checkpoints_.empty()) last_epoch_ = *checkpoints_.rbegin();
}

run_folder::~run_folder() = default;

void run_folder::resume(int epochs, const std::function<void(const std::string&)>& load) {
  if (checkpoints_.empty()) {
    std::printf("found no checkpoint in %s; starts from the beginning\n", path_.c_str());
    return;
  }
  for (auto epoch = checkpoints_.rbegin(); epoch != checkpoints_.rend(); ++epoch) {
    const std::string path = state_file(*epoch);
    try {
      load(path);
      last_epoch_ = *epoch;
      break;
    } catch (const coldzoom::error& failure) {
      // The settings of a whole file may be others than those of this run, as they would be in an older one.
      if (std::next(epoch) == checkpoints_.rend() || is_whole(path)) throw;
      std::fprintf(stderr, "%s; goes on from the checkpoint before\n", failure.what());
    }
  }
  if (last_epoch_ >= epochs) {
    std::printf("all %d epochs are there already; nothing to do\n", epochs);
  } else {
    std::printf("resumed after epoch %d\n", last_epoch_);
  }
}

std::string run_folder::state_file(const std::string& folder, int epoch) {
  return checkpoint_folder(folder, epoch) + "/" + state;
}

void run_folder::add_checkpoint(int epoch, const std::function<void(const std::string&)>& write) {
  const std::filesystem::path target = checkpoint_folder(path_, epoch), aside = target.string() + partial;
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
    const auto entry = nlohmann::ordered_json::parse(old, nullptr, false);
    const bool lost = entry.is_object() && entry.contains("epoch") && entry["epoch"].is_number() &&
                      entry["epoch"].get<double>() > last_epoch;
    if (!lost) text += old + "\n";
  }
  coldzoom::write_file_atomically(log, text + line.dump() + "\n");
}

void check_finite_training(const run_folder& folder, int epoch, double train_loss, double test_loss,
                           const std::vector<float>& weights) {
  const bool sound = std::isfinite(train_loss) && std::isfinite(test_loss) && all_finite(weights);
  coldzoom::require(sound, ("epoch " + std::to_string(epoch)).c_str(), [&] {
    const int last = folder.last_epoch();
    return "the losses or the weights are not finite; try a smaller --learning-rate; " +
           (last == 0 ? std::string("nothing is saved")
                      : "the model of epoch " + std::to_string(last) + " stays");
  });
}

}  // namespace programs
