/// The common parts of samplers: their steps, the loop around them, and observers.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/backend/generic/elementwise.hpp>
#include <coldzoom/backend/normals.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/degradation/additive.hpp>
#include <coldzoom/prediction/model_concept.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// For samplers that nobody watches. An observer is called as observer(t, state, x0_hat) after the model has
/// looked at the state of step t.
struct no_observer {
  template <class State, class Image> void operator()(int, const State&, const Image&) const {}
};

/// The steps T = first > ... > last >= 1 of a sampler with `calls` calls of the model, evenly spread over a
/// schedule of `steps`; every step where calls = steps. `spacing` is a power: the share of the schedule that
/// lies behind after k calls is (k / calls)^spacing, so that above 1 the first steps are small. Throws `error`
/// unless 1 <= calls <= steps and 1 <= spacing <= 4.
inline std::vector<int> sampling_steps(int steps, int calls, double spacing = 1) {
  require(calls >= 1 && calls <= steps, "sampling_steps", [&] {
    return "the number of sampling steps is " + std::to_string(calls) + "; it must be 1 to " +
           std::to_string(steps);
  });
  require(spacing >= 1 && spacing <= 4, "sampling_steps",
          [&] { return "the spacing is " + std::to_string(spacing) + "; it must be 1 to 4"; });
  std::vector<int> chosen;
  chosen.reserve(static_cast<std::size_t>(calls));
  for (int i = 0; i < calls; ++i) {
    const int even = static_cast<int>((static_cast<long long>(steps) * (calls - i) + calls - 1) / calls);
    const double behind = std::pow(static_cast<double>(i) / calls, spacing);
    const int wanted = spacing == 1 ? even : static_cast<int>(std::lround(steps * (1 - behind)));
    // Each step is below the one before, and leaves room for those to come.
    chosen.push_back(std::max(calls - i, i == 0 ? wanted : std::min(wanted, chosen.back() - 1)));
  }
  return chosen;
}

namespace detail {

template <class Z, class B>
concept ranged_batch = requires {
  requires ValueRange<typename Z::range>;
  requires std::convertible_to<Z, image_batch<typename Z::range, float, typename B::space>>;
};

/// Explains what is missing where these do not make a sampling loop.
template <class M, class D, class S, class Z, class B> consteval bool check_sampling() {
  constexpr bool model = Model<M, B>;
  static_assert(
      model,
      "coldzoom: give the sampler a model that is callable as predict(x_t, step, y) and says by its type "
      "`prediction` what it answers with: a coldzoom::model, an any_model, or predicting<predict_x0>(f) of "
      "your own f; see docs/concepts/sampler.md");
  constexpr bool batch = ranged_batch<Z, B>;
  static_assert(
      batch,
      "coldzoom: give the sampler z as an image_batch<range, float, space>: a plain view does not say "
      "between which values its pixels lie; see docs/concepts/sampler.md");
  constexpr bool schedule = check_schedule<S>();
  if constexpr (model) {
    constexpr bool converts = !M::prediction::needs_amplitudes || Additive<D>;
    static_assert(
        converts,
        "coldzoom: this model answers with noise, velocity or flow, which becomes an image only where x_t = "
        "signal x0 + noise e: use a degradation with `amplitudes(level)`, such as gaussian_noise, or a "
        "model that answers with predict_x0; see docs/concepts/prediction.md");
    return batch && schedule && converts;
  }
  return false;
}

/// x0_hat from the answer y to z, within [low, high]. In double: where little signal is left, float would
/// lose digits that the next step needs.
template <class P, class Amplitudes> struct clean_estimate {
  Amplitudes amplitude;  // amplitude(element)
  double low, high;

  COLDZOOM_HD double operator()(index_t element, float z, float y) const {
    const double x0 = P::x0(static_cast<double>(z), static_cast<double>(y), amplitude(element));
    return x0 < low ? low : x0 > high ? high : x0;
  }
};

/// The step of each call: those of sampling_steps, unless the sampler has its own.
template <class Sampler, class D, class S>
std::vector<int> steps_of(const Sampler& sampler, const D& degradation, const S& schedule, int calls) {
  if constexpr (requires { sampler.steps(degradation, schedule, calls); }) {
    return sampler.steps(degradation, schedule, calls);
  } else if constexpr (requires { sampler.spacing; }) {
    return sampling_steps(schedule.steps(), calls, sampler.spacing);
  } else {
    return sampling_steps(schedule.steps(), calls);
  }
}

/// The state of samplers that remember nothing.
struct no_state {
  template <class F> void for_each_buffer(F&&) {}
};

/// The estimate of a sampler, clipped to the range R where it has a member `clip` that is true.
template <class P, ValueRange R, class Sampler, class Amplitudes>
clean_estimate<P, Amplitudes> estimate_of(const Sampler& sampler, const Amplitudes& amplitude) {
  bool clip = false;
  if constexpr (requires { sampler.clip; }) clip = sampler.clip;
  return {amplitude, clip ? static_cast<double>(R::low) : -HUGE_VAL,
          clip ? static_cast<double>(R::high) : HUGE_VAL};
}

/// Index: element.
template <class Estimate> struct estimate_clean {
  Estimate estimate;
  index_t image;
  const float* z;
  const float* y;
  float* x0_hat;

  COLDZOOM_HD void operator()(index_t i) const {
    x0_hat[i] = static_cast<float>(estimate(i % image, z[i], y[i]));
  }
};

template <class Z> struct add_scaled_normals {
  float amplitude;
  Z z;

  COLDZOOM_HD void operator()(index_t n, index_t c, index_t y, index_t x, index_t length,
                              const float* e) const {
    for (index_t j = 0; j < length; ++j) z(n, c, y, x + j) += amplitude * e[j];
  }
};

/// Noise of a sampler that adds some to the state of step `next`, a draw of its own for each step; none where the next
/// step is 0.
template <class B, class Turn, class Z>
void add_step_noise(B& b, float amplitude, const Turn& turn, const Z& z) {
  if (!(amplitude > 0) || turn.next == 0) return;
  // Draw 0 is that of the degradation.
  const key_sequence keys = turn.keys.other(static_cast<std::uint64_t>(turn.next));
  for_each_normal(b, keys, z.dims, add_scaled_normals<Z>{amplitude, z});
}

/// D(x0, t) with one level for the whole batch, which `levels` has room for.
template <class B, class D, class S, ValueRange R>
void degrade_to(B& b, const D& d, const S& schedule, int t, key_sequence keys, float* levels,
                image_batch<R, const float, typename B::space> x0,
                image_batch<R, float, typename B::space> out) {
  b.for_each_index(x0.dims.n, generic::fill<float>{schedule.level(t), levels});
  degrade(b, d, x0, const_levels<B>{levels, x0.dims.n}, keys, out);
}

}  // namespace detail

/// One turn of a sampling loop, as the sampler sees it: the model has answered with y to z at step t, x0_hat
/// is the clean image that the answer stands for, and z is to become the state of step `next`, which is 0 in
/// the last turn. A sampler with steps of its own may stay at a step, or go back.
template <class B, class P, class D, class S, ValueRange R> struct sampling_turn {
  using prediction = P;
  using range = R;

  const D& degradation;
  const S& schedule;
  int before, t, next;  // `before` is the step of the turn before, 0 in the first
  key_sequence keys;
  const_image_tensor<B> y;
  image_batch<R, const float, typename B::space> x0_hat;
  float* levels;  // room for one level an image
};

/// A sampler at work: it holds all values that live from one call of the model to the next, so that a long
/// restoration can be watched, stopped and continued. `z` holds D(x, T) and becomes the samples; it, the
/// model, the degradation and the schedule must live as long as the loop. Sample n depends on z[n] and
/// keys[n] alone.
template <class Sampler, class B, class M, class D, class S, ValueRange R> class sampling_loop {
  using space = typename B::space;
  // The check itself says what is missing.
  static_assert(detail::check_sampling<M, D, S, image_batch<R, float, space>, B>() || true);
  using P = typename M::prediction;

 public:
  /// Throws `error` unless 1 <= calls <= T, or what the sampler allows, and where the model's answer stands
  /// for no image at T, because no signal is left there.
  sampling_loop(const Sampler& sampler, B& b, M& model, const D& degradation, const S& schedule, int calls,
                key_sequence keys, image_batch<R, float, space> z)
      : sampler_(sampler),
        b_(&b),
        model_(&model),
        degradation_(&degradation),
        schedule_(&schedule),
        keys_(keys),
        z_(z),
        steps_(detail::steps_of(sampler, degradation, schedule, calls)),
        state_(sampler.template make_state<B>(b, z.dims)),
        y_(b.template allocate<float>(keeps_answer ? z.dims.size() : 0)),
        x0_hat_(b.template allocate<float>(z.dims.size())),
        levels_(b.template allocate<float>(z.dims.n)) {
    detail::require_signal<P>("sampling_loop", degradation, schedule, steps_.front(), z.dims.with_n(1));
  }

  // Temporaries would be gone before the first step.
  sampling_loop(const Sampler&, B&, M&, const D&&, const S&, int, key_sequence,
                image_batch<R, float, space>) = delete;
  sampling_loop(const Sampler&, B&, M&, const D&, const S&&, int, key_sequence,
                image_batch<R, float, space>) = delete;
  sampling_loop(const Sampler&, B&, M&, const D&&, const S&&, int, key_sequence,
                image_batch<R, float, space>) = delete;

  int calls() const { return static_cast<int>(steps_.size()); }
  /// Calls of the model so far.
  int done() const { return done_; }
  /// The memory of the sampler between turns. With z, it is all that a loop needs to continue after `done`
  /// calls.
  auto& state() { return state_; }
  void resume(int done) {
    require(done >= 0 && done <= calls(), "sampling_loop", [&] {
      return "cannot resume after " + std::to_string(done) + " of " + std::to_string(calls()) + " calls";
    });
    done_ = done;
  }

  /// One call of the model and one step of the sampler. Returns false, and does nothing, after the last.
  template <class Observer = no_observer> bool step(Observer&& observer = {}) {
    if (done_ == calls()) return false;
    const auto at = [&](int i) { return i >= 0 && i < calls() ? steps_[static_cast<std::size_t>(i)] : 0; };
    const int t = at(done_);
    const image_tensor<B> x0_hat(x0_hat_.data(), z_.dims);
    const image_tensor<B> y = keeps_answer ? image_tensor<B>(y_.data(), z_.dims) : x0_hat;
    const sampling_step asked{t, detail::time_of(*schedule_, t), schedule_->level(t), keys_,
                              estimated_ ? x0_hat.data : nullptr};
    // In exactly the types of the concept: a template that deduces them is a model too.
    (*model_)(const_image_tensor<B>(z_), asked, image_tensor<B>(y));
    const auto amplitude = detail::amplitudes_at(*degradation_, *schedule_, t, z_.dims.with_n(1));
    const auto estimate = detail::estimate_of<P, R>(sampler_, amplitude);
    if constexpr (keeps_answer) {
      b_->for_each_index(z_.dims.size(),
                         detail::estimate_clean<std::remove_const_t<decltype(estimate)>>{
                             estimate, z_.dims.image(), z_.data, y.data, x0_hat.data},
                         4);
    }
    observer(t, z_, image_batch<R, float, space>(x0_hat));
    const sampling_turn<B, P, D, S, R> turn{*degradation_,
                                            *schedule_,
                                            at(done_ - 1),
                                            t,
                                            at(done_ + 1),
                                            keys_,
                                            y,
                                            image_batch<R, const float, space>(const_image_tensor<B>(x0_hat)),
                                            levels_.data()};
    if constexpr (Sampler::takes_estimates) {
      sampler_.advance(*b_, state_, turn, estimate, z_);
    } else {
      sampler_.advance(*b_, state_, turn, z_);
    }
    estimated_ = true;
    ++done_;
    return true;
  }

 private:
  // Where the answer is x0_hat as it is, one memory serves both.
  static constexpr bool keeps_answer = P::needs_amplitudes || Sampler::takes_estimates;

  Sampler sampler_;
  B* b_;
  M* model_;
  const D* degradation_;
  const S* schedule_;
  key_sequence keys_;
  image_batch<R, float, space> z_;
  std::vector<int> steps_;
  int done_ = 0;
  bool estimated_ = false;  // whether x0_hat_ holds an estimate
  typename Sampler::template state<B> state_;
  typename B::template buffer<float> y_, x0_hat_, levels_;
};

namespace detail {

/// The whole loop.
template <class Sampler, class B, class M, class D, class S, class Z, class Observer>
void sample(const Sampler& sampler, B& b, M& model, const D& degradation, const S& schedule, int calls,
            key_sequence keys, const Z& z, Observer& observer) {
  if constexpr (check_sampling<M, D, S, Z, B>()) {
    using R = typename Z::range;
    sampling_loop<Sampler, B, M, D, S, R> loop(sampler, b, model, degradation, schedule, calls, keys,
                                               image_batch<R, float, typename B::space>(z));
    while (loop.step(observer)) {
    }
  }
}

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
