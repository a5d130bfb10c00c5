#include <coldzoom/degradation/averages.hpp>
#include <coldzoom/degradation/blur.hpp>
#include <coldzoom/degradation/kspace_mask.hpp>
#include <coldzoom/degradation/smooth_zoom.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/cold_method.hpp"
#include "common/methods.hpp"

namespace programs {

namespace {

using coldzoom::tacos_sampler, coldzoom::naive_sampler, coldzoom::direct_sampler;

/// A cold method whose degradation leaves the picture in place.
template <class D> auto linearly(D degradation, int steps) {
  return coldzoom::make_method(value_range{}, degradation, coldzoom::linear_schedule(steps));
}

}  // namespace

std::vector<std::unique_ptr<method_entry>> linear_entries() {
  std::vector<std::unique_ptr<method_entry>> all;
  const auto add = [&](method_info info, auto make) {
    all.push_back(make_cold_entry(std::move(info), make, tacos_sampler{}, naive_sampler{}, direct_sampler{}));
  };
  add({.name = "blur",
       .help = "blurs again and again by one Gaussian kernel of 11 x 11 pixels",
       .steps = 20,
       .numbers = {{.name = "blur_sigma",
                    .help = "standard deviation of the kernel in pixels",
                    .otherwise = 7,
                    .high = 100}},
       .title = "Gaussian blur"},
      [](const method_settings& s) {
        return linearly(coldzoom::gaussian_blur{.sigma = static_cast<float>(s.number("blur_sigma")),
                                                .times = s.steps,
                                                .edge = coldzoom::picture_edge::periodic},
                        s.steps);
      });
  add({.name = "heat",
       .help = "lets heat flow until little but the mean is left",
       .steps = 20,
       .numbers = {{.name = "heat_sigma",
                    .help = "deviation of the blur at T in pixels, half of the side is usual",
                    .otherwise = 14,
                    .high = 10000}},
       .title = "heat"},
      [](const method_settings& s) {
        return coldzoom::make_method(
            value_range{}, coldzoom::heat_blur{.sigma_max = static_cast<float>(s.number("heat_sigma"))},
            coldzoom::exponential_schedule(s.steps));
      });
  add({.name = "motion",
       .help = "moves the camera, 6 pixels down and 10 to the right",
       .steps = 10,
       .title = "motion blur",
       .tiles = true},
      [](const method_settings& s) { return linearly(coldzoom::motion_blur{}, s.steps); });
  add({.name = "pixelate", .help = "halves the resolution in each step", .steps = 3, .title = "pixelation"},
      [](const method_settings& s) { return linearly(coldzoom::pixelation{.halvings = s.steps}, s.steps); });
  add({.name = "rows", .help = "flattens each row to its mean", .steps = 10, .title = "means of rows"},
      [](const method_settings& s) { return linearly(coldzoom::axis_average{}, s.steps); });
  add({.name = "kspace",
       .help = "leaves out lines of the spectrum, as a fast scan in magnetic resonance imaging",
       .steps = 12,
       .numbers = {{.name = "kspace_centre",
                    .help = "share of the lines, in the middle, that are always measured",
                    .otherwise = 0.08}},
       .title = "k-space"},
      [](const method_settings& s) {
        return linearly(coldzoom::kspace_mask{.centre = static_cast<float>(s.number("kspace_centre"))},
                        s.steps);
      });
  // They move the picture.
  const auto add_zoom = [&](method_info info, coldzoom::resampling reading) {
    for (const auto& [axis, along] : {std::pair{"y", "height"}, std::pair{"x", "width"}}) {
      info.numbers.push_back({.name = std::string("zoom_centre_") + axis,
                              .help = std::string("the point to zoom in on, as a share of the ") + along,
                              .otherwise = 0.5});
    }
    info.steps = 24;
    const auto make = [reading](const method_settings& s) {
      return linearly(coldzoom::smooth_zoom{.reading = reading,
                                            .centre_y = static_cast<float>(s.number("zoom_centre_y")),
                                            .centre_x = static_cast<float>(s.number("zoom_centre_x"))},
                      s.steps);
    };
    all.push_back(make_cold_entry(std::move(info), make, naive_sampler{}, tacos_sampler{}, direct_sampler{}));
  };
  add_zoom({.name = "zoom_cubic",
            .help = "zooms in without steps to a seventh of each side, by cubic interpolation",
            .title = "zoom, cubic"},
           coldzoom::resampling::cubic);
  add_zoom({.name = "zoom_area",
            .help = "zooms in without steps to a seventh of each side, by means of areas",
            .title = "zoom, area"},
           coldzoom::resampling::area);
  return all;
}

}  // namespace programs
