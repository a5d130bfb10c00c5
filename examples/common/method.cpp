#include "common/method.hpp"

#include <algorithm>
#include <string_view>

namespace programs {

std::string kind_names() {
  std::string names;
  for (const model_kind& kind : model_kinds) names += (names.empty() ? "" : ", ") + std::string(kind.name);
  return names;
}

const model_kind& find_kind(const std::string& where, const std::string& name) {
  for (const model_kind& kind : model_kinds) {
    if (kind.name == name) return kind;
  }
  throw coldzoom::error(where, "found kind '" + name + "', wanted one of " + kind_names());
}

bool model_method::adds_noise() const {
  return std::string_view(find_kind("model", kind).target) == coldzoom::predict_noise::name;
}

coldzoom::ddpm_schedule noise_schedule(const model_method& m) {
  return m.kind == "ddpm_linear"
             ? coldzoom::ddpm_schedule::linear(m.steps, std::min(1e-4, m.beta_max), m.beta_max)
             : coldzoom::ddpm_schedule::cosine(m.steps, m.beta_max);
}

float level_of(const model_method& m, int t) {
  return m.adds_noise() ? noise_schedule(m).level(t) : coldzoom::linear_schedule(m.steps).level(t);
}

std::vector<float> to_unit(const std::vector<float>& centred) {
  std::vector<float> unit(centred.size());
  std::transform(centred.begin(), centred.end(), unit.begin(), [](float v) {
    return std::clamp(coldzoom::convert_range<value_range, coldzoom::unit>(v), 0.0f, 1.0f);
  });
  return unit;
}

}  // namespace programs
