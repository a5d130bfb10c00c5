/// Values of the host: random ones, and on a backend and back.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/random.hpp>
#include <cstdint>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Uniform in [low, high), the same for the same seed.
inline std::vector<float> random_values(index_t count, std::uint64_t seed, float low, float high) {
  std::vector<float> values;
  for (index_t i = 0; i < count; ++i)
    values.push_back(low + (high - low) * random_uniform({seed}, static_cast<std::uint64_t>(i)));
  return values;
}

/// A buffer of `b` that holds `values`.
template <class T, Backend B> auto to_backend(B& b, const std::vector<T>& values) {
  auto memory = b.template allocate<T>(static_cast<index_t>(values.size()));
  b.upload(values.data(), memory.data(), static_cast<index_t>(values.size()));
  return memory;
}

/// `count` elements from `data` on, once all work is done.
template <class T, Backend B> std::vector<T> to_host(B& b, const T* data, index_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  b.download(data, values.data(), count);
  b.synchronize();
  return values;
}

/// All of a buffer of real numbers.
template <Backend B> std::vector<real_t<B>> to_host(B& b, const buffer_t<B>& buffer) {
  return to_host<real_t<B>>(b, buffer.data(), buffer.size());
}

}  // namespace coldzoom::inline COLDZOOM_ISA
