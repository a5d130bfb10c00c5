/// A sampler of second order that looks twice at each step.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/sampling/denoising.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// From the step t to the next along x0_hat and the noise at t, which are kept with the state. Index: element.
template <class Estimate, class To> struct take_heun_step {
  Estimate estimate;
  To to;
  bool last;  // to the clean image, whatever noise a schedule leaves at step 0
  index_t image;
  const float* y;
  float* z;
  float* start;
  float* clean;
  float* noise;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t element = i % image;
    const amplitudes a = estimate.amplitude(element), next = to(element);
    const double before = static_cast<double>(z[i]), x0 = estimate(element, z[i], y[i]);
    const double e = a.noise > 0 ? (before - a.signal * x0) / a.noise : 0;
    start[i] = z[i];
    clean[i] = static_cast<float>(x0);
    noise[i] = static_cast<float>(e);
    z[i] =
        static_cast<float>(last ? x0 : before + (next.signal - a.signal) * x0 + (next.noise - a.noise) * e);
  }
};

/// The same step again, along the means of x0_hat and the noise at both its ends. Index: element.
template <class Estimate, class From> struct correct_heun_step {
  Estimate estimate;
  From from;
  index_t image;
  const float* y;
  float* z;
  const float* start;
  const float* clean;
  const float* noise;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t element = i % image;
    const amplitudes a = estimate.amplitude(element), before = from(element);
    if (a.noise <= 0) return;  // an element that is clean by now has no noise to look at
    const double x0 = estimate(element, z[i], y[i]);
    const double e = (static_cast<double>(z[i]) - a.signal * x0) / a.noise;
    z[i] = static_cast<float>(static_cast<double>(start[i]) +
                              (a.signal - before.signal) * (static_cast<double>(clean[i]) + x0) / 2 +
                              (a.noise - before.noise) * (static_cast<double>(noise[i]) + e) / 2);
  }
};

}  // namespace detail

/// The sampler of EDM (Karras et al. 2022, algorithms 1 and 2). Each step is one of Euler's, and is then
/// taken again along the mean of what the model sees at both ends:
///
///   z <- z + (signal(next) - signal(t)) X + (noise(next) - noise(t)) E,
///
/// X and E being the means of x0_hat and of the noise; the last step, to x0_hat itself, is Euler's. An odd
/// number of calls N makes (N + 1) / 2 steps, as in the paper; an even one leaves out the second look of the
/// last step but one. Deterministic unless there is churn. For equal calls dpm_solver_sampler comes as near
/// to the exact path or nearer.
struct heun_sampler {
  static constexpr const char* name = "heun";
  static constexpr bool takes_estimates = true;

  /// Clips x0_hat to the range of the images in every step.
  bool clip = false;
  /// S_churn: the noise is raised before each step but the first, sigma = noise / signal by the factor 1 +
  /// min(churn / number of steps, sqrt(2) - 1), to the nearest step of the schedule; 0 for none.
  double churn = 0;
  /// S_tmin and S_tmax: sigma is raised where it lies between them.
  double churn_from = 0, churn_to = HUGE_VAL;
  /// S_noise: the deviation of the fresh noise.
  double churn_noise = 1;

  /// The state of the step under way, and what the model saw in it.
  template <Backend B> struct state {
    typename B::template buffer<float> start, clean, noise;
    template <class F> void for_each_buffer(F&& f) {
      f("start", start);
      f("clean", clean);
      f("noise", noise);
    }
  };
  template <Backend B> state<B> make_state(B& b, shape z) const {
    return {b.template allocate<float>(z.size()), b.template allocate<float>(z.size()),
            b.template allocate<float>(z.size())};
  }

  /// The steps of the calls: each but the first and, for an even number, the last twice, the second time with
  /// its noise raised. Throws `error` unless 1 <= calls < 2 T, and for churn below 0, or above 0 where noise
  /// and signal differ from element to element.
  template <class D, class S> std::vector<int> steps(const D& d, const S& schedule, int calls) const {
    require(churn >= 0 && churn_noise >= 0, "heun_sampler", [&] {
      return "churn is " + std::to_string(churn) + " and churn_noise " + std::to_string(churn_noise) +
             "; they must be at least 0";
    });
    require(churn == 0 || UniformlyAdditive<D>, "heun_sampler", [&] {
      return "churn is " + std::to_string(churn) + "; where each element has noise of its own, it must be 0";
    });
    require(calls >= 1 && calls < 2 * schedule.steps(), "heun_sampler", [&] {
      return "the number of network calls is " + std::to_string(calls) + "; it must be 1 to " +
             std::to_string(2 * schedule.steps() - 1);
    });
    std::vector<int> asked;
    for (const int t : sampling_steps(schedule.steps(), calls / 2 + 1)) {
      asked.push_back(t);
      if (asked.size() > 1 && static_cast<int>(asked.size()) < calls)
        asked.push_back(raised(d, schedule, t, calls / 2 + 1));
    }
    return asked;
  }

  /// As ddim_sampler with eta = 0, for any additive degradation and any schedule; `keys` name the noise of
  /// churn. An observer sees both looks at a step.
  template <Backend B, class M, class D, class S, class Z, class Observer = no_observer>
  void operator()(B& b, M& model, const D& degradation, const S& schedule, int calls, key_sequence keys,
                  const Z& z, Observer&& observer = {}) const {
    if constexpr (detail::check_additive<D>()) {
      detail::sample(*this, b, model, degradation, schedule, calls, keys, z, observer);
    }
  }

  template <Backend B, class Turn, class Estimate, class Batch>
  void advance(B& b, state<B>& s, const Turn& turn, const Estimate& estimate, const Batch& z) const {
    using D = std::remove_cvref_t<decltype(turn.degradation)>;
    static_assert(detail::check_additive<D>() || true);  // the check itself says what is missing
    const auto at = [&](int t) {
      return detail::amplitudes_at(turn.degradation, turn.schedule, t, z.dims.with_n(1));
    };
    const index_t image = z.dims.image();
    using amplitude = std::remove_const_t<decltype(at(0))>;
    if (turn.next < turn.t) {
      b.for_each_index(z.dims.size(),
                       detail::take_heun_step<Estimate, amplitude>{estimate, at(turn.next), turn.next == 0,
                                                                   image, turn.y.data, z.data, s.start.data(),
                                                                   s.clean.data(), s.noise.data()},
                       20);
      return;
    }
    b.for_each_index(
        z.dims.size(),
        detail::correct_heun_step<Estimate, amplitude>{estimate, at(turn.before), image, turn.y.data, z.data,
                                                       s.start.data(), s.clean.data(), s.noise.data()},
        20);
    if (turn.next == turn.t) return;
    if constexpr (UniformlyAdditive<D>) {
      const amplitudes a = at(turn.t)(0), up = at(turn.next)(0);
      const double keep = up.signal / a.signal;
      const double spread = std::sqrt(std::max(0.0, up.noise * up.noise - keep * keep * a.noise * a.noise));
      detail::denoise(b, turn, estimate, z, detail::uniform_weights{{keep, 0, churn_noise * spread}}, true);
    }
  }

 private:
  /// The step whose sigma is nearest to the raised one of step t, and never below it.
  template <class D, class S> int raised(const D& d, const S& schedule, int t, int steps) const {
    if constexpr (UniformlyAdditive<D>) {
      const auto sigma = [&](int at) {
        const amplitudes a = detail::amplitudes_at(d, schedule, at, shape{1, 1, 1, 1})(0);
        return a.noise / a.signal;
      };
      const double from = sigma(t);
      if (churn == 0 || from < churn_from || from > churn_to) return t;
      const double wanted = from * (1 + std::min(churn / steps, std::sqrt(2.0) - 1));
      int up = t;
      while (up < schedule.steps() && std::abs(sigma(up + 1) - wanted) < std::abs(sigma(up) - wanted)) ++up;
      return up;
    }
    return t;
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
