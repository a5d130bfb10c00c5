/// The folder of a training run: model, checkpoints, log, sample grids.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

namespace programs {

/// The lines of a text file, with any line ends; the last one needs none. Throws coldzoom::error where the file cannot
/// be read.
std::vector<std::string> log_lines(const std::string& path);

/// DIR/model.safetensors, DIR/checkpoint-EPOCH/{model,state}.safetensors, DIR/log.jsonl,
/// DIR/samples-EPOCH.png. Files and checkpoints are written aside and renamed, so that a kill at any moment
/// leaves whole ones. What such a kill leaves aside goes when the next run starts.
class run_folder {
 public:
  /// Locks the folder until the end, also by a crash. A new run refuses a folder that holds a checkpoint or a model; a run
  /// that ended before its first checkpoint may start again with and without `resume`. Throws coldzoom::error for
  /// that, for a resumed run without a folder, and where another program has the lock.
  run_folder(std::string path, bool resume);
  ~run_folder();

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// Epoch of the newest checkpoint, 0 for none; after `resume` of the one that was read.
  int last_epoch() const { return last_epoch_; }
  std::string state_file(int epoch) const { return state_file(path_, epoch); }
  static std::string state_file(const std::string& folder, int epoch);

  /// load(state file), which throws and changes nothing where it cannot, of the newest checkpoint that can be read, and says on stdout where the run goes on, of `epochs`. Where
  /// a newer one is damaged, says so on stderr. Throws coldzoom::error where none can be read.
  void resume(int epochs, const std::function<void(const std::string&)>& load);

  /// write(folder) fills an empty folder that becomes the checkpoint of `epoch`. Only the two newest keep
  /// their training state; all keep their model.
  void add_checkpoint(int epoch, const std::function<void(const std::string&)>& write);

  /// One line an epoch. Lines after `last_epoch` belong to work that is lost, and go; other lines stay, whatever they
  /// are.
  void append_log(const nlohmann::ordered_json& line, int last_epoch) const;

 private:
  struct lock;

  std::string path_;
  std::unique_ptr<lock> lock_;
  std::set<int> checkpoints_;  // with their state
  int last_epoch_ = 0;
};

/// Throws coldzoom::error, which says what stands in the folder all the same, where an epoch ended in losses or weights that
/// are not finite: nothing of it is to be saved.
void check_finite_training(const run_folder& folder, int epoch, double train_loss, double test_loss,
                           const std::vector<float>& weights);

}  // namespace programs
