/// A method of your own for the programs, in one call; see docs/how_to/own_method.md.
#pragma once

#include <coldzoom/coldzoom.hpp>

#include "common/method_on.hpp"

namespace programs {

/// Makes a method known to every program: at namespace scope,
///
///   const auto mine = programs::add_method(
///       {.name = "vignette", .help = "darkens the corners", .steps = 10},
///       [](const programs::method_settings& s) {
///         return coldzoom::make_method(coldzoom::unit{}, vignette{}, coldzoom::linear_schedule(s.steps));
///       },
///       coldzoom::naive_sampler{}, coldzoom::tacos_sampler{});
///
/// `make` returns a coldzoom::method of T = settings.steps steps, in any value range. The policies after it
/// are the samplers that fit and, if D(x, T) of training images is not what sampling starts from, the
/// initial states; the first of each is the default.
template <class Make, class... Policies>
method_registration add_method(method_info info, Make make, Policies... policies) {
  return method_registration(make_entry(std::move(info), std::move(make), policies...));
}

}  // namespace programs
