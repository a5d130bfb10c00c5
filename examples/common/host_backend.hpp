/// The CPU's backend: for everything that stays in host memory, whatever machine the user chose.
#pragma once

#include <coldzoom/backend/cpu/cpu_backend.hpp>

#include "common/engine.hpp"

namespace programs {

using host_backend = coldzoom::cpu_backend<float>;

}  // namespace programs
