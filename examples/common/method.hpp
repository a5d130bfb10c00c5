/// The kinds of model: what each undoes, and how it goes about it.
#pragma once

#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <string>
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
std::string kind_names();

/// Throws coldzoom::error, blaming `where`, for a name that there is not.
const model_kind& find_kind(const std::string& where, const std::string& name);

/// What a network was trained to undo.
struct model_method {
  std::string kind;
  int steps = 0;        // T
  int last_step = 0;    // t was drawn from 1 .. last_step
  double beta_max = 0;  // of a noise schedule, 0 for zoom

  bool adds_noise() const;
};

/// The schedule of a method that adds noise.
coldzoom::ddpm_schedule noise_schedule(const model_method& m);

/// Calls f(interpolation) with the one that `kind` zooms by.
template <class F> auto with_interpolation(const std::string& kind, F&& f) {
  if (kind == "zoom_nearest") return f(coldzoom::nearest{});
  coldzoom::require(kind == "zoom_bilinear", "kind",
                    [&] { return "found '" + kind + "', wanted zoom_nearest or zoom_bilinear"; });
  return f(coldzoom::bilinear{});
}

/// D of a method; its level at step t is level_of(method, t).
template <class B> coldzoom::any_degradation<B, value_range> degradation_on(const model_method& m) {
  using any = coldzoom::any_degradation<B, value_range>;
  if (m.adds_noise()) return any(coldzoom::gaussian_noise{});
  return with_interpolation(m.kind, [&](auto interpolation) {
    return any(coldzoom::zoom<decltype(interpolation)>{interpolation, m.steps});
  });
}
float level_of(const model_method& m, int t);

/// [-0.5, 0.5] to [0, 1], clamped: a network may overshoot a little.
std::vector<float> to_unit(const std::vector<float>& centred);

}  // namespace programs
