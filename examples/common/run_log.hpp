/// What a run has written down: its losses (log.jsonl) and its scores (metrics.jsonl), and how losses are
/// drawn.
#pragma once

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/plot.hpp"
#include "common/run_folder.hpp"

namespace programs {

/// use(object) for each line of a .jsonl file. Throws coldzoom::error with file and line where a line is no
/// JSON object, or `use` does not find in it what it wants.
template <class Use> void for_each_json_line(const std::string& path, Use&& use) {
  int number = 0;
  for (const std::string& line : log_lines(path)) {
    ++number;
    try {
      use(nlohmann::ordered_json::parse(line));
    } catch (const nlohmann::json::exception& e) {
      throw coldzoom::error(path, "line " + std::to_string(number) + " is no log entry: " + e.what());
    }
  }
}

/// Losses by epoch, at least one.
struct loss_log {
  std::vector<double> epochs, train, test;
  double seconds = 0;           // of all epochs
  nlohmann::ordered_json last;  // line of log.jsonl

  double best_test() const { return *std::min_element(test.begin(), test.end()); }
};

/// Reads RUN/log.jsonl. Throws coldzoom::error where it is missing, empty or holds something else.
inline loss_log read_losses(const std::string& run) {
  const std::string path = run + "/log.jsonl";
  loss_log log;
  for_each_json_line(path, [&](const nlohmann::ordered_json& line) {
    log.epochs.push_back(line.at("epoch").get<double>());
    log.train.push_back(line.at("train_loss").get<double>());
    log.test.push_back(line.at("test_loss").get<double>());
    log.seconds += line.at("seconds").get<double>();
    line.at("images_per_second").get<double>();
    log.last = line;
  });
  coldzoom::require(!log.epochs.empty(), path.c_str(), "found no epochs, wanted at least one line");
  return log;
}

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

/// Throws coldzoom::error, blaming `where`, unless `scores` is an object that has all fields.
inline void check_scores(const std::string& where, const nlohmann::ordered_json& scores) {
  for (const score_field& field : score_fields) {
    coldzoom::require(
        scores.is_object() && scores.contains(field.key) && scores[field.key].is_number(), where.c_str(),
        [&] { return "found no number '" + std::string(field.key) + "', wanted the scores of evaluate"; });
  }
  for (const char* key : {"n", "reference", "features", "frechet_infinity_interval", "kid_error"}) {
    coldzoom::require(scores.contains(key), where.c_str(),
                      [&] { return "found no '" + std::string(key) + "', wanted the scores of evaluate"; });
  }
}

/// What evaluate --json wrote. Throws coldzoom::error where the file is missing or something else.
inline nlohmann::ordered_json read_scores(const std::string& path) {
  const std::vector<std::byte> bytes = coldzoom::read_file(path);
  const char* text = reinterpret_cast<const char*>(bytes.data());
  nlohmann::ordered_json scores = nlohmann::ordered_json::parse(text, text + bytes.size(), nullptr, false);
  check_scores(path, scores);
  return scores;
}

/// Throws coldzoom::error, blaming `where`, unless both have the same n, reference and features.
inline void require_comparable(const std::string& where, const nlohmann::ordered_json& scores,
                               const std::string& other_name, const nlohmann::ordered_json& other) {
  for (const char* key : {"n", "reference", "features"}) {
    coldzoom::require(scores[key] == other[key], where.c_str(), [&] {
      return "found " + std::string(key) + " " + scores[key].dump() + ", wanted " + other[key].dump() +
             " as in " + other_name + "; such scores cannot be compared";
    });
  }
}

/// "3.14", or "0.7 ± 0.2" of a score that has an error.
inline std::string score_text(const score_field& field, const nlohmann::ordered_json& scores) {
  char text[64];
  const double value = field.factor * scores[field.key].get<double>();
  double error = 0;
  if (field.key == std::string("kid")) error = field.factor * scores["kid_error"].get<double>();
  if (field.key == std::string("frechet_infinity")) {
    const auto& interval = scores["frechet_infinity_interval"];
    error = (interval.at(1).get<double>() - interval.at(0).get<double>()) / 2;
  }
  if (error > 0) {
    std::snprintf(text, sizeof text, "%.*f ± %.*f", field.digits, value, field.digits, error);
  } else {
    std::snprintf(text, sizeof text, "%.*f", field.digits, value);
  }
  return text;
}

/// A colour and a mark for each of up to 8 runs; told apart by the colour-blind, and on grey paper by the
/// mark.
inline constexpr const char* run_colours[] = {"#4477aa", "#ee6677", "#228833", "#aa3377",
                                              "#cc9900", "#33aacc", "#000000", "#888866"};
inline constexpr int run_marks[] = {7, 5, 9, 13, 11, 4, 6, 8};

/// "linespoints ..." of run i.
inline std::string run_style(std::size_t i) {
  return "linespoints lw 2 ps 0.6 pt " + std::to_string(run_marks[i]) + " lc rgb '" + run_colours[i] + "'";
}

/// Losses of up to 8 runs in one chart: test as solid lines, training as dashed ones.
inline chart loss_chart(const std::string& title, const std::vector<std::string>& names,
                        const std::vector<const loss_log*>& logs) {
  chart c{title, "epoch", "mean squared error (dashed: training)", {}, "above", ""};
  double lowest = logs.front()->best_test(), highest = 0;
  for (std::size_t i = 0; i < logs.size(); ++i) {
    const loss_log& log = *logs[i];
    lowest = std::min({lowest, log.best_test(), *std::min_element(log.train.begin(), log.train.end())});
    highest = std::max({highest, log.train.front(), log.test.front()});
    c.curves.push_back({names[i], log.epochs, log.test, run_style(i)});
    c.curves.push_back(
        {"", log.epochs, log.train, std::string("lines lw 1.5 dt 2 lc rgb '") + run_colours[i] + "'"});
  }
  char axis[200];
  std::snprintf(axis, sizeof axis,
                "set logscale y\nset xrange [0:*]\nset yrange [%g:%g]\nset format y '%%.3f'\n"
                "set ytics add (0.015, 0.02, 0.03, 0.05, 0.07, 0.15, 0.2, 0.3, 0.5)",
                lowest / 1.1, highest * 1.1);
  c.more = axis;
  return c;
}

}  // namespace programs
