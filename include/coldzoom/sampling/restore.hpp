/// Degradation and restoration in one call, with the same keys.
#pragma once

#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Degrades the images x0 to level(T), by `keys`, and lets the sampler bring them back, by the same keys: z
/// holds D(x0, T) when the sampler starts and the restored images at the end. A sampler repeats the draw that
/// made z, so its keys must be those of the degradation; here they cannot differ.
///
/// x0 and z are dense, of one shape, apart from each other and in the backend's memory. The other arguments
/// are those of every sampler; an observer sees D(x0, T) as its first state. Throws `error` as `degrade` and
/// the sampler do. Cost: one degradation beside the sampler's work.
template <class Sampler, Backend B, class Predict, class D, Schedule S, ValueRange R, class... Observer>
void degrade_and_restore(B& b, Sampler&& sampler, Predict& predict, const D& degradation, const S& schedule,
                         int calls, key_sequence keys, image_batch<R, const float, typename B::space> x0,
                         image_batch<R, float, typename B::space> z, Observer&&... observer) {
  const auto level = to_backend(
      b, std::vector<float>(static_cast<std::size_t>(x0.dims.n), schedule.level(schedule.steps())));
  degrade(b, degradation, x0, const_levels<B>{level.data(), x0.dims.n}, keys, z);
  sampler(b, predict, degradation, schedule, calls, keys, z, observer...);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
