#include "common/engine.hpp"

template class coldzoom::cpu_convolution<float>;
