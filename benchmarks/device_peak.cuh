/// What a CUDA device can do at most, measured: the yardstick of the benchmarks. And their clock.
#pragma once

#include <algorithm>
#include <coldzoom/core/random.hpp>
#include <coldzoom/cuda.cuh>
#include <initializer_list>

/// Milliseconds for one call of f, by events on the backend's stream around `count` calls.
class event_clock {
 public:
  explicit event_clock(cudaStream_t stream) : stream_(stream) {
    for (cudaEvent_t& event : events_) check(cudaEventCreate(&event), "cudaEventCreate");
  }
  event_clock(const event_clock&) = delete;
  event_clock& operator=(const event_clock&) = delete;
  ~event_clock() {
    for (const cudaEvent_t event : events_) cudaEventDestroy(event);
  }

  template <class F> double operator()(int count, const F& f) const {
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    check(cudaEventRecord(events_[0], stream_), "cudaEventRecord");
    for (int i = 0; i < count; ++i) f();
    check(cudaEventRecord(events_[1], stream_), "cudaEventRecord");
    check(cudaEventSynchronize(events_[1]), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, events_[0], events_[1]), "cudaEventElapsedTime");
    return static_cast<double>(milliseconds) / count;
  }

  /// Of the fastest of some rounds, after one that is not counted.
  template <class F> double best(const F& f) const {
    (*this)(1, f);
    double least = 1e30;
    for (int round = 0; round < 10; ++round) least = std::min(least, (*this)(3, f));
    return least;
  }

 private:
  static void check(cudaError_t status, const char* call) { coldzoom::detail::check_cuda(status, call); }

  cudaStream_t stream_;
  cudaEvent_t events_[2] = {};
};

/// Bytes per second, read and written, of a copy that no cache holds: two halves of a gigabyte.
template <class B> double peak_bandwidth(B& b, const event_clock& clock) {
  constexpr coldzoom::index_t floats = 1 << 27;
  const auto from = b.template allocate<float>(floats);
  auto to = b.template allocate<float>(floats);
  return 2e3 * floats * sizeof(float) / clock.best([&] { b.copy(from.data(), to.data(), floats); });
}

/// Chains of multiply-adds that no memory feeds. Index: thread.
struct multiply_add_chains {
  static constexpr int steps = 4096, chains = 8;  // chains: to hide the latency
  float factor, term;                             // unknown to the compiler
  float* sum;

  COLDZOOM_HD void operator()(coldzoom::index_t i) const {
    float value[chains];
    for (int c = 0; c < chains; ++c) value[c] = static_cast<float>(i + c);
    for (int step = 0; step < steps; ++step) {
      for (int c = 0; c < chains; ++c) value[c] = value[c] * factor + term;
    }
    float total = 0;
    for (int c = 0; c < chains; ++c) total += value[c];
    sum[i] = total;
  }
};

/// Multiply-adds of floats per second, outside of tensor cores.
template <class B> double peak_multiply_adds(B& b, const event_clock& clock) {
  constexpr coldzoom::index_t threads = 1 << 20;
  auto sums = b.template allocate<float>(threads);
  const multiply_add_chains kernel{0.999f, 0.001f, sums.data()};
  const double done = static_cast<double>(threads) * multiply_add_chains::steps * multiply_add_chains::chains;
  return 1e3 * done / clock.best([&] { b.for_each_index(threads, kernel); });
}

/// Uniform in [-0.5, 0.5): products of zeros would take less power, and so less time. Index: element.
struct random_elements {
  coldzoom::sample_key key;
  float* out;
  COLDZOOM_HD void operator()(coldzoom::index_t i) const {
    out[i] = coldzoom::random_uniform(key, static_cast<std::uint64_t>(i)) - 0.5f;
  }
};

/// Multiply-adds per second of the backend's product of two large square matrices, in its precision.
template <class B> double peak_product(B& b, const event_clock& clock) {
  constexpr coldzoom::index_t n = 8192;
  auto x = b.template allocate<float>(n * n), y = b.template allocate<float>(n * n),
       z = b.template allocate<float>(n * n);
  for (float* factor : {x.data(), y.data()}) {
    b.for_each_index(n * n, random_elements{{1, coldzoom::stream::shuffle, 0}, factor});
  }
  return 1e3 * n * n * n /
         clock.best([&] { b.gemm(false, n, n, n, x.data(), n, y.data(), n, z.data(), n, false); });
}
