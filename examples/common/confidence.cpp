#include "common/confidence.hpp"

#include <coldzoom/metrics/class_scores.hpp>

namespace programs {

std::vector<judgement> judge(host_backend& host, classifier_predictor& predict, unit_images images) {
  using namespace coldzoom;
  const feature_set features = extract_features(host, predict, images);
  const feature_set rows = predict.probabilities(features);
  const class_probabilities classes(rows);
  std::vector<judgement> out;
  for (index_t i = 0; i < classes.size(); ++i) out.push_back({classes.predicted(i), classes.confidence(i)});
  return out;
}

sorted_samples sort_by_confidence(const image_set& samples, const std::vector<judgement>& judgements,
                                  double threshold) {
  sorted_samples out{{samples.dims.with_n(0), {}}, {samples.dims.with_n(0), {}}};
  for (std::size_t i = 0; i < judgements.size(); ++i) {
    image_set& part = static_cast<double>(judgements[i].confidence) >= threshold ? out.good : out.bad;
    const auto from = samples.pixels.begin() + static_cast<coldzoom::index_t>(i) * samples.dims.image();
    part.pixels.insert(part.pixels.end(), from, from + samples.dims.image());
    ++part.dims.n;
  }
  return out;
}

}  // namespace programs
