/// A CUDA device: its errors, its stream, its memory. For units that nvcc compiles.
#pragma once

#include <cuda_runtime.h>

#include <coldzoom/core/error.hpp>
#include <coldzoom/core/view.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// Memory space of a CUDA device.
struct cuda_space {};

namespace detail {

/// What to do about a failed call; empty where its name says all.
inline std::string cuda_advice(cudaError_t status) {
  switch (status) {
    case cudaErrorNoDevice:
      return "; no CUDA device was found: check with nvidia-smi that there is one and that "
             "CUDA_VISIBLE_DEVICES does not hide it, or use cpu_backend";
    case cudaErrorInsufficientDriver:
      return "; the NVIDIA driver is too old for this program: update it, or build with a CUDA toolkit that "
             "it supports";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorUnsupportedPtxVersion:
      return "; the program was not built for this device's architecture: configure with "
             "-DCMAKE_CUDA_ARCHITECTURES=native on the machine that has the device";
    case cudaErrorMemoryAllocation:
      return "; the device is out of memory: take a smaller batch or network, or end other programs that use "
             "the device";
    case cudaErrorNotSupported:
      return "; the device or its driver lacks stream-ordered memory pools, which cuda_backend needs: update "
             "the driver, or use cpu_backend";
    default:
      return "";
  }
}

/// Throws `error` with the call and CUDA's reason unless it succeeded.
inline void check_cuda(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // or the next launch would report it again
  throw error("cuda_backend", std::string(call) + " failed: " + cudaGetErrorString(status) + " (" +
                                  cudaGetErrorName(status) + ")" + cuda_advice(status));
}

/// A device's stream and memory pool; buffers share it with the backend, so that each outlives its memory.
class cuda_device {
 public:
  explicit cuda_device(int ordinal) : ordinal_(ordinal) {
    int driver = 0, devices = 0;
    check_cuda(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
    // Without a driver the runtime would complain of an old one.
    require(driver > 0, "cuda_backend",
            "no CUDA device was found: this machine has no NVIDIA driver; install it, or use cpu_backend");
    check_cuda(cudaGetDeviceCount(&devices), "cudaGetDeviceCount");
    require(ordinal >= 0 && ordinal < devices, "cuda_backend", [&] {
      return "there is no device " + std::to_string(ordinal) + "; devices are 0 to " +
             std::to_string(devices - 1);
    });
    check_cuda(cudaSetDevice(ordinal), "cudaSetDevice");
    try {
      cudaMemPoolProps properties{};
      properties.allocType = cudaMemAllocationTypePinned;
      properties.location = {cudaMemLocationTypeDevice, ordinal};
      check_cuda(cudaMemPoolCreate(&pool_, &properties), "cudaMemPoolCreate");
      // Keep what is freed: memory would go back to the driver at every wait otherwise.
      std::uint64_t keep = std::numeric_limits<std::uint64_t>::max();
      check_cuda(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep),
                 "cudaMemPoolSetAttribute");
      check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    } catch (...) {
      release();
      throw;
    }
  }
  cuda_device(const cuda_device&) = delete;
  cuda_device& operator=(const cuda_device&) = delete;
  ~cuda_device() { release(); }

  int ordinal() const { return ordinal_; }

  /// The stream, with its device made the calling thread's: a launch needs both to agree.
  cudaStream_t stream() const {
    check_cuda(cudaSetDevice(ordinal_), "cudaSetDevice");
    return stream_;
  }
  /// The same without making the device current; throws nothing.
  cudaStream_t unchecked_stream() const { return stream_; }
  void synchronize() const { check_cuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

  // While work is captured, nothing may wait for the device, move data of the host or allocate.
  void set_capturing(bool capturing) { capturing_ = capturing; }
  void require_no_capture(const char* what) const {
    require(!capturing_, "cuda_backend", [&] { return std::string(what) + " while work is captured"; });
  }

  void* allocate(std::size_t bytes) const {
    require_no_capture("allocate");
    void* memory = nullptr;
    const cudaError_t status = cudaMallocFromPoolAsync(&memory, bytes, pool_, stream());
    if (status != cudaSuccess) {
      check_cuda(status, ("cudaMallocFromPoolAsync of " + std::to_string(bytes) + " bytes").c_str());
    }
    return memory;
  }
  // A failure here is the late report of an earlier one, and destructors do not throw. The next launch would
  // be blamed for it.
  void free(void* memory) const {
    if (cudaFreeAsync(memory, stream_) != cudaSuccess) cudaGetLastError();
  }

 private:
  void release() {
    if (stream_) {
      cudaStreamSynchronize(stream_);
      cudaStreamDestroy(stream_);
    }
    if (pool_) cudaMemPoolDestroy(pool_);
  }

  int ordinal_;
  bool capturing_ = false;
  cudaMemPool_t pool_ = nullptr;
  cudaStream_t stream_ = nullptr;
};

}  // namespace detail

/// Owns `size` elements of device memory. Movable, not copyable. May outlive its backend.
template <class T> class cuda_buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  cuda_buffer() = default;
  cuda_buffer(std::shared_ptr<detail::cuda_device> device, index_t size) : device_(std::move(device)) {
    if (size == 0) return;
    data_ = static_cast<T*>(device_->allocate(static_cast<std::size_t>(size) * sizeof(T)));
    size_ = size;
  }
  cuda_buffer(cuda_buffer&& other) noexcept { swap(other); }
  cuda_buffer& operator=(cuda_buffer&& other) noexcept {
    cuda_buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~cuda_buffer() {
    if (data_) device_->free(data_);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  index_t size() const { return size_; }

 private:
  void swap(cuda_buffer& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::shared_ptr<detail::cuda_device> device_;
  T* data_ = nullptr;
  index_t size_ = 0;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
