/// The kinds of model: what each undoes, and how it goes about it.
#pragma once

#include <algorithm>
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/backend.hpp"

namespace programs {

using value_range = coldzoom::centred;
using host_images = coldzoom::image_batch<value_range, float>;

inline constexpr int largest_steps = 100000;  // T of a noise schedule

/// The kinds of model, with the numbers of the original project's: they hold for a file that does not say.
struct model_kind {
  const char* name;
  const char* target;  // what the network predicts
  int steps, last_step;
  double beta_max;
};
inline constexpr model_kind model_kinds[] = {{"zoom_nearest", coldzoom::predict_x0::name, 24, 24, 0},
                                             {"zoom_bilinear", coldzoom::predict_x0::name, 23, 23, 0},
                                             {"ddpm_linear", coldzoom::predict_noise::name, 1000, 999, 0.02},
                                             {"ddpm_cosine", coldzoom::predict_noise::name, 1000, 999, 0.02}};

/// "zoom_nearest, zoom_bilinear, ...".
inline std::string kind_names() {
  std::string names;
  for (const model_kind& kind : model_kinds) names += (names.empty() ? "" : ", ") + std::string(kind.name);
  return names;
}

/// Throws coldzoom::error, blaming `where`, for a name that there is not.
inline const model_kind& find_kind(const std::string& where, const std::string& name) {
  for (const model_kind& kind : model_kinds) {
    if (kind.name == name) return kind;
  }
  throw coldzoom::error(where, "found kind '" + name + "', wanted one of " + kind_names());
}

/// What a network was trained to undo.
struct model_method {
  std::string kind;
  int steps = 0;        // T
  int last_step = 0;    // t was drawn from 1 .. last_step
  double beta_max = 0;  // of a noise schedule, 0 for zoom

  bool adds_noise() const {
    return std::string_view(find_kind("model", kind).target) == coldzoom::predict_noise::name;
  }
};

/// The schedule of a method that adds noise.
inline coldzoom::ddpm_schedule noise_schedule(const model_method& m) {
  return m.kind == "ddpm_linear"
             ? coldzoom::ddpm_schedule::linear(m.steps, std::min(1e-4, m.beta_max), m.beta_max)
             : coldzoom::ddpm_schedule::cosine(m.steps, m.beta_max);
}

/// Calls f(interpolation) with the one that `kind` zooms by.
template <class F> auto with_interpolation(const std::string& kind, F&& f) {
  if (kind == "zoom_nearest") return f(coldzoom::nearest{});
  coldzoom::require(kind == "zoom_bilinear", "kind",
                    [&] { return "found '" + kind + "', wanted zoom_nearest or zoom_bilinear"; });
  return f(coldzoom::bilinear{});
}

/// D of a method; its level at step t is level_of(method, t).
inline coldzoom::any_degradation<backend, value_range> degradation_of(const model_method& m) {
  using any = coldzoom::any_degradation<backend, value_range>;
  if (m.adds_noise()) return any(coldzoom::gaussian_noise{});
  return with_interpolation(m.kind, [&](auto interpolation) {
    return any(coldzoom::zoom<decltype(interpolation)>{interpolation, m.steps});
  });
}
inline float level_of(const model_method& m, int t) {
  return m.adds_noise() ? noise_schedule(m).level(t) : coldzoom::linear_schedule(m.steps).level(t);
}

/// use(first, x0, D(x0, t)) for all images in batches, in host memory; `keys` name the noise.
template <class Use>
void for_each_degraded(backend& b, const coldzoom::labelled_images& images, const model_method& m, int t,
                       coldzoom::key_sequence keys, Use&& use) {
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

/// [-0.5, 0.5] to [0, 1], clamped: a network may overshoot a little.
inline std::vector<float> to_unit(const std::vector<float>& centred) {
  std::vector<float> unit(centred.size());
  std::transform(centred.begin(), centred.end(), unit.begin(), [](float v) {
    return std::clamp(coldzoom::convert_range<value_range, coldzoom::unit>(v), 0.0f, 1.0f);
  });
  return unit;
}

}  // namespace programs
