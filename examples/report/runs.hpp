/// What the page says of runs: read from their folders, checked against each other, with their samples.
#pragma once

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/confidence.hpp"
#include "common/model.hpp"
#include "common/run_log.hpp"

namespace programs::report {

/// What the user wants on the page.
struct settings {
  std::vector<std::string> runs, samples, scores, floors;
  std::string out = "report.html", title = "Training runs compared", classifier;
  double threshold = 0.9;
  coldzoom::index_t count = 500, grid = 50;
  std::uint64_t seed = 0;
  machine_choice on;
};

/// Scores and where they stand.
struct scores_at {
  std::string file;
  nlohmann::ordered_json scores;
};

/// All that the page says of one run.
struct run_report {
  std::string folder, name;
  loss_log losses;
  trained_model model;
  std::map<std::string, std::string> training;  // settings that only the training state holds
  std::vector<scores_at> by_epoch;              // metrics.jsonl
  std::optional<scores_at> last_scores;
  std::string samples_from;
  sorted_samples sorted;
  std::array<double, digit_classifier::classes> class_share{};

  coldzoom::index_t sample_count() const { return sorted.good.dims.n + sorted.bad.dims.n; }
};

run_report read_run(const std::string& folder);

/// Shortest names that tell the runs apart: the last folder, or the whole path.
void name_runs(std::vector<run_report>& runs);

/// A setting of the training state, empty where there is none.
std::string training_setting(const run_report& run, const char* key);

/// Throws coldzoom::error where runs or scores of different data would stand side by side.
void require_one_data_set(const std::vector<run_report>& runs);

/// The floor of these scores, if one of the files has it.
const nlohmann::ordered_json* floor_of(const std::vector<scores_at>& floors,
                                       const nlohmann::ordered_json& scores);

/// Throws coldzoom::error for a floor that fits no scores, which would be left out in silence.
void require_used(const std::vector<scores_at>& floors, const std::vector<run_report>& runs);

/// Parts the samples of a run by the classifier: those of a file, or as many as the settings say, drawn.
void sort_samples(machine& m, const classifier_model& classifier, run_report& run, const std::string& file,
                  const settings& s);

/// As printf.
std::string format(const char* how, double value);

}  // namespace programs::report
