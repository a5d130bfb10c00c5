/// Host memory that the device reads and writes by itself: staging of copies, and sums on their way to the
/// host. For units that nvcc compiles.
#pragma once

#include <algorithm>
#include <coldzoom/backend/cuda/cuda_device.cuh>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Pinned host memory and an event behind the last work that uses it.
class pinned_slot {
 public:
  /// On the device that is current.
  explicit pinned_slot(std::size_t bytes) {
    check_cuda(cudaMallocHost(&memory_, bytes), "cudaMallocHost");
    const cudaError_t status = cudaEventCreateWithFlags(&event_, cudaEventDisableTiming);
    if (status != cudaSuccess) cudaFreeHost(memory_);
    check_cuda(status, "cudaEventCreateWithFlags");
  }
  pinned_slot(pinned_slot&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        event_(std::exchange(other.event_, nullptr)) {}
  pinned_slot& operator=(pinned_slot&&) = delete;
  ~pinned_slot() {
    if (!event_) return;
    cudaEventSynchronize(event_);
    cudaEventDestroy(event_);
    cudaFreeHost(memory_);
  }

  void* memory() const { return memory_; }
  void mark(cudaStream_t stream) const { check_cuda(cudaEventRecord(event_, stream), "cudaEventRecord"); }
  void wait() const { check_cuda(cudaEventSynchronize(event_), "cudaEventSynchronize"); }

 private:
  void* memory_ = nullptr;
  cudaEvent_t event_ = nullptr;
};

/// Copies between ordinary host memory and the device through a ring of pinned memory.
class cuda_staging {
 public:
  explicit cuda_staging(std::shared_ptr<cuda_device> device) : device_(std::move(device)) {}

  /// `from` has been read when this returns; the copy itself follows in the order of the stream.
  void upload(const void* from, void* to, std::size_t bytes) {
    const cudaStream_t stream = device_->stream();
    for (std::size_t done = 0; done < bytes; done += slot_bytes) {
      const std::size_t part = std::min(slot_bytes, bytes - done);
      const pinned_slot& slot = next_slot();
      std::memcpy(slot.memory(), static_cast<const char*>(from) + done, part);
      check_cuda(
          cudaMemcpyAsync(static_cast<char*>(to) + done, slot.memory(), part, cudaMemcpyHostToDevice, stream),
          "cudaMemcpyAsync");
      slot.mark(stream);
    }
  }
  /// Waits.
  void download(const void* from, void* to, std::size_t bytes) {
    const cudaStream_t stream = device_->stream();
    for (std::size_t done = 0; done < bytes; done += slot_bytes) {
      const std::size_t part = std::min(slot_bytes, bytes - done);
      const pinned_slot& slot = next_slot();
      check_cuda(cudaMemcpyAsync(slot.memory(), static_cast<const char*>(from) + done, part,
                                 cudaMemcpyDeviceToHost, stream),
                 "cudaMemcpyAsync");
      slot.mark(stream);
      slot.wait();
      std::memcpy(static_cast<char*>(to) + done, slot.memory(), part);
    }
  }

 private:
  static constexpr std::size_t slot_bytes = std::size_t{1} << 20, most_slots = 4;

  /// A slot that the device has done with.
  const pinned_slot& next_slot() {
    if (slots_.size() < most_slots) {
      slots_.emplace_back(slot_bytes);
      return slots_.back();
    }
    const pinned_slot& slot = slots_[next_++ % most_slots];
    slot.wait();
    return slot;
  }

  std::shared_ptr<cuda_device> device_;
  std::vector<pinned_slot> slots_;
  std::size_t next_ = 0;
};

/// Slots for sums on their way to the host, used again and again.
class cuda_sum_slots {
 public:
  explicit cuda_sum_slots(std::shared_ptr<cuda_device> device) : device_(std::move(device)) {}

  std::unique_ptr<pinned_slot> take() {
    const std::lock_guard lock(mutex_);
    device_->stream();  // makes the device current
    if (free_.empty()) return std::make_unique<pinned_slot>(sizeof(double));
    std::unique_ptr<pinned_slot> slot = std::move(free_.back());
    free_.pop_back();
    return slot;
  }
  void give_back(std::unique_ptr<pinned_slot> slot) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(slot));
  }

 private:
  std::shared_ptr<cuda_device> device_;
  std::mutex mutex_;  // a sum may end on another thread than its backend's
  std::vector<std::unique_ptr<pinned_slot>> free_;
};

}  // namespace detail

/// A sum that the device is making. Movable; may outlive its backend.
class cuda_sum {
 public:
  cuda_sum() = default;
  cuda_sum(std::shared_ptr<detail::cuda_sum_slots> slots, std::unique_ptr<detail::pinned_slot> slot)
      : slots_(std::move(slots)),
        slot_(std::move(slot)) {}
  cuda_sum(cuda_sum&&) = default;
  cuda_sum& operator=(cuda_sum&& other) noexcept {
    std::swap(slots_, other.slots_);
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~cuda_sum() {
    if (slot_) slots_->give_back(std::move(slot_));
  }

  /// Waits until it is made, not for work after it.
  double get() const {
    slot_->wait();
    return *static_cast<const double*>(slot_->memory());
  }

 private:
  std::shared_ptr<detail::cuda_sum_slots> slots_;
  std::unique_ptr<detail::pinned_slot> slot_;
};

/// Work that cuda_backend::capture has captured, a CUDA graph. It is false where that was not possible.
class cuda_graph {
 public:
  cuda_graph() = default;
  cuda_graph(std::shared_ptr<detail::cuda_device> device, cudaGraphExec_t graph)
      : device_(std::move(device)),
        graph_(graph) {}
  cuda_graph(cuda_graph&& other) noexcept { swap(other); }
  cuda_graph& operator=(cuda_graph&& other) noexcept {
    cuda_graph(std::move(other)).swap(*this);
    return *this;
  }
  ~cuda_graph() {
    if (!graph_) return;
    cudaStreamSynchronize(device_->unchecked_stream());  // it may be running
    cudaGraphExecDestroy(graph_);
  }

  explicit operator bool() const { return graph_ != nullptr; }
  cudaGraphExec_t get() const { return graph_; }

 private:
  void swap(cuda_graph& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(graph_, other.graph_);
  }

  std::shared_ptr<detail::cuda_device> device_;
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
