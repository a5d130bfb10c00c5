/// The operations of the CPU backend, which coldzoom::engine compiles once for all programs.
#pragma once

#include <coldzoom/backend/cpu/engine.hpp>
