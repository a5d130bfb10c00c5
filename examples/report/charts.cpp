#include "report/charts.hpp"

#include <algorithm>
#include <limits>

namespace programs::report {

using nlohmann::ordered_json;

std::string short_name(const std::string& name, std::size_t most) {
  return name.size() <= most
             ? name
             : name.substr(0, (most - 2) / 2) + ".." + name.substr(name.size() - (most - 2) / 2);
}

chart score_chart(const score_field& field, const std::vector<run_report>& runs, const ordered_json* floor) {
  chart chart{field.title, "epoch", field.unit, {}, legend, ""};
  double last_epoch = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    curve curve{short_name(runs[i].name, 14), {}, {}, run_style(i)};
    for (const scores_at& line : runs[i].by_epoch) {
      const std::optional<double> value = score_value(line.scores, field.key);
      if (!value) continue;
      curve.x.push_back(line.scores["epoch"].get<double>());
      curve.y.push_back(field.factor * *value);
      last_epoch = std::max(last_epoch, curve.x.back());
    }
    if (!curve.x.empty()) chart.curves.push_back(std::move(curve));
  }
  if (const auto known = floor && field.has_floor ? score_value(*floor, field.key) : std::nullopt) {
    const double value = field.factor * *known;
    chart.curves.push_back(
        {"real digits", {0, last_epoch}, {value, value}, "lines lw 1.5 dt 3 lc rgb '#555555'"});
  }
  // Axes that hold something even where there is one epoch, or where all scores are 0.
  double low = 0, high = 0.01, least = std::numeric_limits<double>::infinity();
  for (const curve& curve : chart.curves) {
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

chart class_chart(const std::vector<run_report>& runs, const ordered_json* floor) {
  chart chart{
      "Digits that the classifier sees in the samples", "digit", "share of the samples in %", {}, legend, ""};
  const std::size_t bars = runs.size() + (floor ? 1 : 0);
  const double width = 0.8 / static_cast<double>(bars);
  const auto add = [&](const std::string& name, const std::string& colour, auto&& share) {
    curve bar{name, {}, {}, "boxes lc rgb '" + colour + "'"};
    for (std::size_t digit = 0; digit < 10; ++digit) {
      bar.x.push_back(static_cast<double>(digit) - 0.4 +
                      width * (static_cast<double>(chart.curves.size()) + 0.5));
      bar.y.push_back(100 * share(digit));
    }
    chart.curves.push_back(std::move(bar));
  };
  for (std::size_t i = 0; i < runs.size(); ++i) {
    add(short_name(runs[i].name, legend_name), run_colours[i],
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

}  // namespace programs::report
