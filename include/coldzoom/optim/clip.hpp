/// Clipping of gradients by their norm, without a transfer to the host.
#pragma once

#include <cmath>
#include <coldzoom/backend/device/reduction.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Elements that one index, or one block, sums.
inline constexpr index_t clip_chunk = 4096;
inline index_t clip_chunks(index_t count) { return (count + clip_chunk - 1) / clip_chunk; }

/// sums[chunk] = sum in double of the squares of the elements chunk * clip_chunk .. . Index: chunk.
template <class Real> struct chunk_squares {
  index_t count;
  const Real* values;
  double* sums;

  COLDZOOM_HD void operator()(index_t chunk) const {
    const index_t first = chunk * clip_chunk, end = first + clip_chunk < count ? first + clip_chunk : count;
    double total = 0;
    for (index_t i = first; i < end; ++i)
      total += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    sums[chunk] = total;
  }
};

/// The same by blocks. Block: chunk.
template <class Real> struct chunk_squares_blocks {
  static constexpr int most_threads = device::usual_threads;
  index_t count;
  const Real* values;
  double* sums;

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    double* shared = block.template shared<double>(block.threads());
    const index_t first = block.index() * clip_chunk,
                  end = first + clip_chunk < count ? first + clip_chunk : count;
    const double total = device::sum(block, shared, [&](int thread) {
      double part = 0;
      for (index_t i = first + thread; i < end; i += block.threads())
        part += static_cast<double>(values[i]) * static_cast<double>(values[i]);
      return part;
    });
    block.for_each_thread([&](int thread) {
      if (thread == 0) sums[block.index()] = total;
    });
  }
};

/// *total = sums[0] + sums[1] + ... Index: none but 0.
struct add_sums {
  const double* sums;
  index_t count;
  double* total;

  COLDZOOM_HD void operator()(index_t) const {
    double sum = 0;
    for (index_t i = 0; i < count; ++i) sum += sums[i];
    *total = sum;
  }
};

/// gradient *= most / (norm + 1e-6) where that is below 1. A norm that is not finite compares as false, or
/// makes the factor 0, and changes nothing. Index: element.
template <class Real> struct scale_to_norm {
  double most;
  const double* square;
  Real* gradient;

  COLDZOOM_HD void operator()(index_t i) const {
    const double factor = most / (std::sqrt(*square) + 1e-6);
    if (factor < 1 && factor > 0) gradient[i] *= static_cast<Real>(factor);
  }
};

}  // namespace detail

/// Scratch memory of clip_by_norm for `count` elements; reused from call to call.
template <Backend B> struct clip_scratch {
  typename B::template buffer<double> values;

  clip_scratch() = default;
  clip_scratch(B& b, index_t count)
      : values(b.template allocate<double>(1 + detail::clip_chunks(count) +
                                           device::sum_scratch(detail::clip_chunks(count)))) {}
};

/// Scales `count` gradients so that their Euclidean norm is at most about `most` > 0, by the formula of
/// PyTorch's clip_grad_norm_: all are multiplied by most / (norm + 1e-6) where that is below 1. The norm
/// never leaves the backend's memory (it is the root of scratch.values.data()[0]), so that a device need not
/// wait. It is summed in double, in an order that depends on the count alone. Gradients whose norm is not
/// finite stay as they are: scaled, they would become NaN or 0 and hide where the fault began; so the step
/// spoils the parameters, and the check of the next loss reports it. Costs about 4 operations an element.
template <Backend B>
void clip_by_norm(B& b, real_t<B>* gradients, index_t count, double most, clip_scratch<B>& scratch) {
  using real = real_t<B>;
  const index_t chunks = detail::clip_chunks(count);
  double* const square = scratch.values.data();
  double* const sums = square + 1;
  if constexpr (BlockBackend<B>) {
    const int threads = device::threads_for(detail::clip_chunk);
    b.for_each_block(chunks, threads, threads * static_cast<index_t>(sizeof(double)) + 16,
                     detail::chunk_squares_blocks<real>{count, gradients, sums});
    device::sum_all<double>(b, sums, chunks, sums + chunks, square);
  } else {
    b.for_each_index(chunks, detail::chunk_squares<real>{count, gradients, sums}, 4 * detail::clip_chunk);
    b.for_each_index(1, detail::add_sums{sums, chunks, square}, chunks);
  }
  b.for_each_index(count, detail::scale_to_norm<real>{most, square, gradients}, 2);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
