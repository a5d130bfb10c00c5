/// What the machine can do at most, measured: the yardstick of the benchmarks.
#pragma once

#include <algorithm>
#include <chrono>
#include <coldzoom/backend/cpu/simd.hpp>
#include <coldzoom/backend/cpu/thread_pool.hpp>
#include <vector>

/// Seconds of the fastest of `rounds` calls of f.
template <class F> double best_seconds(int rounds, F&& f) {
  double best = 1e30;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

/// Multiply-adds of floats per second on so many threads of the pool, with the vectors that this program is
/// compiled for.
inline double multiply_adds_per_second(coldzoom::thread_pool& pool, int threads, coldzoom::index_t steps,
                                       int rounds) {
  using namespace coldzoom;
  constexpr index_t lanes = native_lanes<float>, chains = 12;  // chains: to hide the latency
  std::vector<float> results(static_cast<std::size_t>(threads) * 64);
  const double seconds = best_seconds(rounds, [&] {
    pool.run(threads, [&](index_t task, int) {
      vec<float, lanes> sum[chains] = {}, factor = broadcast<lanes>(0.999f), term = broadcast<lanes>(0.001f);
      asm volatile("" : "+m"(factor), "+m"(term));  // unknown to the compiler
      for (index_t i = 0; i < steps; ++i) {
        unroll<chains>([&](auto c) COLDZOOM_INLINE_LAMBDA { sum[c] = sum[c] * factor + term; });
      }
      float& result = results[static_cast<std::size_t>(task) * 64];
      for (const auto& s : sum) result += sum_lanes<float, lanes>(s);
    });
  });
  asm volatile("" : : "r"(results.data()) : "memory");
  return static_cast<double>(threads * steps * chains * lanes) / seconds;
}

/// The most on all threads.
inline double peak_multiply_adds(coldzoom::thread_pool& pool) {
  return multiply_adds_per_second(pool, pool.threads(), 2'000'000, 5);
}

/// How many cores the threads have between them at this moment: how many times the arithmetic of one thread
/// all do together. Two CPUs of a virtual machine may lie on one core, now and then. Takes 15 ms.
inline double cores_at_hand(coldzoom::thread_pool& pool) {
  const double one = multiply_adds_per_second(pool, 1, 200'000, 3);
  return multiply_adds_per_second(pool, pool.threads(), 200'000, 3) / one;
}

/// Bytes per second, read and written, of a copy that no cache holds.
inline double peak_bandwidth(coldzoom::thread_pool& pool) {
  using coldzoom::index_t;
  constexpr index_t part = 1 << 20, parts = 64;  // floats
  std::vector<float> from(part * parts, 1.0f), to(part * parts);
  const double seconds = best_seconds(5, [&] {
    pool.run(parts, [&](index_t i, int) { std::copy_n(from.data() + i * part, part, to.data() + i * part); });
  });
  return 2.0 * part * parts * sizeof(float) / seconds;
}
