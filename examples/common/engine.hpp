/// The convolutions of the CPU backend, compiled once for all programs.
#pragma once

#include <coldzoom/backend/cpu/convolution.hpp>

extern template class coldzoom::cpu_convolution<float>;
