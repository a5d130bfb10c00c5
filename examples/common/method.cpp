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

coldzoom::any_degradation<backend, value_range> degradation_of(const model_method& m) {
  return degradation_on<backend>(m);
}

float level_of(const model_method& m, int t) {
  return m.adds_noise() ? noise_schedule(m).level(t) : coldzoom::linear_schedule(m.steps).level(t);
}

void for_each_degraded(backend& b, const coldzoom::labelled_images& images, const model_method& m, int t,
                       coldzoom::key_sequence keys,
                       const std::function<void(coldzoom::index_t, host_images, host_images)>& use) {
  using namespace coldzoom;
  constexpr index_t batch = 1024;
  const auto degradation = degradation_of(m);
  const std::vector<float> levels(batch, level_of(m, t));
  std::vector<float> clean(static_cast<std::size_t>(images.dims.with_n(batch).size())),
      degraded(clean.size());
  for (index_t first = 0; first < images.dims.n; first += batch) {
    const shape dims = images.dims.with_n(std::min(batch, images.dims.n - first));
    const host_images x0(tensor_view<float>(clean.data(), dims)),
        z(tensor_view<float>(degraded.data(), dims));
    const auto from = images.pixels.begin() + first * dims.image();
    std::transform(from, from + dims.size(), clean.begin(), from_byte<value_range>);
    degrade(b, degradation, image_batch<value_range, const float>(x0), {levels.data(), dims.n},
            keys.from(first), z);
    use(first, x0, z);
  }
}

std::vector<float> to_unit(const std::vector<float>& centred) {
  std::vector<float> unit(centred.size());
  std::transform(centred.begin(), centred.end(), unit.begin(), [](float v) {
    return std::clamp(coldzoom::convert_range<value_range, coldzoom::unit>(v), 0.0f, 1.0f);
  });
  return unit;
}

}  // namespace programs
