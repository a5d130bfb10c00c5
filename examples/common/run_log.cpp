#include "common/run_log.hpp"

#include <algorithm>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/run_folder.hpp"

namespace programs {

void for_each_json_line(const std::string& path,
                        const std::function<void(const nlohmann::ordered_json&)>& use) {
  int number = 0;
  for (const std::string& line : log_lines(path)) {
    ++number;
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    try {
      use(nlohmann::ordered_json::parse(line));
    } catch (const nlohmann::ordered_json::exception& e) {
      throw coldzoom::error(path, "line " + std::to_string(number) + " is no log entry: " + e.what());
    }
  }
}

double loss_log::best_test() const { return *std::min_element(test.begin(), test.end()); }

loss_log read_losses(const std::string& run) {
  const std::string path = run + "/log.jsonl";
  loss_log log;
  for_each_json_line(path, [&](const nlohmann::ordered_json& line) {
    log.epochs.push_back(line.at("epoch").get<double>());
    log.train.push_back(line.at("train_loss").get<double>());
    log.test.push_back(line.at("test_loss").get<double>());
    log.seconds += line.at("seconds").get<double>();
    log.images_per_second = line.at("images_per_second").get<double>();
  });
  coldzoom::require(!log.epochs.empty(), path.c_str(), "found no epochs, wanted at least one line");
  return log;
}

void check_scores(const std::string& where, const nlohmann::ordered_json& scores) {
  for (const score_field& field : score_fields) {
    coldzoom::require(
        scores.is_object() && scores.contains(field.key) &&
            (scores[field.key].is_number() || scores[field.key].is_null()),
        where.c_str(),
        [&] { return "found no number '" + std::string(field.key) + "', wanted the scores of evaluate"; });
  }
  for (const char* key : {"n", "reference", "features", "frechet_infinity_interval", "kid_error"}) {
    coldzoom::require(scores.contains(key), where.c_str(),
                      [&] { return "found no '" + std::string(key) + "', wanted the scores of evaluate"; });
  }
}

nlohmann::ordered_json read_scores(const std::string& path) {
  const std::vector<std::byte> bytes = coldzoom::read_file(path);
  const char* text = reinterpret_cast<const char*>(bytes.data());
  nlohmann::ordered_json scores = nlohmann::ordered_json::parse(text, text + bytes.size(), nullptr, false);
  check_scores(path, scores);
  return scores;
}

void require_comparable(const std::string& where, const nlohmann::ordered_json& scores,
                        const std::string& other_name, const nlohmann::ordered_json& other) {
  for (const char* key : {"n", "reference", "features"}) {
    coldzoom::require(scores[key] == other[key], where.c_str(), [&] {
      return "found " + std::string(key) + " " + scores[key].dump() + ", wanted " + other[key].dump() +
             " as in " + other_name + "; such scores cannot be compared";
    });
  }
}

std::optional<double> score_value(const nlohmann::ordered_json& scores, const char* key) {
  const auto found = scores.find(key);
  if (found == scores.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::string score_text(const score_field& field, const nlohmann::ordered_json& scores) {
  char text[64];
  const std::optional<double> known = score_value(scores, field.key);
  if (!known) return "not known";
  const double value = field.factor * *known;
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

std::string run_style(std::size_t i) {
  return "linespoints lw 2 ps 0.6 pt " + std::to_string(run_marks[i]) + " lc rgb '" + run_colours[i] + "'";
}

chart loss_chart(const std::string& title, const std::vector<std::string>& names,
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
