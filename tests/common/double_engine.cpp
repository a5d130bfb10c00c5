#include "common/double_engine.hpp"

namespace coldzoom::inline COLDZOOM_ISA {
COLDZOOM_ENGINE_TEMPLATES(, double)
template class generic::convolution<reference_backend<float>>;
template class generic::convolution<reference_backend<double>>;
}  // namespace coldzoom::inline COLDZOOM_ISA
