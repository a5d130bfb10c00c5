/// The folder of a training run: model, checkpoints, log, sample grids.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace programs {

/// The lines of a text file. Throws coldzoom::error where it cannot be read.
std::vector<std::string> log_lines(const std::string& path);

/// DIR/model.safetensors, DIR/checkpoint-EPOCH/{model,state}.safetensors, DIR/log.jsonl,
/// DIR/samples-EPOCH.png. Files and checkpoints are written aside and renamed, so that a kill at any moment
/// leaves whole ones.
class run_folder {
 public:
  /// A new run refuses a folder that holds one; a resumed run needs one with a checkpoint.
  run_folder(std::string path, bool resume);

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// Epoch of the newest whole checkpoint, 0 for none.
  int last_epoch() const { return last_epoch_; }
  std::string state_file(int epoch) const;

  /// write(folder) fills an empty folder that becomes the checkpoint of `epoch`. Only the two newest keep
  /// their training state; all keep their model.
  void add_checkpoint(int epoch, const std::function<void(const std::string&)>& write);

  /// One line an epoch. Lines after `last_epoch` belong to work that is lost, and go.
  void append_log(const nlohmann::ordered_json& line, int last_epoch) const;

 private:
  std::string checkpoint_folder(int epoch) const;

  std::string path_;
  int last_epoch_ = 0;
};

}  // namespace programs
