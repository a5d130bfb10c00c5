/// A network with its weights, as samplers see it.
#pragma once

#include <coldzoom/core/random.hpp>
#include <coldzoom/prediction/prediction.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// Where a sampler stands when it asks its model.
struct sampling_step {
  int t = 0;          // step of the training schedule, T .. 1
  float time = 0;     // t / T or the schedule's own: the time that the network was trained with
  float level = 0;    // severity at t
  key_sequence keys;  // of the samples in the batch: keys[n] names the randomness of image n
  /// x0_hat of the call before, for self-conditioning: dense, of the shape of x_t, in the backend's memory;
  /// null in the first call. The answer may be written to the same memory, so it must be read before.
  const float* previous = nullptr;
};

/// A model `M` on backend `B`: m(x_t, step, y) writes its answer to a batch of images x_t into y, both N x C
/// x H x W in the memory of B, and `M::prediction` says what the answer is.
template <class M, class B>
concept Model = Prediction<typename M::prediction> &&
    requires(M& m, tensor_view<const float, typename B::space> x_t, const sampling_step& step,
             tensor_view<float, typename B::space> y) {
  m(x_t, step, y);
};

/// A callable f(x_t, step, y) that answers with `P`.
template <Prediction P, class F> struct predicting_function {
  using prediction = P;
  F f;

  template <class X, class Y> void operator()(X x_t, const sampling_step& step, Y y) { f(x_t, step, y); }
};

/// Makes a model of a callable:
///
///   predicting<predict_x0>([](auto x_t, const sampling_step& step, auto y) { ... })
template <Prediction P, class F> predicting_function<P, F> predicting(F f) { return {std::move(f)}; }

}  // namespace coldzoom::inline COLDZOOM_ISA
