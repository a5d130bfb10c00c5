/// What the degradation of a method does to images.
#pragma once

#include <coldzoom/data/mnist.hpp>
#include <coldzoom/testing/degradation_report.hpp>

#include "common/method.hpp"

namespace programs {

/// coldzoom::testing::examine_degradation of the method on a machine; levels of the report are steps.
coldzoom::testing::degradation_report examine(machine& m, const model_method& method,
                                              const coldzoom::labelled_images& images);

}  // namespace programs
