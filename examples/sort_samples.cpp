/// Parts samples into those that the classifier is sure of and the others.

#include <cmath>
#include <coldzoom/io/png.hpp>
#include <filesystem>

#include "common/program.hpp"
#include "common/scores.hpp"

namespace {

using namespace coldzoom;

struct settings {
  std::string samples, classifier = programs::embedded_classifier, out = "out/sorted";
  double threshold = 0.9;
  index_t grid = 400;
  int threads = 0;
};

/// Samples of one side of the threshold, in the order in which they came.
struct part {
  const char* name;
  std::vector<float> pixels;
  index_t n = 0;

  void add(const float* image, index_t size) {
    pixels.insert(pixels.end(), image, image + size);
    ++n;
  }
};

void write(const settings& s, const part& p, shape image) {
  const std::string stem = s.out + "/" + p.name;
  save_npy(stem + ".npy", p.pixels,
           image.c == 1 ? std::vector<index_t>{p.n, image.h, image.w}
                        : std::vector<index_t>{p.n, image.c, image.h, image.w});
  std::error_code ignored;
  std::filesystem::remove(stem + ".png",
                          ignored);  // of an earlier call, should this one have nothing to show
  const index_t shown = std::min(p.n, s.grid);
  if (shown == 0) return;
  const auto columns = static_cast<index_t>(std::ceil(std::sqrt(static_cast<double>(shown))));
  save_png(stem + ".png",
           image_grid(tensor_view<const float>(p.pixels.data(), image.with_n(shown)), columns, 2, 2, 64));
}

void sort_samples(const settings& s) {
  using namespace programs;
  backend b(s.threads);
  const classifier_model model = load_classifier(s.classifier);
  const shape image = model.network.image();
  const image_set samples = load_samples(s.samples, image);
  std::error_code failure;
  std::filesystem::create_directories(s.out, failure);
  require(!failure, s.out.c_str(), [&] { return "cannot make this folder: " + failure.message(); });

  classifier_predictor predict(b, model);
  const feature_set features = extract_features(b, predict, samples.view());
  const std::vector<float> logits = predict.logits(features.values.data(), features.n);
  const feature_set rows = softmax(feature_view{logits.data(), features.n, digit_classifier::classes});
  const class_probabilities classes(rows);
  part good{"good", {}}, bad{"bad", {}};
  std::string table = "index,class,confidence\n";
  for (index_t i = 0; i < samples.dims.n; ++i) {
    char line[64];
    std::snprintf(line, sizeof line, "%td,%td,%.6f\n", i, classes.predicted(i),
                  static_cast<double>(classes.confidence(i)));
    table += line;
    (static_cast<double>(classes.confidence(i)) >= s.threshold ? good : bad)
        .add(samples.pixels.data() + i * image.image(), image.image());
  }
  write(s, good, image);
  write(s, bad, image);
  write_file_atomically(s.out + "/confidence.csv", table);
  std::printf(
      "%td of %td samples have a confidence of %g or more; good and bad ones, as .npy and .png, and "
      "confidence.csv are in %s\n",
      good.n, samples.dims.n, s.threshold, s.out.c_str());
}

std::string from_0_to_1(const std::string& text) {
  const double value = std::strtod(text.c_str(), nullptr);
  return value >= 0 && value <= 1 ? "" : "Value " + text + " is not a number from 0 to 1";
}

void add_options(CLI::App& app, settings& s) {
  app.add_option("--samples", s.samples, "N x H x W or N x C x H x W float32 in [0, 1] (.npy)")->required();
  app.add_option("--threshold", s.threshold, "samples of this confidence or more are good")
      ->check(from_0_to_1)
      ->capture_default_str();
  app.add_option("--classifier", s.classifier,
                 "model.safetensors of train_classifier; the embedded one if absent");
  app.add_option("--grid", s.grid, "most images in a picture")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--threads", s.threads, "0 for all CPUs; no effect on results")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--out", s.out, "folder of the results")->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run<settings>(argc, argv, "sort_samples",
                                 "Parts samples by the confidence of the digit classifier: good.npy and "
                                 "bad.npy with their grids as PNG, "
                                 "and confidence.csv with index, class and confidence of each.",
                                 add_options, sort_samples);
}
