#include "common/double_engine.hpp"

template class coldzoom::cpu_convolution<double>;
