#include <coldzoom/degradation/soft_frontier.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/nn/frontier.hpp>
#include <coldzoom/sampling/adams_bashforth.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/schedule/linear.hpp>

#include "common/method_on.hpp"
#include "common/methods.hpp"

namespace programs {

namespace {

/// All elements at once: with an infinite width, flow matching.
struct no_order {
  COLDZOOM_HD float operator()(const coldzoom::shape&, coldzoom::index_t, coldzoom::index_t,
                               coldzoom::index_t) const {
    return 0.5f;
  }
};

template <class Order> auto frontier_method(Order order, float width, int steps) {
  // Noise of half the range of the pixels' values.
  const coldzoom::soft_frontier<Order> frontier{order, width, (value_range::high - value_range::low) / 2};
  return coldzoom::make_method(value_range{}, frontier, coldzoom::linear_schedule(steps),
                               coldzoom::predict_flow{}, coldzoom::frontier_input(frontier),
                               coldzoom::frontier_weight(frontier));
}

}  // namespace

std::unique_ptr<method_entry> zoom_frontier_entry() {
  return make_entry(
      {.name = "zoom_frontier",
       .help = "zooms in behind a soft frontier: each ring of pixels fades into noise, the outermost first",
       .steps = 320,
       .numbers = {{.name = "frontier_rings",
                    .help = "rings of pixels that fade at a time, of the 24 around the middle of a digit",
                    .otherwise = 16,
                    .high = 1e6}},
       .title = "zoom, soft frontier",
       .calls = 12,
       .spacing = 1.3},
      [](const method_settings& s) {
        const auto rings = static_cast<float>(s.number("frontier_rings"));
        return frontier_method(coldzoom::zoom_order{0}, rings / 24, s.steps);
      },
      coldzoom::adams_bashforth_sampler{}, coldzoom::ddim_sampler{});
}

std::unique_ptr<method_entry> inpaint_frontier_entry() {
  return make_entry(
      {.name = "inpaint_frontier",
       .help = "a hole with a soft frontier grows from the middle until the image is noise",
       .steps = 320,
       .title = "inpainting, soft frontier",
       .calls = 12,
       .spacing = 1.3},
      [](const method_settings& s) {
        return frontier_method(coldzoom::inpainting_order{}, 1.0f / 3, s.steps);
      },
      coldzoom::adams_bashforth_sampler{}, coldzoom::ddim_sampler{});
}

std::unique_ptr<method_entry> flow_entry() {
  return make_entry(
      {.name = "flow",
       .help = "flow matching (Lipman et al. 2023): all pixels fade into noise at once",
       .steps = 320,
       .title = "flow matching",
       .calls = 12,
       .spacing = 1.3,
       .tiles = true},
      [](const method_settings& s) { return frontier_method(no_order{}, HUGE_VALF, s.steps); },
      coldzoom::adams_bashforth_sampler{}, coldzoom::ddim_sampler{});
}

}  // namespace programs
