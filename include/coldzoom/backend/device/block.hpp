/// Kernels that a group of threads runs together: one body for a device and for a loop on the host.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/error.hpp>
#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {
struct archetype_phase {
  COLDZOOM_HD void operator()(int) const {}
};
}  // namespace detail

/// A group of threads with shared memory, as a block kernel sees it:
///
/// - `index()`: which block this is; `threads()`: how many threads each has;
/// - `for_each_thread(phase)`: phase(thread) for every thread, then a barrier;
/// - `shared<T>(count)`: the next `count` elements of the shared memory, aligned to 16 bytes; what they hold
///   at first is anything;
/// - `local<T>()`: one value T a thread, `values[thread]` inside a phase, zero at first and kept from phase
///   to phase (in registers);
/// - `read(p)`: what lies at p in shared memory, for use between phases; with a barrier.
///
/// Within a phase no thread may read what another one writes. Between phases a kernel does the same in every
/// thread: it neither writes memory nor reads shared memory but by `read`.
template <class K>
concept Block = requires(K& block, float* memory) {
  { block.index() } -> std::same_as<index_t>;
  { block.threads() } -> std::same_as<int>;
  { block.template shared<float>(index_t{1}) } -> std::same_as<float*>;
  { block.template local<float>()[0] } -> std::same_as<float&>;
  { block.read(memory) } -> std::same_as<float>;
  block.for_each_thread(detail::archetype_phase{});
};

namespace detail {
struct archetype_block_kernel {
  static constexpr int most_threads = 32;
  template <Block K> COLDZOOM_HD void operator()(K&) const {}
};
}  // namespace detail

/// A backend that runs block kernels, `for_each_block(blocks, threads, shared, kernel)`: kernel(block) for
/// `blocks` blocks in any order, each of `threads` threads and `shared` bytes of shared memory. `kernel` is a
/// named, trivially copyable struct with `static constexpr int most_threads` and `template <Block K>
/// COLDZOOM_HD void operator()(K& block) const`. Activations lie in plain rows (lanes = 1).
template <class B>
concept BlockBackend = Backend<B> && B::lanes == 1 && requires(B& b, index_t count) {
  b.for_each_block(count, 32, count, detail::archetype_block_kernel{});
};

namespace device {

/// Threads of a block where nothing speaks for another number.
inline constexpr int usual_threads = 256;
/// Shared memory that every device gives a block without being asked, in bytes.
inline constexpr index_t most_shared = index_t(48) * 1024;

/// What a device can do in the time that it takes to move a byte between its memory and a multiprocessor, in
/// multiply-adds: what the costs of the algorithms are compared by. Of the data sheets of an A100 (19.5
/// Tflop/s, 2.0 TB/s: 4.9) and an H100 (67, 3.35: 10).
inline constexpr double multiply_adds_a_byte = 8;

/// Throws `error` for a launch that a device would refuse.
template <class Kernel> void check_launch(int threads, index_t shared) {
  static_assert(std::is_trivially_copyable_v<Kernel>, "coldzoom: a kernel must be trivially copyable");
  require(threads >= 1 && threads <= Kernel::most_threads, "for_each_block", [&] {
    return "the blocks have " + std::to_string(threads) + " threads; this kernel takes 1 to " +
           std::to_string(Kernel::most_threads);
  });
  require(shared >= 0 && shared <= most_shared, "for_each_block", [&] {
    return "the blocks want " + std::to_string(shared) + " bytes of shared memory; there are " +
           std::to_string(most_shared);
  });
}

/// Elements of T that lie and move together.
template <class T, int Count> struct alignas(Count * sizeof(T) < 16 ? Count * sizeof(T) : 16) pack {
  T value[static_cast<std::size_t>(Count)];
};

/// a / b for 0 <= a, b < 2^32: a device takes far longer to divide 64 bits.
COLDZOOM_HD constexpr index_t quotient(index_t a, index_t b) {
  return static_cast<index_t>(static_cast<std::uint32_t>(a) / static_cast<std::uint32_t>(b));
}

/// Two sums that are taken together.
template <class T> struct sum_pair {
  T first, second;
  COLDZOOM_HD constexpr sum_pair& operator+=(const sum_pair& other) {
    first += other.first;
    second += other.second;
    return *this;
  }
};

/// values[0] + values[1] + .. + values[count - 1].
template <class T> COLDZOOM_HD T sum_in_order(const T* values, int count) {
  T total = 0;
  for (int i = 0; i < count; ++i) total += values[i];
  return total;
}

/// The sum of value(thread) over the threads, in every thread. `shared` has room for one T a thread. The
/// order is a tree of eights that depends on the number of threads alone.
template <class T, Block K, class Value> COLDZOOM_HD T sum(K& block, T* shared, const Value& value) {
  block.for_each_thread([&](int thread) { shared[thread] = value(thread); });
  for (int width = block.threads(); width > 1;) {
    const int next = (width + 7) / 8;
    block.for_each_thread([&](int thread) {
      if (thread >= next) return;
      T total = shared[thread];
      for (int i = thread + next; i < width; i += next) total += shared[i];
      shared[thread] = total;
    });
    width = next;
  }
  return block.read(shared);
}

}  // namespace device

}  // namespace coldzoom::inline COLDZOOM_ISA
