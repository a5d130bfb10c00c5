/// The backend that the programs run on: the one switch of a program between CPU and GPU.
#pragma once

#include <coldzoom/backend/cpu/cpu_backend.hpp>

#include "common/engine.hpp"

using backend = coldzoom::cpu_backend<float>;
