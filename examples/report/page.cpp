#include "report/page.hpp"

#include <coldzoom/core/config.hpp>
#include <filesystem>
#include <set>

#include "common/html.hpp"
#include "report/tables.hpp"

namespace programs::report {

using namespace coldzoom;
using nlohmann::ordered_json;

namespace {

/// A chart as wide as the page. It is drawn narrow and shown enlarged, so that its text can still be read on
/// a telephone.
std::string wide_figure(picture_book& pictures, const std::string& name, const chart& chart, int height) {
  return "<figure class=\"wide\">" + pictures.add(name, chart, 640, height) + "</figure>\n";
}

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
  std::vector<const loss_log*> logs;
  std::set<std::string> targets;
  for (const run_report& run : runs) {
    names.push_back(short_name(run.name, legend_name));
    logs.push_back(&run.losses);
    targets.insert(spoken(run.model.method.entry->target()));
  }
  std::string note = "Solid: test images. Dashed: training images, averaged over the epoch.";
  if (targets.size() > 1) {
    std::string list;
    for (const std::string& target : targets) list += (list.empty() ? "" : ", ") + target;
    note += " A loss is the error of what the network predicts. These predict different things (" +
            html::escape(list) + "): the loss of one says nothing about another.";
  }
  chart chart = loss_chart("Loss by epoch", names, logs);
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
    const chart curves = score_chart(field, runs, floor);
    if (!curves.curves.empty()) plots += figure("", pictures.add(field.key, curves, 420, height));
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
    const auto add = [&](const char* name, const std::string& what, const image_set& part) {
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

}  // namespace

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

}  // namespace programs::report
