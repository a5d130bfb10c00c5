/// What a run has written down: its losses (log.jsonl) and its scores (metrics.jsonl), and how losses are
/// drawn.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/plot.hpp"

namespace programs {

/// use(object) for each line of a .jsonl file. Throws coldzoom::error with file and line where a line is no
/// JSON object, or `use` does not find in it what it wants.
void for_each_json_line(const std::string& path,
                        const std::function<void(const nlohmann::ordered_json&)>& use);

/// Losses by epoch, at least one.
struct loss_log {
  std::vector<double> epochs, train, test;
  double seconds = 0;            // of all epochs
  double images_per_second = 0;  // of the last

  double best_test() const;
};

/// Reads RUN/log.jsonl. Throws coldzoom::error where it is missing, empty or holds something else.
loss_log read_losses(const std::string& run);

/// One score of evaluate, as tables and plots show it.
struct score_field {
  const char *key, *title, *unit;
  double factor;   // shown is the value times this
  int digits;      // after the point
  int better;      // -1: the lower the better, 1: the higher, 0: neither
  bool has_floor;  // real training images have a score worth comparing with
};
inline constexpr score_field score_fields[] = {
    {"frechet_distance", "Frechet distance", "squared distance", 1, 2, -1, true},
    {"frechet_infinity", "Frechet distance at infinite n", "squared distance", 1, 2, -1, true},
    {"kid", "Kernel distance (KID)", "KID x 1000", 1000, 2, -1, true},
    {"precision", "Precision", "share of samples", 1, 3, 1, true},
    {"recall", "Recall", "share of real digits", 1, 3, 1, true},
    {"density", "Density", "neighbourhoods a sample", 1, 2, 1, true},
    {"coverage", "Coverage", "share of real digits", 1, 3, 1, true},
    {"inception_score", "Classifier score", "1 to 10", 1, 2, 1, true},
    {"class_kl", "Class divergence (KL)", "nats", 1, 4, -1, true},
    {"total_variation", "Total variation of classes", "share of samples", 1, 3, -1, true},
    {"unconfident_share", "No clear digit", "share below confidence 0.9", 1, 3, -1, true},
    {"copy_share", "Near a training image", "share of samples", 1, 3, -1, false},
    {"duplicate_share", "Near another sample", "share of samples", 1, 3, -1, true}};

/// Throws coldzoom::error, blaming `where`, unless `scores` is an object that has all fields, numbers or null.
void check_scores(const std::string& where, const nlohmann::ordered_json& scores);

/// What evaluate --json wrote. Throws coldzoom::error where the file is missing or something else.
nlohmann::ordered_json read_scores(const std::string& path);

/// Throws coldzoom::error, blaming `where`, unless both have the same n, reference and features.
void require_comparable(const std::string& where, const nlohmann::ordered_json& scores,
                        const std::string& other_name, const nlohmann::ordered_json& other);

/// Nothing for a score that is null, for it is not known.
std::optional<double> score_value(const nlohmann::ordered_json& scores, const char* key);

/// "3.14", or "0.7 ± 0.2" of a score that has an error, or "not known".
std::string score_text(const score_field& field, const nlohmann::ordered_json& scores);

/// A colour and a mark for each of up to 8 runs; told apart by the colour-blind, and on grey paper by the
/// mark.
inline constexpr const char* run_colours[] = {"#4477aa", "#ee6677", "#228833", "#aa3377",
                                              "#cc9900", "#33aacc", "#000000", "#888866"};
inline constexpr int run_marks[] = {7, 5, 9, 13, 11, 4, 6, 8};

/// "linespoints ..." of run i.
std::string run_style(std::size_t i);

/// Losses of up to 8 runs in one chart: test as solid lines, training as dashed ones.
chart loss_chart(const std::string& title, const std::vector<std::string>& names,
                 const std::vector<const loss_log*>& logs);

}  // namespace programs
