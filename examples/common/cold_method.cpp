#include "common/method_on.hpp"

namespace programs::detail {

template std::unique_ptr<method_at_work> cold_method_on(host_backend&, cold_method<host_backend>, int);
#if defined(COLDZOOM_PROGRAMS_CUDA)
template std::unique_ptr<method_at_work> cold_method_on(coldzoom::cuda_backend<float>&,
                                                        cold_method<coldzoom::cuda_backend<float>>, int);
#endif

}  // namespace programs::detail
