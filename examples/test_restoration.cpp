/// How near a model brings degraded test images to the originals: in one call, by a sampler, as the mean and as the
/// best of several draws.

#include <algorithm>
#include <cmath>
#include <coldzoom/core/file.hpp>
#include <coldzoom/metrics/features.hpp>
#include <coldzoom/metrics/restoration.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/classifier.hpp"
#include "common/data.hpp"
#include "common/image_set.hpp"
#include "common/model.hpp"
#include "common/restoration.hpp"
#include "common/sampling.hpp"

namespace {

using namespace coldzoom;
using programs::host_images;
using programs::image_set;

struct settings {
  std::string model, kind, data, classifier, json, png;
  int step = 0;
  index_t draws = 8, limit = 1000;
  programs::sampling_options sampling;
  programs::machine_choice on;
};

/// Originals and the means over them.
class judge {
 public:
  judge(programs::machine& m, const programs::classifier_model& classifier, image_set originals)
      : b_(&m.host()),
        predict_(run(m, classifier)),
        originals_(std::move(originals)),
        features_(of(originals_)) {}

  const image_set& originals() const { return originals_; }
  std::vector<double> distances(const image_set& restored) const {
    return rmse(*b_, restored.view(), originals_.view());
  }
  nlohmann::ordered_json scores(const image_set& restored) const {
    const feature_set features = of(restored);
    double off = 0;
    for (index_t n = 0; n < features.n; ++n) {
      double square = 0;
      for (index_t k = 0; k < features.d; ++k) {
        const double d = static_cast<double>(features.row(n)[k]) - static_cast<double>(features_.row(n)[k]);
        square += d * d;
      }
      off += std::sqrt(square);
    }
    const feature_set rows = predict_->probabilities(features),
                      original_rows = predict_->probabilities(features_);
    const class_probabilities found(rows), wanted(original_rows);
    index_t kept = 0;
    for (index_t n = 0; n < features.n; ++n) kept += found.predicted(n) == wanted.predicted(n);
    const auto count = static_cast<double>(features.n);
    programs::fidelity near;
    near.add(*b_, restored.view(), originals_.view());
    return {{"rmse", near.rmse()},
            {"psnr", near.psnr()},
            {"ssim", near.ssim()},
            {"feature_distance", off / count},
            {"class_kept", static_cast<double>(kept) / count}};
  }

 private:
  feature_set of(const image_set& images) const { return extract_features(*b_, *predict_, images.view()); }

  programs::host_backend* b_;
  std::unique_ptr<programs::classifier_predictor> predict_;
  image_set originals_;
  feature_set features_;
};

/// The mean of all draws, and of each image the draw nearest to the original.
class drawn_images {
 public:
  explicit drawn_images(shape dims) : mean_{dims, blank(dims)}, best_(mean_) {}

  void add(const image_set& drawn, const std::vector<double>& distances) {
    ++draws_;
    for (std::size_t i = 0; i < drawn.pixels.size(); ++i) mean_.pixels[i] += drawn.pixels[i];
    if (draws_ == 1) nearest_.assign(distances.size(), HUGE_VAL);
    const index_t size = drawn.dims.image();
    for (std::size_t n = 0; n < distances.size(); ++n) {
      if (distances[n] >= nearest_[n]) continue;
      nearest_[n] = distances[n];
      std::copy_n(drawn.pixels.begin() + static_cast<index_t>(n) * size, size,
                  best_.pixels.begin() + static_cast<index_t>(n) * size);
    }
  }
  image_set mean() const {
    image_set m = mean_;
    for (float& pixel : m.pixels) pixel = std::min(1.0f, pixel / static_cast<float>(draws_));
    return m;
  }
  const image_set& best() const { return best_; }

 private:
  static std::vector<float> blank(shape dims) {
    return std::vector<float>(static_cast<std::size_t>(dims.size()));
  }

  int draws_ = 0;
  image_set mean_, best_;
  std::vector<double> nearest_;
};

void measure(programs::machine& m, const settings& s) {
  using namespace programs;
  const trained_model model = load_model(s.model, s.kind);
  const auto& [data, sets] = load_data_for(model, s.data);
  const labelled_images images = first_images(sets.test, s.limit);
  const int step = s.step == 0 ? model.method.steps : s.step;
  require(step <= model.method.steps, "--step", [&] {
    return "found " + std::to_string(step) + ", wanted 1 to T = " + std::to_string(model.method.steps);
  });
  sampling_options sampling = resolved(model.method, s.sampling);
  sampling.calls = std::min(sampling.calls, step);
  const auto method = model.method.on(m);
  const auto network = method->run(model.network, model.parameters);
  const judge judged(m, load_classifier(s.classifier), source_of(images).read_all());

  const auto set_of = [&](const std::vector<float>& pixels) {
    return image_set{images.dims, to_unit(pixels)};
  };
  std::vector<float> degraded, direct;
  method->for_each_degraded(
      images, step, {sampling.seed, stream::sampling, 0}, [&](index_t, host_images, host_images z) {
        std::vector<float> x0_hat(static_cast<std::size_t>(z.dims.size()));
        network->restore(z, step, host_images(tensor_view<float>(x0_hat.data(), z.dims)));
        degraded.insert(degraded.end(), z.data, z.data + z.dims.size());
        direct.insert(direct.end(), x0_hat.begin(), x0_hat.end());
      });
  drawn_images drawn(images.dims);
  image_set first;
  for (index_t k = 0; k < s.draws; ++k) {
    const key_sequence keys{sampling.seed + static_cast<std::uint64_t>(k), stream::sampling, 0};
    std::vector<float> walked;
    method->for_each_degraded(images, step, keys, [&](index_t at, host_images, host_images z) {
      network->walk_back(z, step, keys.from(at), sampling, {});
      walked.insert(walked.end(), z.data, z.data + z.dims.size());
    });
    const image_set restored = set_of(walked);
    if (k == 0) first = restored;
    drawn.add(restored, judged.distances(restored));
  }

  const image_set degraded_set = set_of(degraded), direct_set = set_of(direct), mean_set = drawn.mean();
  const std::vector<std::pair<std::string, const image_set*>> ways{{"degraded", &degraded_set},
                                                                   {"direct", &direct_set},
                                                                   {"drawn", &first},
                                                                   {"mean of draws", &mean_set},
                                                                   {"best of draws", &drawn.best()}};
  nlohmann::ordered_json found{
      {"model", s.model},         {"data", data},     {"n", images.dims.n},     {"step", step},
      {"of", model.method.steps}, {"draws", s.draws}, {"calls", sampling.calls}};
  std::printf("%s, %td test images of %s, from step %d of %d in %d calls, %td draws\n",
              model.method.name().c_str(), images.dims.n, data.c_str(), step, model.method.steps,
              sampling.calls, s.draws);
  std::printf("%-15s %8s %8s %8s %10s %11s\n", "", "RMSE", "PSNR", "SSIM", "features", "class kept");
  for (const auto& [name, set] : ways) {
    const nlohmann::ordered_json scores = judged.scores(*set);
    std::printf("%-15s %8.4f %8.2f %8.4f %10.4f %11.4f\n", name.c_str(), scores["rmse"].get<double>(),
                scores["psnr"].get<double>(), scores["ssim"].get<double>(),
                scores["feature_distance"].get<double>(), scores["class_kept"].get<double>());
    found[name] = scores;
  }
  if (!s.json.empty()) write_file_atomically(s.json, found.dump(2) + "\n");
  if (!s.png.empty()) {
    save_rows(s.png, {&judged.originals(), &degraded_set, &direct_set, &first, &mean_set, &drawn.best()}, 12);
    std::printf("rows original, degraded, direct, drawn, mean, best: %s\n", s.png.c_str());
  }
}

void add_options(programs::options& o, settings& s) {
  o.add("--model", s.model, "safetensors file, ours or the original project's").required();
  o.add("--kind", s.kind, "what the model is, where the file does not say: " + programs::method_names());
  o.add("--data", s.data,
        std::string("whose test images: ") + programs::data_help +
            "; by default what the model was trained on, else embedded");
  o.add("--step", s.step, "the images are degraded to D(x, t) of this t; 0 for T").at_least_0();
  o.add("--draws", s.draws, "samples of each image").range(1, 1000);
  programs::add_limit(o, s.limit);
  programs::add_sampler_options(o, s.sampling);
  programs::add_classifier(o, s.classifier);
  programs::add_machine(o, s.on);
  o.add_output("--json", s.json, "file for the scores", {".json"});
  o.add_output("--png", s.png,
               "picture of the first 12 images: original, degraded, direct, drawn, mean, best", {".png"});
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "test_restoration",
      "Degrades test images, restores them, and measures how near they come to the originals: direct (one "
      "call), drawn "
      "(by the sampler, without a label), the mean of several draws, and the best of them.",
      add_options, measure);
}
