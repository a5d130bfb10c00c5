#include <coldzoom/degradation/frame.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/nn/energy_score.hpp>
#include <coldzoom/nn/frontier.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/schedule/linear.hpp>

#include "common/method_on.hpp"
#include "common/methods.hpp"

namespace programs {

namespace {

/// Deterministic: the network answers with the mean of all images that fit.
template <class Order> auto mean_method(const coldzoom::masked<Order>& degradation, int steps) {
  return coldzoom::make_method(value_range{}, degradation, coldzoom::linear_schedule(steps),
                               coldzoom::frontier_input(degradation), coldzoom::frontier_weight(degradation));
}

/// The network draws one of the images that fit, by noise for pixels, for parts and for the whole.
template <class Order> auto drawing_method(const coldzoom::masked<Order>& degradation, int steps) {
  const coldzoom::inputs input(coldzoom::frontier_input(degradation), coldzoom::noise_input{4},
                               coldzoom::noise_input{.planes = 2, .side = 7},
                               coldzoom::noise_input{.planes = 2, .side = 0});
  return coldzoom::make_method(value_range{}, degradation, coldzoom::linear_schedule(steps), input,
                               coldzoom::frontier_weight(degradation), coldzoom::energy_score{});
}

auto zoom_frame(int steps) { return coldzoom::zoom<coldzoom::nearest>{.last_step = steps}.frame(); }

}  // namespace

std::unique_ptr<method_entry> zoom_masked_entry() {
  return make_entry(
      {.name = "zoom_masked",
       .help = "zooms in by nearest interpolation, but every pixel stays at its place: a mask from the "
               "border inwards",
       .steps = 24,
       .title = "zoom in its frame"},
      [](const method_settings& s) { return mean_method(zoom_frame(s.steps), s.steps); },
      coldzoom::tacos_sampler{}, coldzoom::naive_sampler{});
}

std::unique_ptr<method_entry> zoom_energy_entry() {
  return make_entry(
      {.name = "zoom_energy",
       .help =
           "the same, and the network draws one of the images that fit: noise inputs and the energy score",
       .steps = 24,
       .title = "zoom in its frame, drawn"},
      [](const method_settings& s) { return drawing_method(zoom_frame(s.steps), s.steps); },
      coldzoom::tacos_sampler{}, coldzoom::naive_sampler{});
}

std::unique_ptr<method_entry> inpaint_entry() {
  return make_entry(
      {.name = "inpaint",
       .help = "a square hole grows from the middle until the image is blank",
       .steps = 28,
       .title = "inpainting"},
      [](const method_settings& s) {
        return mean_method(coldzoom::masked<coldzoom::inpainting_order>{}, s.steps);
      },
      coldzoom::tacos_sampler{}, coldzoom::naive_sampler{});
}

}  // namespace programs
