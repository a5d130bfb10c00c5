/// Draws the losses of a training run over its epochs and sums it up, with the scores of its samples, in one
/// JSON object.

#include <coldzoom/core/file.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/program.hpp"
#include "common/run_log.hpp"

namespace {

using nlohmann::ordered_json;

struct settings {
  std::string run, png, json, scores, floor;
};

/// The scores that say most, a line each.
void print_scores(const ordered_json& scores, const ordered_json& floor) {
  std::printf("%td samples, compared with %s:\n", scores["n"].get<std::ptrdiff_t>(),
              scores["reference"].get<std::string>().c_str());
  for (const programs::score_field& field : programs::score_fields) {
    const std::string key = field.key;
    const bool shown = key == "frechet_distance" || key == "kid" || key == "precision" || key == "recall" ||
                       key == "class_kl" || key == "unconfident_share";
    if (!shown) continue;
    std::printf("  %-24s %s", field.title, programs::score_text(field, scores).c_str());
    if (!floor.is_null()) std::printf(" (real digits: %s)", programs::score_text(field, floor).c_str());
    std::printf(", %s\n", field.unit);
  }
}

void summarize(const settings& s) {
  const programs::loss_log log = programs::read_losses(s.run);
  ordered_json summary{{"run", s.run},
                       {"epochs", static_cast<int>(log.epochs.back())},
                       {"train_loss", log.train.back()},
                       {"test_loss", log.test.back()},
                       {"best_test_loss", log.best_test()},
                       {"images_per_second", log.images_per_second},
                       {"seconds", log.seconds}};
  ordered_json floor;
  if (!s.scores.empty()) summary["scores"] = programs::read_scores(s.scores);
  if (!s.floor.empty()) {
    floor = programs::read_scores(s.floor);
    programs::require_comparable(s.floor, floor, s.scores, summary["scores"]);
    summary["floor"] = floor;
  }
  if (!s.png.empty()) {
    programs::save_charts(s.png, {programs::loss_chart("Loss of " + s.run, {"test"}, {&log})});
  }
  if (!s.json.empty()) coldzoom::write_file_atomically(s.json, summary.dump(2) + "\n");
  std::printf("%.0f epochs in %.0f s: train loss %.5f, test loss %.5f\n", log.epochs.back(), log.seconds,
              log.train.back(), log.test.back());
  if (!s.scores.empty()) print_scores(summary["scores"], floor);
}

void add_options(programs::options& o, settings& s) {
  o.add("--run", s.run, "folder of the run, as --out of the training program").required();
  o.add_output("--png", s.png, "picture of the losses over the epochs, .png or .svg (needs gnuplot)",
               {".png", ".svg"});
  o.add_output("--json", s.json, "epochs, losses, images per second, seconds, scores", {".json"});
  o.add("--scores", s.scores, "file of evaluate --json: print the scores that say most");
  o.add("--floor", s.floor, "the same of as many real digits, to print beside them").needs("--scores");
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run<settings>(argc, argv, "summarize_run",
                                 "Sums up a training run: a picture of its losses, the last values as JSON.",
                                 add_options, summarize);
}
