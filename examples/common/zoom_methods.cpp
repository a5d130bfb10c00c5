#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/bilinear.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/schedule/linear.hpp>

#include "common/method_on.hpp"
#include "common/methods.hpp"

namespace programs {

namespace {

template <class Interpolation> auto zoom_method(const method_settings& s) {
  return coldzoom::make_method(value_range{}, coldzoom::zoom<Interpolation>{.last_step = s.steps},
                               coldzoom::linear_schedule(s.steps));
}

}  // namespace

std::unique_ptr<method_entry> zoom_nearest_entry() {
  return make_entry({.name = "zoom_nearest",
                     .help = "Cold Zoom Diffusion: zooms in by nearest interpolation",
                     .steps = 24,
                     .title = "zoom, nearest"},
                    zoom_method<coldzoom::nearest>, histogram_latents{}, patch_latents{},
                    coldzoom::naive_sampler{}, coldzoom::tacos_sampler{});
}

std::unique_ptr<method_entry> zoom_bilinear_entry() {
  return make_entry({.name = "zoom_bilinear",
                     .help = "the same by bilinear interpolation",
                     .steps = 23,
                     .title = "zoom, bilinear"},
                    zoom_method<coldzoom::bilinear>, patch_latents{}, histogram_latents{},
                    coldzoom::naive_sampler{}, coldzoom::tacos_sampler{});
}

}  // namespace programs
