/// One page that compares training runs: settings, numbers, losses, scores, classes, samples.

#include <algorithm>
#include <array>
#include <coldzoom/core/file.hpp>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "common/confidence.hpp"
#include "common/html.hpp"
#include "common/program.hpp"
#include "common/run_log.hpp"
#include "common/safetensors.hpp"
#include "common/sampling.hpp"

namespace {

using namespace coldzoom;
using nlohmann::ordered_json;
using programs::score_field, programs::score_fields;
namespace html = programs::html;

constexpr std::size_t most_runs = std::size(programs::run_colours);

struct settings {
  std::vector<std::string> runs, samples, scores, floors;
  std::string out = "report.html", title = "Training runs compared", classifier;
  double threshold = 0.9;
  index_t count = 500, grid = 50;
  std::uint64_t seed = 0;
  programs::machine_choice on;
};

/// Scores and where they stand.
struct scores_at {
  std::string file;
  ordered_json scores;
};

/// All that the page says of one run.
struct run_report {
  std::string folder, name;
  programs::loss_log losses;
  programs::trained_model model;
  std::map<std::string, std::string> training;  // settings that only the training state holds
  std::vector<scores_at> by_epoch;              // metrics.jsonl
  std::optional<scores_at> last_scores;
  std::string samples_from;
  programs::sorted_samples sorted;
  std::array<double, programs::digit_classifier::classes> class_share{};

  index_t sample_count() const { return sorted.good.dims.n + sorted.bad.dims.n; }
};

std::string format(const char* how, double value) {
  char text[64];
  std::snprintf(text, sizeof text, how, value);
  return text;
}

// ---- reading a run

/// Metadata of the newest training state, empty where there is none. The line of an epoch is written before
/// its checkpoint, so that of a run at work it may still be that of the epoch before.
std::map<std::string, std::string> training_settings_of(const std::string& folder, int last_epoch) {
  for (const int epoch : {last_epoch, last_epoch - 1}) {
    const std::string state = folder + "/checkpoint-" + std::to_string(epoch) + "/state.safetensors";
    if (file_exists(state)) return load_safetensors(state).metadata;
  }
  return {};
}

run_report read_run(const std::string& folder) {
  require(std::filesystem::is_directory(folder), folder.c_str(),
          "found no such folder, wanted one of a training run");
  programs::loss_log losses = programs::read_losses(folder);
  programs::trained_model model = programs::load_model(folder + "/model.safetensors", "");
  run_report run{folder, folder, std::move(losses), std::move(model), {}, {}, {}, {}, {}, {}};
  run.training = training_settings_of(folder, static_cast<int>(run.losses.epochs.back()));
  if (const std::string metrics = folder + "/metrics.jsonl"; file_exists(metrics)) {
    programs::for_each_json_line(metrics, [&](const ordered_json& line) {
      const std::string where = metrics + ", line " + std::to_string(run.by_epoch.size() + 1);
      programs::check_scores(where, line);
      line.at("epoch").get<double>();
      run.by_epoch.push_back({where, line});
    });
  }
  if (!run.by_epoch.empty()) run.last_scores = run.by_epoch.back();
  return run;
}

/// Shortest names that tell the runs apart: the last folder, or the whole path.
void name_runs(std::vector<run_report>& runs) {
  const auto last = [](const std::string& folder) {
    return std::filesystem::weakly_canonical(folder).filename().string();
  };
  for (run_report& run : runs) {
    const auto alike = std::count_if(runs.begin(), runs.end(), [&](const run_report& other) {
      return last(other.folder) == last(run.folder);
    });
    run.name = alike > 1 ? run.folder : last(run.folder);
  }
}

/// A name that fits into a legend: what is too much is taken out of the middle.
std::string short_name(const std::string& name, std::size_t most) {
  return name.size() <= most
             ? name
             : name.substr(0, (most - 2) / 2) + ".." + name.substr(name.size() - (most - 2) / 2);
}

std::string training_setting(const run_report& run, const char* key) {
  const auto at = run.training.find(key);
  return at == run.training.end() ? std::string() : at->second;
}

/// The same pixels and labels where both runs say so by their fingerprints; else the same name, or two names
/// of one folder.
bool same_data(const run_report& a, const run_report& b) {
  const std::string of_a = training_setting(a, "data_fingerprint"),
                    of_b = training_setting(b, "data_fingerprint");
  if (!of_a.empty() && !of_b.empty()) return of_a == of_b;
  std::error_code absent;
  return a.model.data == b.model.data || std::filesystem::equivalent(a.model.data, b.model.data, absent);
}

/// Throws where runs or scores of different data would stand side by side.
void require_one_data_set(const std::vector<run_report>& runs) {
  const run_report& first = runs.front();
  for (const run_report& run : runs) {
    const std::string images = training_setting(run, "train_images"),
                      wanted = training_setting(first, "train_images");
    require(images.empty() || wanted.empty() || images == wanted, run.folder.c_str(), [&] {
      return "found " + images + " training images, wanted " + wanted + " as in " + first.folder +
             "; runs of different data cannot be compared";
    });
    require(same_data(run, first), run.folder.c_str(), [&] {
      return "found data '" + run.model.data + "', wanted '" + first.model.data + "' as in " + first.folder +
             "; runs of different data cannot be compared";
    });
  }
  const scores_at* curves = nullptr;
  const scores_at* last = nullptr;
  for (const run_report& run : runs) {
    for (const scores_at& line : run.by_epoch) {
      if (!curves) curves = &line;
      programs::require_comparable(line.file, line.scores, curves->file, curves->scores);
    }
    if (run.last_scores) {
      if (!last) last = &*run.last_scores;
      programs::require_comparable(run.last_scores->file, run.last_scores->scores, last->file, last->scores);
    }
  }
}

// ---- samples

/// As the training programs draw their grids: in all steps, or by DDIM in at most 50.
programs::image_set draw(programs::machine& m, run_report& run, const settings& s) {
  const programs::trained_model& model = run.model;
  programs::sampling_options options = programs::grid_sampling(model.method, s.count, s.seed);
  const std::string kept = run.folder + "/latents.safetensors";
  const programs::latent_source latents =
      programs::find_latents(m, {"", file_exists(kept) ? kept : "", ""}, model);
  const shape image = model.network.image();
  run.samples_from = "drawn with " + programs::fitting_sampler(*model.method.entry, options) + " in " +
                     std::to_string(programs::network_calls(model.method, options)) + " network calls from " +
                     latents.policy + " latents";
  const auto method = model.method.on(m);
  return {image.with_n(s.count),
          programs::to_unit(method->run(model.network, model.parameters)->draw(latents, options))};
}

void sort_samples(programs::machine& m, const programs::classifier_model& classifier, run_report& run,
                  const std::string& file, const settings& s) {
  const shape image = run.model.network.image();
  require(image == classifier.network.image(), run.folder.c_str(), [&] {
    return "the model draws " + to_string(image) + ", the classifier wants " +
           to_string(classifier.network.image());
  });
  if (!file.empty()) run.samples_from = "from " + file;
  const programs::image_set samples = file.empty() ? draw(m, run, s) : programs::load_samples(file, image);
  const std::vector<programs::judgement> judgements =
      programs::judge(m.host(), *programs::run(m, classifier), samples.view());
  for (const programs::judgement& j : judgements) {
    run.class_share[static_cast<std::size_t>(j.digit)] += 1 / static_cast<double>(judgements.size());
  }
  run.sorted = programs::sort_by_confidence(samples, judgements, s.threshold);
}

// ---- pictures

/// The pictures of the page: each a PNG in a folder beside it, and within it.
class picture_book {
 public:
  /// OUT without its ending, and "_files".
  explicit picture_book(const std::string& page)
      : folder_(std::filesystem::path(page).replace_extension().string() + "_files") {
    programs::make_folder(folder_);
  }

  const std::string& folder() const { return folder_; }

  std::string add(const std::string& name, const programs::chart& chart, int width, int height) {
    programs::save_charts(file(name + ".png"), {chart}, 1, width, height);
    const std::string svg = file(name + ".svg");
    programs::save_charts(svg, {chart}, 1, width, height);
    const std::string element = html::embedded_svg(svg, chart.title, ++count_);
    std::filesystem::remove(svg);
    return element;
  }
  std::string add(const std::string& name, const programs::image_set& images, const std::string& description,
                  index_t most) {
    programs::save_grid(file(name + ".png"), images, most, 10);
    return html::embedded_png(file(name + ".png"), description);
  }

 private:
  std::string file(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
  std::size_t count_ = 0;
};

/// What of a name fits into one of two columns of the legend of a wide chart, whatever the font.
constexpr std::size_t legend_name = 24;
constexpr const char* legend = "above maxcols 2 samplen 2";

/// Height of the legend of so many curves.
int legend_height(std::size_t curves) { return 18 * static_cast<int>((curves + 1) / 2); }

/// A chart as wide as the page. It is drawn narrow and shown enlarged, so that its text can still be read on
/// a telephone.
std::string wide_figure(picture_book& pictures, const std::string& name, const programs::chart& chart,
                        int height) {
  return "<figure class=\"wide\">" + pictures.add(name, chart, 640, height) + "</figure>\n";
}

/// The floor of these scores, if one of the files has it.
const ordered_json* floor_of(const std::vector<scores_at>& floors, const ordered_json& scores) {
  for (const scores_at& floor : floors) {
    const auto same = [&](const char* key) { return floor.scores[key] == scores[key]; };
    if (same("n") && same("reference") && same("features")) return &floor.scores;
  }
  return nullptr;
}

programs::chart score_chart(const score_field& field, const std::vector<run_report>& runs,
                            const ordered_json* floor) {
  programs::chart chart{field.title, "epoch", field.unit, {}, legend, ""};
  double last_epoch = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    programs::curve curve{short_name(runs[i].name, 14), {}, {}, programs::run_style(i)};
    for (const scores_at& line : runs[i].by_epoch) {
      curve.x.push_back(line.scores["epoch"].get<double>());
      curve.y.push_back(field.factor * line.scores[field.key].get<double>());
      last_epoch = std::max(last_epoch, curve.x.back());
    }
    if (!curve.x.empty()) chart.curves.push_back(std::move(curve));
  }
  if (floor && field.has_floor) {
    const double value = field.factor * (*floor)[field.key].get<double>();
    chart.curves.push_back(
        {"real digits", {0, last_epoch}, {value, value}, "lines lw 1.5 dt 3 lc rgb '#555555'"});
  }
  // Axes that hold something even where there is one epoch, or where all scores are 0.
  double low = 0, high = 0.01, least = std::numeric_limits<double>::infinity();
  for (const programs::curve& curve : chart.curves) {
    least = std::min(least, *std::min_element(curve.y.begin(), curve.y.end()));
    high = std::max(high, *std::max_element(curve.y.begin(), curve.y.end()));
  }
  // A distance falls by orders of magnitude in training; shares do not.
  const bool logarithmic = field.unit == std::string("squared distance") && least > 0;
  low = logarithmic ? least / 1.3 : std::min(1.05 * least, low);
  high *= logarithmic ? 1.3 : 1.05;
  chart.more = std::string(logarithmic ? "set logscale y\nset format y '%g'\n" : "") +
               "set xrange [0:*]\nset yrange [" + format("%g", low) + ":" + format("%g", high) + "]";
  return chart;
}

/// Bars side by side, a group a digit.
programs::chart class_chart(const std::vector<run_report>& runs, const ordered_json* floor) {
  programs::chart chart{
      "Digits that the classifier sees in the samples", "digit", "share of the samples in %", {}, legend, ""};
  const std::size_t bars = runs.size() + (floor ? 1 : 0);
  const double width = 0.8 / static_cast<double>(bars);
  const auto add = [&](const std::string& name, const std::string& colour, auto&& share) {
    programs::curve bar{name, {}, {}, "boxes lc rgb '" + colour + "'"};
    for (std::size_t digit = 0; digit < 10; ++digit) {
      bar.x.push_back(static_cast<double>(digit) - 0.4 +
                      width * (static_cast<double>(chart.curves.size()) + 0.5));
      bar.y.push_back(100 * share(digit));
    }
    chart.curves.push_back(std::move(bar));
  };
  for (std::size_t i = 0; i < runs.size(); ++i) {
    add(short_name(runs[i].name, legend_name), programs::run_colours[i],
        [&](std::size_t digit) { return runs[i].class_share[digit]; });
  }
  if (floor) {
    add("real digits", "#bbbbbb",
        [&](std::size_t digit) { return (*floor)["class_histogram"].at(digit).get<double>(); });
  }
  chart.more = "set boxwidth " + format("%g", width * 0.9) +
               " absolute\nset xtics 0,1,9\nset xrange [-0.6:9.6]\n"
               "set yrange [0:*]\nset grid noxtics";
  return chart;
}

// ---- tables

/// Text of which a narrow column may break long names and paths and lists, rather than anywhere within a
/// word.
std::string breakable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += html::escape(std::string(1, c)) + (c == '_' || c == '/' || c == ',' ? "<wbr>" : "");
  }
  return out;
}

std::string run_heading(const run_report& run, std::size_t i) {
  return std::string("<span class=\"chip\" style=\"background:") + programs::run_colours[i] + "\"></span>" +
         breakable(run.name);
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
  add(rows, "largest beta", [](const run_report& run) {
    return run.model.method.beta_max > 0 ? format("%g", run.model.method.beta_max) : std::string();
  });
  add(rows, "network", [](const run_report& run) { return run.model.network.name(); });
  std::map<std::string, std::string> options;  // of all networks: help by name
  for (const run_report& run : runs) {
    for (const auto& option : run.model.network.entry().info().options) options[option.name] = option.help;
  }
  for (const auto& [name, help] : options) {
    add(rows, help.c_str(), [&, name = name](const run_report& run) {
      const auto& lists = run.model.network.settings().lists;
      const auto at = lists.find(name);
      return at == lists.end() ? std::string() : programs::join(at->second);
    });
  }
  add(rows, "parameters",
      [](const run_report& run) { return std::to_string(parameter_count(run.model.network)); });
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
  std::string text = programs::score_text(field, scores);
  const std::string from = "± ", to = "±&nbsp;";
  if (const std::size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

std::string arrow(int better) { return better < 0 ? " &darr;" : better > 0 ? " &uarr;" : ""; }

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
      values.push_back(run.last_scores ? maybe(run.last_scores->scores[field.key].get<double>()) : maybe());
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

// ---- the page

// Text is measured in rem, so that the page grows with the text size that a reader has set. No width depends
// on the letters of a font: on a screen a table that is too wide scrolls in its own box, where its labels
// stay in sight and a shadow shows that there is more. Paper cannot scroll: there the columns of many runs
// share the width, and names and numbers break where they must.
constexpr const char* style = R"(
:root { color-scheme: light; }
body { font: 0.9375rem/1.45 sans-serif; color: #222; background: #fff; max-width: 74rem; margin: 0 auto; padding: 1rem min(1.5rem, 3vw); overflow-wrap: anywhere; }
h1 { font-size: 1.625rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.1875rem; margin: 28px 0 6px; border-bottom: 1px solid #ccc; break-after: avoid; }
h3 { font-size: 1rem; margin: 16px 0 4px; break-after: avoid; }
h2 + p { break-after: avoid; }
p { margin: 4px 0 10px; max-width: 56rem; }
.scroll { overflow-x: auto; background: linear-gradient(#fff, #fff) right / 2rem 100% no-repeat local, linear-gradient(to left, #999, #fff) right / 0.6rem 100% no-repeat scroll; }
table { border-collapse: separate; border-spacing: 0; }
tr { break-inside: avoid; }
th, td { padding: 3px 0.75rem; min-width: 4.5rem; text-align: right; border-bottom: 1px solid #ddd; }
tr > :first-child { position: sticky; left: 0; background: #fff; min-width: 12.5rem; text-align: left; font-weight: normal; overflow-wrap: normal; }
tr.marked, .marked > :first-child { background: #fff3d6; }
thead th { border-bottom: 2px solid #888; vertical-align: bottom; text-wrap: balance; }
.numbers td { overflow-wrap: normal; }
.many th, .many td { padding: 3px 0.3rem; }
.many table { font-size: 0.8125rem; }
small { color: #666; }
.chip { display: inline-block; width: 0.7em; height: 0.7em; margin-right: 0.4em; border-radius: 2px; }
svg, img { max-width: 100%; height: auto; display: block; }
img { image-rendering: pixelated; }
figure { margin: 0; break-inside: avoid; }
figcaption { margin-bottom: 4px; }
.wide svg { width: 100%; max-width: 50rem; }
.three { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 8px; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 20px; margin-bottom: 16px; }
.chip, tr.marked, .marked > :first-child { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
@media screen and (max-width: 45rem) {
  table { font-size: 0.875rem; }
  th, td { padding: 3px 0.25rem; min-width: 3.5rem; }
  tr > :first-child { min-width: 6rem; }
}
@page { size: A4; margin: 14mm; }
@media print {
  body { font-size: 0.65625rem; max-width: none; padding: 0; }
  h1 { font-size: 1.125rem; } h2 { font-size: 0.875rem; } h3 { font-size: 0.75rem; }
  .scroll { overflow: visible; background: none; }
  th, td { padding: 2px 6px; min-width: 0; }
  tr > :first-child { position: static; min-width: 8rem; }
  .many table { font-size: 0.53125rem; table-layout: fixed; width: 100%; }
  .many th, .many td { padding: 2px 3px; overflow-wrap: anywhere; }
  .many tr > :first-child { min-width: 0; width: 19%; }
  .wide svg { max-width: 32rem; }
  .three, .two { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .run { break-inside: avoid; }
}
)";

std::string section(const std::string& heading, const std::string& note, const std::string& content) {
  return "<h2>" + heading + "</h2>\n" + (note.empty() ? "" : "<p>" + note + "</p>\n") + content + "\n";
}

/// A table in a box of its own; with the focus on it, the arrow keys scroll it.
std::string table_box(const std::string& name, const std::string& classes, const std::string& table) {
  return "<div class=\"" + classes + "\" role=\"region\" aria-label=\"" + name + "\" tabindex=\"0\">\n" +
         table + "</div>\n";
}

std::string figure(const std::string& caption, const std::string& picture) {
  return "<figure>" + (caption.empty() ? "" : "<figcaption>" + caption + "</figcaption>") + picture +
         "</figure>\n";
}

std::string losses_section(const std::vector<run_report>& runs, picture_book& pictures) {
  std::vector<std::string> names;
  std::vector<const programs::loss_log*> logs;
  std::set<std::string> targets;
  for (const run_report& run : runs) {
    names.push_back(short_name(run.name, legend_name));
    logs.push_back(&run.losses);
    targets.insert(programs::spoken(run.model.method.entry->target()));
  }
  std::string note = "Solid: test images. Dashed: training images, averaged over the epoch.";
  if (targets.size() > 1) {
    std::string list;
    for (const std::string& target : targets) list += (list.empty() ? "" : ", ") + target;
    note += " A loss is the error of what the network predicts. These predict different things (" +
            html::escape(list) + "): the loss of one says nothing about another.";
  }
  programs::chart chart = programs::loss_chart("Loss by epoch", names, logs);
  chart.key = legend;
  return section("Losses", note, wide_figure(pictures, "loss", chart, 380 + legend_height(runs.size())));
}

std::string scores_section(const std::vector<run_report>& runs, const std::vector<scores_at>& floors,
                           picture_book& pictures) {
  const ordered_json* any = nullptr;
  for (const run_report& run : runs) {
    if (!any && !run.by_epoch.empty()) any = &run.by_epoch.front().scores;
  }
  if (!any) {
    return section("Scores by epoch",
                   "No run has been scored by epoch; <code>evaluate_run --run DIR</code> does it.", "");
  }
  const ordered_json* floor = floor_of(floors, *any);
  const int height = 290 + legend_height(runs.size() + (floor ? 1 : 0));
  std::string plots = "<div class=\"three\">\n";
  for (const score_field& field : score_fields) {
    plots += figure("", pictures.add(field.key, score_chart(field, runs, floor), 420, height));
  }
  return section("Scores by epoch",
                 "Of " + (*any)["n"].dump() + " samples of each checkpoint against " +
                     html::escape((*any)["reference"].get<std::string>()) + "." +
                     (floor ? " Dotted: as many real digits; no model can be expected to be better." : ""),
                 plots + "</div>\n");
}

std::string samples_section(const std::vector<run_report>& runs, const settings& s, picture_book& pictures) {
  const std::string threshold = format("%g", s.threshold);
  std::string content;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const run_report& run = runs[i];
    content += "<div class=\"run\"><h3>" + run_heading(run, i) + "</h3>\n<p>" +
               std::to_string(run.sample_count()) + " samples, " + html::escape(run.samples_from) +
               ".</p>\n<div class=\"two\">\n";
    const auto add = [&](const char* name, const std::string& what, const programs::image_set& part) {
      const std::string caption =
          what + ": " + std::to_string(part.dims.n) +
          (part.dims.n > s.grid ? ", the first " + std::to_string(s.grid) + " shown" : std::string());
      const std::string picture = part.dims.n == 0
                                      ? std::string("<p>none</p>")
                                      : pictures.add(std::string(name) + "-" + std::to_string(i + 1), part,
                                                     run.name + ", " + what, s.grid);
      content += figure(html::escape(caption), picture);
    };
    add("good", "confidence " + threshold + " or more", run.sorted.good);
    add("bad", "less confidence", run.sorted.bad);
    content += "</div></div>\n";
  }
  return section(
      "Good and bad samples",
      "Parted by the classifier's confidence, in the order in which they were drawn; nothing is picked out.",
      content);
}

std::string page(const std::vector<run_report>& runs, const std::vector<scores_at>& floors, const settings& s,
                 picture_book& pictures) {
  const ordered_json* last = nullptr;
  for (const run_report& run : runs) {
    if (!last && run.last_scores) last = &run.last_scores->scores;
  }
  const ordered_json* floor = last ? floor_of(floors, *last) : nullptr;
  std::string note = "Arrows say which way is better; bold is the best of the runs, be it by chance.";
  if (last) {
    note += " Scores against " + html::escape((*last)["reference"].get<std::string>()) +
            "; features: " + html::escape((*last)["features"].get<std::string>()) + ".";
    if (floor) note += " Real digits: as many images of the training split, the best that can be expected.";
  }
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>" +
      html::escape(s.title) + "</title>\n<style>" + style + "</style>\n</head>\n<body" +
      (runs.size() > 4 ? " class=\"many\"" : "") + ">\n<h1>" + html::escape(s.title) +
      "</h1>\n<p>Made by <code>report</code> of coldzoom " + COLDZOOM_VERSION_STRING +
      ". Each picture also lies in <code>" +
      html::escape(std::filesystem::path(pictures.folder()).filename().string()) + "/</code>.</p>\n";
  out += section("Numbers", note, table_box("Numbers", "scroll numbers", numbers_table(runs, floor, s)));
  out += losses_section(runs, pictures);
  out += scores_section(runs, floors, pictures);
  out += section("Classes", "Of all samples looked at; even shares are 10 %.",
                 wide_figure(pictures, "classes", class_chart(runs, floor),
                             300 + legend_height(runs.size() + (floor ? 1 : 0))));
  out += samples_section(runs, s, pictures);
  out += section("Settings", runs.size() > 1 ? "Marked are the rows in which the runs differ." : "",
                 table_box("Settings", "scroll", settings_table(runs)));
  return out + "</body>\n</html>\n";
}

/// A floor that fits no scores would be left out in silence.
void require_used(const std::vector<scores_at>& floors, const std::vector<run_report>& runs) {
  for (const scores_at& floor : floors) {
    const scores_at* other = nullptr;
    bool used = false;
    const auto compare = [&](const scores_at& scores) {
      used = used || floor_of({floor}, scores.scores);
      other = &scores;
    };
    for (const run_report& run : runs) {
      if (run.last_scores) compare(*run.last_scores);
      for (const scores_at& line : run.by_epoch) compare(line);
    }
    require(other, floor.file.c_str(), "found a floor, but no run has scores to compare with");
    if (!used) programs::require_comparable(floor.file, floor.scores, other->file, other->scores);
  }
}

/// One file a run, in their order, or none at all.
void require_one_each(const char* option, std::size_t found, std::size_t runs) {
  require(found == 0 || found == runs, option, [&] {
    return "found " + std::to_string(found) + " files, wanted one for each of the " + std::to_string(runs) +
           " runs, in their order";
  });
}

void report(programs::machine& m, const settings& s) {
  require(s.runs.size() <= most_runs, "--runs", [&] {
    return "found " + std::to_string(s.runs.size()) + " runs, wanted at most " + std::to_string(most_runs);
  });
  require_one_each("--samples", s.samples.size(), s.runs.size());
  require_one_each("--scores", s.scores.size(), s.runs.size());
  std::vector<run_report> runs;
  for (const std::string& folder : s.runs) runs.push_back(read_run(folder));
  for (std::size_t i = 0; i < s.scores.size(); ++i) {
    runs[i].last_scores = scores_at{s.scores[i], programs::read_scores(s.scores[i])};
  }
  std::vector<scores_at> floors;
  for (const std::string& file : s.floors) floors.push_back({file, programs::read_scores(file)});
  name_runs(runs);
  require_one_data_set(runs);
  require_used(floors, runs);

  const programs::classifier_model classifier = programs::load_classifier(s.classifier);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    sort_samples(m, classifier, runs[i], s.samples.empty() ? "" : s.samples[i], s);
  }
  picture_book pictures(s.out);
  write_file_atomically(s.out, page(runs, floors, s, pictures));
  std::printf("%s, pictures in %s\n", s.out.c_str(), pictures.folder().c_str());
}

void add_options(programs::options& o, settings& s) {
  o.add("--runs", s.runs, "folders of training runs on the same data, 8 at most").required();
  o.add("--out", s.out, "the page; its pictures go to a folder of its name and _files");
  o.add("--title", s.title, "heading of the page");
  o.add("--samples", s.samples,
        "samples to show, N x H x W float32 in [0, 1] (.npy), a file a run; by default --count are drawn, in "
        "all steps or by DDIM in at most 50");
  o.add("--scores", s.scores,
        "scores of evaluate --json, a file a run; by default the last of each run's metrics.jsonl");
  o.add(
      "--floor", s.floors,
      "scores of real digits (evaluate --samples train --count N --json FILE); used with scores of the same "
      "n, reference and features");
  o.add("--count", s.count, "samples to draw of each run").range(1, 100000);
  o.add("--grid", s.grid, "most images in a picture").range(1, 10000);
  o.add("--threshold", s.threshold, "samples of this confidence or more are good").from_0_to_1();
  programs::add_classifier(o, s.classifier);
  programs::add_seed(o, s.seed, "of the samples drawn");
  programs::add_machine(o, s.on);
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "report",
      "Makes one web page that compares training runs: numbers, losses, scores by epoch, "
      "classes, good and bad samples, settings. It needs no network and prints on A4.",
      add_options, report);
}
