#include "report/tables.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "common/html.hpp"

namespace programs::report {

using nlohmann::ordered_json;

namespace {

/// Text of which a narrow column may break long names and paths and lists, rather than anywhere within a
/// word.
std::string breakable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += html::escape(std::string(1, c)) + (c == '_' || c == '/' || c == ',' ? "<wbr>" : "");
  }
  return out;
}

std::vector<std::string> run_headings(const std::vector<run_report>& runs) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < runs.size(); ++i) out.push_back(run_heading(runs[i], i));
  return out;
}

/// A number as the user gave it, not with the 17 digits of the file.
std::string short_number(const std::string& text) {
  return text.empty() ? text : format("%.6g", std::strtod(text.c_str(), nullptr));
}

/// One row of settings, marked where the runs differ.
template <class Value>
html::row setting_row(const std::string& label, const std::vector<run_report>& runs, Value&& value) {
  html::row row{label, {}, false};
  for (const run_report& run : runs) {
    const std::string text = value(run);
    row.cells.push_back({text.empty() ? "&ndash;" : breakable(text)});
    if (row.cells.back().markup != row.cells.front().markup) row.marked = true;
  }
  return row;
}

/// One row of numbers; the best is strong where `better` says what is best and there is something to choose
/// from.
html::row number_row(const std::string& label, const std::vector<std::optional<double>>& values,
                     const std::vector<std::string>& texts, int better) {
  html::row row{label, {}, false};
  std::optional<double> best, worst;
  for (const std::optional<double>& value : values) {
    if (!value) continue;
    if (!best || better * *value > better * *best) best = value;
    if (!worst || better * *value < better * *worst) worst = value;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    row.cells.push_back({values[i] ? texts[i] : "&ndash;", best != worst && values[i] == best});
  }
  return row;
}

/// A score whose error stays with its sign where a narrow column breaks the line.
std::string score_markup(const score_field& field, const ordered_json& scores) {
  std::string text = score_text(field, scores);
  const std::string from = "± ", to = "±&nbsp;";
  if (const std::size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

std::string arrow(int better) { return better < 0 ? " &darr;" : better > 0 ? " &uarr;" : ""; }

}  // namespace

std::string run_heading(const run_report& run, std::size_t i) {
  return std::string("<span class=\"chip\" style=\"background:") + run_colours[i] + "\"></span>" +
         breakable(run.name);
}

std::string settings_table(const std::vector<run_report>& runs) {
  const auto state = [](const char* key) {
    return [key](const run_report& run) { return training_setting(run, key); };
  };
  const auto number = [](const char* key) {
    return [key](const run_report& run) { return short_number(training_setting(run, key)); };
  };
  const auto add = [&](std::vector<html::row>& rows, const char* label, auto&& value) {
    rows.push_back(setting_row(label, runs, value));
  };
  std::vector<html::row> rows;
  add(rows, "folder", [](const run_report& run) { return run.folder; });
  add(rows, "kind", [](const run_report& run) { return run.model.method.name(); });
  add(rows, "network predicts", [](const run_report& run) { return run.model.method.entry->target(); });
  add(rows, "steps T", [](const run_report& run) { return std::to_string(run.model.method.steps); });
  add(rows, "last trained step",
      [](const run_report& run) { return std::to_string(run.model.method.last_step); });
  std::map<std::string, std::string> numbers;  // of all methods: help by name
  for (const run_report& run : runs) {
    for (const method_number& own : run.model.method.entry->info().numbers) numbers[own.name] = own.help;
  }
  for (const auto& [name, help] : numbers) {
    add(rows, help.c_str(), [name = name](const run_report& run) {
      const auto found = run.model.method.numbers.find(name);
      return found == run.model.method.numbers.end() ? std::string() : spoken(found->second);
    });
  }
  add(rows, "network", [](const run_report& run) { return run.model.network.name(); });
  std::map<std::string, std::string> options;  // of all networks: help by name
  for (const run_report& run : runs) {
    for (const auto& option : run.model.network.entry().info().options) options[option.name] = option.help;
  }
  for (const auto& [name, help] : options) {
    add(rows, help.c_str(), [&, name = name](const run_report& run) {
      const auto& lists = run.model.network.settings().lists;
      const auto at = lists.find(name);
      return at == lists.end() ? std::string() : join(at->second);
    });
  }
  add(rows, "parameters",
      [](const run_report& run) { return std::to_string(coldzoom::parameter_count(run.model.network)); });
  add(rows, "data", [](const run_report& run) { return run.model.data; });
  add(rows, "training images", state("train_images"));
  add(rows, "batch size", state("batch_size"));
  add(rows, "learning rate", number("learning_rate"));
  add(rows, "decay of the rate", [](const run_report& run) {
    const std::string decay = training_setting(run, "decay");
    return decay == "cosine" ? decay + " over " + training_setting(run, "epochs") + " epochs, warm-up " +
                                   training_setting(run, "warmup")
                             : decay;
  });
  add(rows, "decay of averaged weights", [](const run_report& run) {
    const std::string decay = short_number(training_setting(run, "average.decay"));
    return decay.empty() && !run.training.empty() ? std::string("no average") : decay;
  });
  add(rows, "seed", state("seed"));
  return html::table(run_headings(runs), rows);
}

std::string numbers_table(const std::vector<run_report>& runs, const ordered_json* floor, const settings& s) {
  std::vector<html::row> rows;
  const auto add = [&](const std::string& label, const char* how, int better, auto&& number) {
    std::vector<std::optional<double>> values;
    std::vector<std::string> texts;
    for (const run_report& run : runs) {
      values.push_back(number(run));
      texts.push_back(values.back() ? format(how, *values.back()) : "");
    }
    rows.push_back(number_row(label, values, texts, better));
    if (floor) rows.back().cells.push_back({"&ndash;"});
  };
  using maybe = std::optional<double>;
  const bool one_target = std::all_of(runs.begin(), runs.end(), [&](const run_report& run) {
    return run.model.method.entry->target() == runs.front().model.method.entry->target();
  });
  const int loss_better = one_target ? -1 : 0;  // errors of different things
  add("epochs", "%.0f", 0, [](const run_report& run) { return maybe(run.losses.epochs.back()); });
  add("training loss", "%.5f", 0, [](const run_report& run) { return maybe(run.losses.train.back()); });
  add("test loss" + arrow(loss_better), "%.5f", loss_better,
      [](const run_report& run) { return maybe(run.losses.test.back()); });
  add("least test loss" + arrow(loss_better), "%.5f", loss_better,
      [](const run_report& run) { return maybe(run.losses.best_test()); });
  add("training time in minutes", "%.1f", 0,
      [](const run_report& run) { return maybe(run.losses.seconds / 60); });
  add("samples looked at", "%.0f", 0,
      [](const run_report& run) { return maybe(static_cast<double>(run.sample_count())); });
  add("of these of confidence " + format("%g", s.threshold) + " or more, % &uarr;", "%.1f", 1,
      [](const run_report& run) {
        return maybe(100 * static_cast<double>(run.sorted.good.dims.n) /
                     static_cast<double>(run.sample_count()));
      });
  const bool scored =
      std::any_of(runs.begin(), runs.end(), [](const run_report& run) { return run.last_scores; });
  if (scored) {
    add("samples scored, n", "%.0f", 0, [](const run_report& run) {
      return run.last_scores ? maybe(run.last_scores->scores["n"].get<double>()) : maybe();
    });
    if (floor) rows.back().cells.back() = {(*floor)["n"].dump()};
  }
  for (const score_field& field : score_fields) {
    if (!scored) break;
    std::vector<maybe> values;
    std::vector<std::string> texts;
    for (const run_report& run : runs) {
      values.push_back(run.last_scores ? score_value(run.last_scores->scores, field.key) : maybe());
      texts.push_back(run.last_scores ? score_markup(field, run.last_scores->scores) : "");
    }
    const std::string label =
        field.title + arrow(field.better) + " <small>" + html::escape(field.unit) + "</small>";
    rows.push_back(number_row(label, values, texts, field.better));
    if (floor) rows.back().cells.push_back({field.has_floor ? score_markup(field, *floor) : "&ndash;"});
  }
  std::vector<std::string> headings = run_headings(runs);
  if (floor) headings.emplace_back("real digits");
  return html::table(headings, rows);
}

}  // namespace programs::report
