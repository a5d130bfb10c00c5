#include <coldzoom_programs/method.hpp>

namespace {

/// Darkens towards the corners as the level grows.
struct vignette {
  using range = coldzoom::unit;
  COLDZOOM_HD float operator()(coldzoom::image_view<const float> x0, coldzoom::index_t c, coldzoom::index_t y,
                               coldzoom::index_t x, float level) const {
    const float dy = float(2 * y + 1) / float(x0.h) - 1, dx = float(2 * x + 1) / float(x0.w) - 1;
    return x0(c, y, x) * (1 - 0.5f * level * (dy * dy + dx * dx));
  }
};

const auto entry = programs::add_method(
    {.name = "vignette", .help = "darkens the corners", .steps = 10},
    [](const programs::method_settings& s) {
      return coldzoom::make_method(coldzoom::unit{}, vignette{}, coldzoom::linear_schedule(s.steps));
    },
    coldzoom::tacos_sampler{}, coldzoom::naive_sampler{});

}  // namespace
