#include "common/any_backend_on.hpp"

#include "common/on_backend.hpp"

namespace programs {

template std::unique_ptr<any_backend> any_backend_on(backend&, backend&);
#if defined(COLDZOOM_PROGRAMS_CUDA)
template std::unique_ptr<any_backend> any_backend_on(coldzoom::cuda_backend<float>&, backend&);
#endif

void on_any_backend(const backend_choice& on, const std::function<void(any_backend&)>& work) {
  on_backend(on, [&](auto& b, backend& host) { work(*any_backend_on(b, host)); });
}

}  // namespace programs
