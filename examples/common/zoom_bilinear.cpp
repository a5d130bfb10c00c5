#include <coldzoom/interpolation/bilinear.hpp>

#include "common/zoom_methods.hpp"

namespace programs {

std::unique_ptr<method_entry> zoom_bilinear_entry() {
  return make_entry({.name = "zoom_bilinear",
                     .help = "Cold Zoom Diffusion: zooms in by bilinear interpolation",
                     .steps = 23,
                     .title = "zoom, bilinear"},
                    zoom_method<coldzoom::bilinear>, patch_latents{}, histogram_latents{},
                    coldzoom::naive_sampler{}, coldzoom::tacos_sampler{});
}

}  // namespace programs
