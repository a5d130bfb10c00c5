/// A CUDA thread block as block kernels see it. For units that nvcc compiles.
#pragma once

#include <coldzoom/backend/device/block.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Makes the members of cuda_block callable where kernels are checked for the host; nothing calls them there.
COLDZOOM_HD inline int device_thread() {
#if defined(__CUDA_ARCH__)
  return static_cast<int>(threadIdx.x);
#else
  return 0;
#endif
}
COLDZOOM_HD inline int device_threads() {
#if defined(__CUDA_ARCH__)
  return static_cast<int>(blockDim.x);
#else
  return 1;
#endif
}
COLDZOOM_HD inline index_t device_block_index() {
#if defined(__CUDA_ARCH__)
  return static_cast<index_t>(blockIdx.x);
#else
  return 0;
#endif
}
COLDZOOM_HD inline void device_barrier() {
#if defined(__CUDA_ARCH__)
  __syncthreads();
#endif
}

}  // namespace detail

/// The block that the calling thread belongs to: a phase is the thread's own share and a barrier.
class cuda_block {
 public:
  COLDZOOM_HD explicit cuda_block(char* memory) : memory_(memory) {}

  COLDZOOM_HD index_t index() const { return detail::device_block_index(); }
  COLDZOOM_HD int threads() const { return detail::device_threads(); }

  template <class T> COLDZOOM_HD T* shared(index_t count) {
    const index_t bytes = (count * static_cast<index_t>(sizeof(T)) + 15) / 16 * 16;
    memory_ += bytes;
    return reinterpret_cast<T*>(memory_ - bytes);
  }
  /// The thread's own value, whatever thread is named.
  template <class T> struct local_value {
    T value{};
    COLDZOOM_HD T& operator[](int) { return value; }
  };
  template <class T> COLDZOOM_HD local_value<T> local() const { return {}; }
  template <class T> COLDZOOM_HD T read(const T* at) const {
    const T value = *at;
    detail::device_barrier();
    return value;
  }
  template <class Phase> COLDZOOM_HD void for_each_thread(const Phase& phase) const {
    phase(detail::device_thread());
    detail::device_barrier();
  }

 private:
  char* memory_;
};

static_assert(Block<cuda_block>);

namespace detail {

template <class Kernel> __global__ void __launch_bounds__(Kernel::most_threads) run_block(Kernel kernel) {
  extern __shared__ __align__(16) char block_memory[];
  cuda_block block(block_memory);
  kernel(block);
}

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
