/// Parts samples into those that the classifier is sure of and the others.

#include <coldzoom/core/file.hpp>
#include <cstdio>
#include <filesystem>

#include "common/confidence.hpp"
#include "common/program.hpp"

namespace {

using namespace coldzoom;

struct settings {
  std::string samples, classifier, out = "out/sorted";
  double threshold = 0.9;
  index_t grid = 400;
  programs::machine_choice on;
};

void write(const settings& s, const char* name, const programs::image_set& part) {
  const std::string stem = s.out + "/" + name;
  programs::save_samples(stem + ".npy", part);
  std::error_code ignored;
  std::filesystem::remove(stem + ".png",
                          ignored);  // of an earlier call, should this one have nothing to show
  if (part.dims.n > 0) programs::save_grid(stem + ".png", part, s.grid);
}

void sort_samples(programs::machine& m, const settings& s) {
  using namespace programs;
  const classifier_model model = load_classifier(s.classifier);
  const image_set samples = load_samples(s.samples, model.network.image());
  make_folder(s.out);

  const std::vector<judgement> judgements = judge(m.host(), *run(m, model), samples.view());
  const sorted_samples sorted = sort_by_confidence(samples, judgements, s.threshold);
  std::string table = "index,class,confidence\n";
  for (std::size_t i = 0; i < judgements.size(); ++i) {
    char line[64];
    std::snprintf(line, sizeof line, "%zu,%td,%.6f\n", i, judgements[i].digit,
                  static_cast<double>(judgements[i].confidence));
    table += line;
  }
  write(s, "good", sorted.good);
  write(s, "bad", sorted.bad);
  write_file_atomically(s.out + "/confidence.csv", table);
  std::printf(
      "%td of %td samples have a confidence of %g or more; good and bad ones, as .npy and .png, and "
      "confidence.csv are in %s\n",
      sorted.good.dims.n, samples.dims.n, s.threshold, s.out.c_str());
}

void add_options(programs::options& o, settings& s) {
  o.add("--samples", s.samples, "N x H x W or N x C x H x W float32 in [0, 1] (.npy)").required();
  o.add("--threshold", s.threshold, "samples of this confidence or more are good").from_0_to_1();
  programs::add_classifier(o, s.classifier);
  o.add("--grid", s.grid, "most images in a picture").range(1, 10000);
  programs::add_machine(o, s.on);
  o.add_output_folder("--out", s.out, "folder of the results");
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "sort_samples",
      "Parts samples by the confidence of the digit classifier: good.npy and "
      "bad.npy with their grids as PNG, "
      "and confidence.csv with index, class and confidence of each.",
      add_options, sort_samples);
}
