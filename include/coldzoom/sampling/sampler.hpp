/// What samplers share: the steps they take and who may watch.
#pragma once

#include <coldzoom/backend/generic/elementwise.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// The network as a sampler sees it: predict(x_t, t / T, x0_hat) for a batch of images. The samplers of
/// denoising diffusion, ddpm_sampler and ddim_sampler, want one that answers with the noise in x_t instead.
template <class P, class B>
concept Reconstruction = requires(P& predict, tensor_view<const float, typename B::space> x, float time,
                                  tensor_view<float, typename B::space> out) {
  predict(x, time, out);
};

/// Explains what is missing where `P` is no network for a sampler on backend `B`, or `S` no schedule.
template <class P, class S, class B> consteval bool check_sampling() {
  constexpr bool callable = Reconstruction<P, B>;
  static_assert(
      callable,
      "coldzoom: give the sampler a network that is callable as predict(x_t, time, x0_hat), such as a "
      "predictor or an any_network; see docs/concepts/sampler.md");
  return check_schedule<S>() && callable;
}

/// For samplers that nobody watches. An observer is called as observer(t, state, x0_hat) after the network
/// has looked at the state of step t.
struct no_observer {
  template <class State> void operator()(int, State, State) const {}
};

/// The steps T = first > ... > last >= 1 of a sampler with `calls` network calls, evenly spread over a
/// schedule of `steps`; every step where calls = steps. Throws `error` unless 1 <= calls <= steps.
inline std::vector<int> sampling_steps(int steps, int calls) {
  require(calls >= 1 && calls <= steps, "sampling_steps", [&] {
    return "the number of sampling steps is " + std::to_string(calls) + "; it must be 1 to " +
           std::to_string(steps);
  });
  std::vector<int> chosen;
  chosen.reserve(static_cast<std::size_t>(calls));
  for (int i = 0; i < calls; ++i) {
    chosen.push_back(static_cast<int>((static_cast<long long>(steps) * (calls - i) + calls - 1) / calls));
  }
  return chosen;
}

namespace detail {

/// step(t, next, t / T) for every step of sampling_steps and the one after it, 0 after the last. The time is
/// that of the training schedule.
template <class S, class Step> void for_each_step(const S& schedule, int calls, Step&& step) {
  const std::vector<int> steps = sampling_steps(schedule.steps(), calls);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    step(steps[i], i + 1 < steps.size() ? steps[i + 1] : 0,
         static_cast<float>(steps[i]) / static_cast<float>(schedule.steps()));
  }
}

/// The walk of both cold samplers: x0_hat from the network at each step t, then `advance(t, next, x0_hat)`; a
/// step 0 ends it with x0_hat itself.
template <class B, class Predict, class S, ValueRange R, class Observer, class Advance>
void walk(B& b, Predict& predict, const S& schedule, int calls, image_batch<R, float, typename B::space> z,
          Observer& observer, Advance&& advance) {
  if constexpr (check_sampling<Predict, S, B>()) {
    using batch = image_batch<R, float, typename B::space>;
    auto memory = b.template allocate<float>(z.dims.size());
    const batch x0_hat(tensor_view<float, typename B::space>(memory.data(), z.dims));
    for_each_step(schedule, calls, [&](int t, int next, float time) {
      // In exactly the types of the concept: a template that deduces them is a network too.
      predict(const_image_tensor<B>(z), time, image_tensor<B>(x0_hat));
      observer(t, z, x0_hat);
      advance(t, next, x0_hat);
    });
  }
}

/// D(x0, t) with one level for the whole batch.
template <class B, class D, class S, ValueRange R>
void degrade_to(B& b, const D& d, const S& schedule, int t, key_sequence keys,
                image_batch<R, const float, typename B::space> x0,
                image_batch<R, float, typename B::space> out) {
  auto memory = b.template allocate<float>(x0.dims.n);
  b.for_each_index(x0.dims.n, generic::fill<float>{schedule.level(t), memory.data()});
  degrade(b, d, x0, const_levels<B>{memory.data(), x0.dims.n}, keys, out);
}

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
