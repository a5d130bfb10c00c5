/// The method of a zoom, for the units that compile one each.
#pragma once

#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/schedule/linear.hpp>

#include "common/method_on.hpp"
#include "common/methods.hpp"

namespace programs {

template <class Interpolation> auto zoom_method(const method_settings& s) {
  return coldzoom::make_method(value_range{}, coldzoom::zoom<Interpolation>{.last_step = s.steps},
                               coldzoom::linear_schedule(s.steps));
}

}  // namespace programs
