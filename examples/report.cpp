/// One page that compares training runs: settings, numbers, losses, scores, classes, samples.

#include <coldzoom/core/file.hpp>
#include <cstdio>
#include <iterator>

#include "common/machine.hpp"
#include "report/page.hpp"

namespace {

using namespace programs::report;
using coldzoom::require, coldzoom::write_file_atomically;

constexpr std::size_t most_runs = std::size(programs::run_colours);

/// One file a run, in their order, or none at all.
void require_one_each(const char* option, std::size_t found, std::size_t runs) {
  require(found == 0 || found == runs, option, [&] {
    return "found " + std::to_string(found) + " files, wanted one for each of the " + std::to_string(runs) +
           " runs, in their order";
  });
}

void make_report(programs::machine& m, const settings& s) {
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
      add_options, make_report);
}
