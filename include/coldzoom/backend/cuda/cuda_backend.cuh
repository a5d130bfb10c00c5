/// The CUDA backend: one device, one stream. For units that nvcc compiles.
#pragma once

#include <algorithm>
#include <coldzoom/backend/backend.hpp>
#include <coldzoom/backend/cuda/cuda_block.cuh>
#include <coldzoom/backend/cuda/cuda_device.cuh>
#include <coldzoom/backend/cuda/cuda_products.cuh>
#include <coldzoom/backend/cuda/cuda_staging.cuh>
#include <coldzoom/backend/device/reduction.hpp>
#include <coldzoom/backend/graph_capture.hpp>
#include <coldzoom/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

template <class Kernel> __global__ void run_kernel(index_t count, Kernel kernel) {
  const index_t step = static_cast<index_t>(gridDim.x) * blockDim.x;
  for (index_t i = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
    kernel(i);
  }
}

/// One element of C = op(A) B, summed in the order of k. Index: [i][j], dense.
template <class Real> struct matrix_product {
  bool transpose_a;
  index_t n, k;
  const Real* a;
  index_t lda;
  const Real* b;
  index_t ldb;
  Real* c;
  index_t ldc;
  bool accumulate;

  COLDZOOM_HD void operator()(index_t element) const {
    const index_t i = element / n, j = element % n;
    const index_t step = transpose_a ? lda : 1;
    const Real* row = a + i * (transpose_a ? 1 : lda);
    Real total = accumulate ? c[i * ldc + j] : Real(0);
    for (index_t l = 0; l < k; ++l) total += row[l * step] * b[l * ldb + j];
    c[i * ldc + j] = total;
  }
};

}  // namespace detail

/// Runs everything on one CUDA device, in the order of one stream. Real is float, or double for checks.
/// Copies share the stream and the memory; one thread at a time uses any of them. Everything returns at once
/// except `download`, `sum` and `synchronize`, which wait for all work before them; a failure inside a kernel
/// is thrown by the next call that waits. Every call makes the device current for the calling thread. Results
/// are the same in every run.
template <std::floating_point Real = float> class cuda_backend {
 public:
  using real_type = Real;
  using space = cuda_space;
  static constexpr index_t lanes = 1;
  static constexpr index_t micro_batch = 128;  // images at a time, see nn/predictor.hpp
  template <class T> using buffer = cuda_buffer<T>;

  /// `device` counts from 0, as nvidia-smi and CUDA_VISIBLE_DEVICES do. Throws `error`, saying what to do,
  /// where there is no such device or driver.
  explicit cuda_backend(int device = 0, cuda_precision precision = cuda_precision::float32)
      : device_(std::make_shared<detail::cuda_device>(device)),
        state_(std::make_shared<shared_state>(device_, precision)) {}

  int device() const { return device_->ordinal(); }
  cuda_precision precision() const { return state_->products.precision(); }
  /// For work of one's own, in order with the backend's.
  cudaStream_t stream() const { return device_->stream(); }

  template <class T> buffer<T> allocate(index_t size) const {
    buffer<T> memory(device_, size);
    if (size > 0) {
      detail::check_cuda(cudaMemsetAsync(memory.data(), 0, bytes<T>(size), stream()), "cudaMemsetAsync");
    }
    return memory;
  }

  template <class T> void copy(const T* from, T* to, index_t size) const {
    if (size <= 0) return;
    detail::check_cuda(cudaMemcpyAsync(to, from, bytes<T>(size), cudaMemcpyDeviceToDevice, stream()),
                       "cudaMemcpyAsync");
  }
  /// `from` has been read when this returns.
  template <class T> void upload(const T* from, T* to, index_t size) const {
    device_->require_no_capture("upload");
    if (size > 0) state_->staging.upload(from, to, bytes<T>(size));
  }
  template <class T> void download(const T* from, T* to, index_t size) const {
    device_->require_no_capture("download");
    if (size > 0) state_->staging.download(from, to, bytes<T>(size));
  }

  /// One thread an index. `kernel` is passed by value and may hold 4 KiB.
  template <class Kernel> void for_each_index(index_t count, Kernel kernel, index_t = 1) const {
    static_assert(std::is_trivially_copyable_v<Kernel>, "coldzoom: a kernel must be trivially copyable");
    if (count <= 0) return;
    const index_t blocks = std::min(most_blocks, (count + block_size - 1) / block_size);
    detail::run_kernel<<<static_cast<unsigned>(blocks), block_size, 0, stream()>>>(count, kernel);
    detail::check_cuda(cudaGetLastError(), "launching a kernel");
  }

  /// One thread block a block, see backend/device/block.hpp. Throws `error` for a launch that a device would
  /// refuse.
  template <class Kernel>
  void for_each_block(index_t count, int threads, index_t shared, const Kernel& kernel) const {
    device::check_launch<Kernel>(threads, shared);
    if (count <= 0) return;
    require(count <= most_blocks, "for_each_block", [&] {
      return "there are " + std::to_string(count) + " blocks; a launch takes " + std::to_string(most_blocks) +
             ": take a smaller batch";
    });
    detail::run_block<<<static_cast<unsigned>(count), threads, static_cast<std::size_t>(shared), stream()>>>(
        kernel);
    detail::check_cuda(cudaGetLastError(), "launching a kernel of blocks");
  }

  /// Made by blocks of 4096 elements, in an order that depends on `count` alone.
  double sum(const Real* values, index_t count) const { return sum_later(values, count).get(); }
  /// The same without waiting; `get()` of the result waits for this sum.
  cuda_sum sum_later(const Real* values, index_t count) const {
    device_->require_no_capture("sum");
    const index_t scratch = device::sum_scratch(count);
    if (scratch > state_->sum_scratch.size()) state_->sum_scratch = allocate<double>(scratch);
    auto slot = state_->slots->take();
    device::sum_all(*this, values, count, state_->sum_scratch.data(), static_cast<double*>(slot->memory()));
    slot->mark(stream());
    return {state_->slots, std::move(slot)};
  }

  using graph = cuda_graph;
  /// The operations that `work` asks of this backend, as a graph, without running them. False where `work`
  /// throws, as it does when it waits, allocates, or moves data of the host. It must not free memory either:
  /// memory that is freed while work is captured stays taken until the backend ends.
  template <class Work> cuda_graph capture(Work&& work) const {
    const cudaStream_t on = stream();
    detail::check_cuda(cudaStreamBeginCapture(on, cudaStreamCaptureModeThreadLocal),
                       "cudaStreamBeginCapture");
    device_->set_capturing(true);
    bool whole = true;
    try {
      work();
    } catch (...) {
      whole = false;  // it will run as it is, and throw again if it must
    }
    device_->set_capturing(false);
    cudaGraph_t graph = nullptr;
    whole = cudaStreamEndCapture(on, &graph) == cudaSuccess && whole;
    cudaGraphExec_t executable = nullptr;
    if (whole && cudaGraphInstantiate(&executable, graph, 0) != cudaSuccess) executable = nullptr;
    if (graph) cudaGraphDestroy(graph);
    cudaGetLastError();  // or the next launch would report it again
    return executable ? cuda_graph(device_, executable) : cuda_graph();
  }
  void replay(const cuda_graph& graph) const {
    detail::check_cuda(cudaGraphLaunch(graph.get(), stream()), "cudaGraphLaunch");
  }

  /// By cuBLASLt, or one thread an element where it declines. The algorithm depends on n and k alone, so a
  /// row's bits do not depend on m.
  void gemm(bool transpose_a, index_t m, index_t n, index_t k, const Real* a, index_t lda, const Real* b,
            index_t ldb, Real* c, index_t ldc, bool accumulate) const {
    if (m <= 0 || n <= 0) return;
    if (k > 0 && state_->products(transpose_a, m, n, k, a, lda, b, ldb, c, ldc, accumulate)) return;
    for_each_index(m * n, detail::matrix_product<Real>{transpose_a, n, k, a, lda, b, ldb, c, ldc, accumulate},
                   2 * k);
  }

  void synchronize() const {
    device_->require_no_capture("synchronize");
    device_->synchronize();
  }

 private:
  static constexpr index_t most_blocks = std::numeric_limits<std::int32_t>::max();
  static constexpr index_t block_size = 256;

  template <class T> static std::size_t bytes(index_t size) {
    return static_cast<std::size_t>(size) * sizeof(T);
  }
  /// What copies of a backend share beside the device.
  struct shared_state {
    detail::cuda_products<Real> products;
    detail::cuda_staging staging;
    std::shared_ptr<detail::cuda_sum_slots> slots;
    cuda_buffer<double> sum_scratch;

    shared_state(const std::shared_ptr<detail::cuda_device>& device, cuda_precision precision)
        : products(device, precision),
          staging(device),
          slots(std::make_shared<detail::cuda_sum_slots>(device)) {}
  };

  std::shared_ptr<detail::cuda_device> device_;
  std::shared_ptr<shared_state> state_;
};

static_assert(BlockBackend<cuda_backend<float>> && BlockBackend<cuda_backend<double>>);
static_assert(SumsLater<cuda_backend<float>> && CapturesGraphs<cuda_backend<float>>);

}  // namespace coldzoom::inline COLDZOOM_ISA
