/// The convolutions of the CPU backend in double, compiled once for all tests. Those in float and safetensors
/// files are the programs': common/engine.hpp, common/safetensors.hpp.
#pragma once

#include <coldzoom/backend/cpu/convolution.hpp>

extern template class coldzoom::cpu_convolution<double>;
