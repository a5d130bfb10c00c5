/// Block kernels on the host, in a way that brings their mistakes to light.
#pragma once

#include <algorithm>
#include <coldzoom/backend/device/block.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/random.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// A block whose threads a loop runs, in an order of its own for each phase. Shared memory holds NaN until it
/// is written. Throws `error` where a kernel asks for more of it than it was launched with.
class host_block {
 public:
  /// `seed` decides the orders; 0 is the natural one. `memory` is the shared memory.
  host_block(index_t index, int threads, std::vector<std::byte>& memory, std::uint64_t seed)
      : index_(index),
        memory_(&memory),
        seed_(seed),
        order_(static_cast<std::size_t>(threads)) {
    for (int thread = 0; thread < threads; ++thread) order_[static_cast<std::size_t>(thread)] = thread;
    std::fill(memory.begin(), memory.end(), std::byte{0xff});
  }

  index_t index() const { return index_; }
  int threads() const { return static_cast<int>(order_.size()); }

  template <class T> T* shared(index_t count) {
    const std::size_t bytes = (static_cast<std::size_t>(count) * sizeof(T) + 15) / 16 * 16;
    require(used_ + bytes <= memory_->size(), "host_block", [&] {
      return "the kernel wants " + std::to_string(used_ + bytes) + " bytes of shared memory; it was given " +
             std::to_string(memory_->size());
    });
    return reinterpret_cast<T*>(memory_->data() + std::exchange(used_, used_ + bytes));
  }
  template <class T> struct local_values {
    std::vector<T> values;
    T& operator[](int thread) { return values[static_cast<std::size_t>(thread)]; }
  };
  template <class T> local_values<T> local() const { return {std::vector<T>(order_.size())}; }
  template <class T> T read(const T* at) const { return *at; }

  template <class Phase> void for_each_thread(const Phase& phase) {
    if (seed_ != 0) shuffle();
    for (const int thread : order_) phase(thread);
  }

 private:
  void shuffle() {
    const sample_key key{seed_ + static_cast<std::uint64_t>(index_), stream::user, phase_++};
    for (std::size_t i = order_.size() - 1; i > 0; --i) {
      const index_t j = random_below(key, i, static_cast<index_t>(i) + 1);
      std::swap(order_[i], order_[static_cast<std::size_t>(j)]);
    }
  }

  index_t index_;
  std::vector<std::byte>* memory_;
  std::uint64_t seed_, phase_ = 0;
  std::size_t used_ = 0;
  std::vector<int> order_;
};

static_assert(Block<host_block>);

namespace device {

/// kernel(block) for `count` blocks, one after another. A kernel that keeps the rules of `Block` makes the
/// same bits for every `seed`.
template <class Kernel>
void run_on_host(index_t count, int threads, index_t shared, const Kernel& kernel, std::uint64_t seed = 0) {
  check_launch<Kernel>(threads, shared);
  std::vector<std::byte> memory(static_cast<std::size_t>(shared));
  for (index_t i = 0; i < count; ++i) {
    host_block block(seed == 0 ? i : count - 1 - i, threads, memory, seed);
    kernel(block);
  }
}

}  // namespace device

}  // namespace coldzoom::inline COLDZOOM_ISA
