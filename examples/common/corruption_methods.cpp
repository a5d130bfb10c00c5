#include <coldzoom/degradation/block_dct.hpp>
#include <coldzoom/degradation/compose.hpp>
#include <coldzoom/degradation/dose_noise.hpp>
#include <coldzoom/degradation/fade.hpp>
#include <coldzoom/degradation/fading_mask.hpp>
#include <coldzoom/degradation/gaps.hpp>
#include <coldzoom/degradation/snow.hpp>
#include <coldzoom/schedule/linear.hpp>

#include "common/cold_method.hpp"
#include "common/methods.hpp"

namespace programs {

std::vector<std::unique_ptr<method_entry>> corruption_entries() {
  using coldzoom::linear_schedule, coldzoom::unit;
  std::vector<std::unique_ptr<method_entry>> all;
  const auto add = [&](method_info info, auto make) {
    all.push_back(make_cold_entry(std::move(info), make, coldzoom::tacos_sampler{}, coldzoom::naive_sampler{},
                                  coldzoom::direct_sampler{}));
  };
  add({.name = "inpaint_fading",
       .help = "fades to black around a random centre",
       .steps = 50,
       .title = "fading mask"},
      [](const method_settings& s) {
        return coldzoom::make_method(value_range{},
                                     coldzoom::fading_mask{.times = s.steps, .fill = value_range::low},
                                     linear_schedule(s.steps));
      });
  add({.name = "inpaint_square",
       .help = "a square hole grows from a random pixel until all is black",
       .steps = 28,
       .title = "square hole"},
      [](const method_settings& s) {
        return coldzoom::make_method(value_range{}, coldzoom::square_hole{.fill = value_range::low},
                                     linear_schedule(s.steps));
      });
  add({.name = "fade",
       .help = "fades to grey while noise comes in",
       .steps = 20,
       .numbers = {{.name = "fade_noise",
                    .help = "deviation of the noise at T, in parts of the range of pixels",
                    .otherwise = 0.2}},
       .title = "fade, hot on cold",
       .tiles = true},
      [](const method_settings& s) {
        return coldzoom::make_method(
            value_range{}, coldzoom::with_noise(coldzoom::fade{}, static_cast<float>(s.number("fade_noise"))),
            linear_schedule(s.steps));
      });
  add({.name = "desaturate",
       .help = "takes the colour from pictures of 3 channels",
       .steps = 10,
       .title = "desaturation",
       .tiles = true},
      [](const method_settings& s) {
        return coldzoom::make_method(value_range{}, coldzoom::desaturation{}, linear_schedule(s.steps));
      });
  add({.name = "jpeg",
       .help = "rounds the frequencies of blocks, as a JPEG file of falling quality",
       .steps = 20,
       .title = "JPEG"},
      [](const method_settings& s) {
        return coldzoom::make_method(unit{}, coldzoom::block_dct{}, coldzoom::power_schedule(s.steps));
      });
  add({.name = "salt_pepper",
       .help = "makes more and more pixels black or white",
       .steps = 10,
       .title = "salt and pepper",
       .tiles = true},
      [](const method_settings& s) {
        return coldzoom::make_method(unit{}, coldzoom::salt_and_pepper{}, linear_schedule(s.steps));
      });
  add({.name = "gaps",
       .help = "loses stretches of columns, as gaps in a series of time",
       .steps = 10,
       .numbers = {{.name = "gap", .help = "columns of a stretch", .otherwise = 4, .high = 100000}},
       .title = "gaps",
       .tiles = true},
      [](const method_settings& s) {
        return coldzoom::make_method(value_range{},
                                     coldzoom::gaps{.length = static_cast<coldzoom::index_t>(s.number("gap")),
                                                    .fill = value_range::low},
                                     linear_schedule(s.steps));
      });
  add({.name = "snow",
       .help = "lets snow fall before the picture",
       .steps = 10,
       .title = "snow",
       .tiles = true},
      [](const method_settings& s) {
        return coldzoom::make_method(unit{}, coldzoom::snow{}, linear_schedule(s.steps));
      });
  add({.name = "dose",
       .help = "adds the noise of a scan in computed tomography whose dose falls",
       .steps = 10,
       .numbers = {{.name = "photons", .help = "quanta of a ray at T", .otherwise = 30, .high = 1e12}},
       .title = "low dose"},
      [](const method_settings& s) {
        return coldzoom::make_method(unit{},
                                     coldzoom::dose_noise{.photons = static_cast<float>(s.number("photons"))},
                                     linear_schedule(s.steps));
      });
  return all;
}

}  // namespace programs
