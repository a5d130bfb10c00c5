#include <coldzoom/interpolation/nearest.hpp>

#include "common/zoom_methods.hpp"

namespace programs {

std::unique_ptr<method_entry> zoom_nearest_entry() {
  return make_entry({.name = "zoom_nearest",
                     .help = "Cold Zoom Diffusion: zooms in by nearest interpolation",
                     .steps = 24,
                     .title = "zoom, nearest"},
                    zoom_method<coldzoom::nearest>, histogram_latents{}, patch_latents{},
                    coldzoom::naive_sampler{}, coldzoom::tacos_sampler{});
}

}  // namespace programs
