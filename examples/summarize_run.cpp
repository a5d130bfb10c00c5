/// Draws the losses of a training run over its epochs and sums it up in one JSON object.

#include "common/plot.hpp"
#include "common/program.hpp"
#include "common/run_folder.hpp"

namespace {

struct settings {
  std::string run, png, json;
};

void summarize(const settings& s) {
  using nlohmann::ordered_json;
  const std::string log = s.run + "/log.jsonl";
  std::vector<double> epochs, train, test;
  double seconds = 0;
  ordered_json last;
  for (const std::string& line : programs::log_lines(log)) {
    try {
      last = ordered_json::parse(line);
      epochs.push_back(last.at("epoch"));
      train.push_back(last.at("train_loss"));
      test.push_back(last.at("test_loss"));
      seconds += last.at("seconds").get<double>();
    } catch (const nlohmann::json::exception& e) {
      throw coldzoom::error(log,
                            "line " + std::to_string(epochs.size() + 1) + " is no log entry: " + e.what());
    }
  }
  coldzoom::require(!epochs.empty(), log.c_str(), "found no epochs, wanted at least one line");

  const double best = *std::min_element(test.begin(), test.end());
  if (!s.png.empty()) {
    const double lowest = std::min(*std::min_element(train.begin(), train.end()), best);
    const double highest = std::max(train.front(), test.front());
    char axis[160];
    std::snprintf(axis, sizeof axis,
                  "set logscale y\nset yrange [%g:%g]\nset format y '%%.3f'\n"
                  "set ytics add (0.015, 0.02, 0.03, 0.05, 0.07)",
                  lowest / 1.1, highest * 1.1);
    programs::save_charts(s.png, {{"Loss of " + s.run,
                                   "epoch",
                                   "mean squared error",
                                   {{"train", epochs, train, "linespoints pt 7 ps 0.6 lw 2"},
                                    {"test", epochs, test, "linespoints pt 5 ps 0.6 lw 2"}},
                                   "top right",
                                   axis}});
  }
  const ordered_json summary{{"run", s.run},
                             {"epochs", last.at("epoch")},
                             {"train_loss", last.at("train_loss")},
                             {"test_loss", last.at("test_loss")},
                             {"best_test_loss", best},
                             {"images_per_second", last.at("images_per_second")},
                             {"seconds", seconds}};
  if (!s.json.empty()) coldzoom::write_file_atomically(s.json, summary.dump(2) + "\n");
  std::printf("%d epochs in %.0f s: train loss %.5f, test loss %.5f\n", last.at("epoch").get<int>(), seconds,
              train.back(), test.back());
}

void add_options(CLI::App& app, settings& s) {
  app.add_option("--run", s.run, "folder of the run, as --out of the training program")->required();
  app.add_option("--png", s.png, "picture of the losses over the epochs, .png or .svg (needs gnuplot)");
  app.add_option("--json", s.json, "epochs, losses, images per second, seconds");
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run<settings>(argc, argv, "summarize_run",
                                 "Sums up a training run: a picture of its losses, the last values as JSON.",
                                 add_options, summarize);
}
