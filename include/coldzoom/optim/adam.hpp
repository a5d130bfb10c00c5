/// The Adam optimiser.
#pragma once

#include <cmath>
#include <coldzoom/optim/optimizer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Index: parameter.
template <class Real> struct adam_update {
  Real beta1, beta2, eps, step_size, second_scale;
  const Real* gradient;
  Real* parameter;
  Real* first;
  Real* second;

  COLDZOOM_HD void operator()(index_t i) const {
    const Real g = gradient[i];
    first[i] = beta1 * first[i] + (1 - beta1) * g;
    second[i] = beta2 * second[i] + (1 - beta2) * g * g;
    parameter[i] -= step_size * first[i] / (std::sqrt(second[i]) * second_scale + eps);
  }
};

}  // namespace detail

/// Adam (Kingma and Ba 2015, algorithm 1), the same as PyTorch's. A step takes about 10 operations a
/// parameter, the state two values.
struct adam {
  static constexpr const char* name = "adam";

  double beta1 = 0.9, beta2 = 0.999;  // at least 0, below 1
  double eps = 1e-8;                  // above 0

  /// First and second moments.
  template <Backend B> struct state {
    buffer_t<B> first, second;

    template <class Visit> void for_each_buffer(const Visit& visit) {
      visit("first", first);
      visit("second", second);
    }
  };

  template <Backend B> state<B> make_state(B& b, const parameter_list& list) const {
    detail::require_share(name, "beta1", beta1);
    detail::require_share(name, "beta2", beta2);
    detail::require_number(name, "eps", eps, eps > 0, "above 0");
    const index_t count = parameter_count(list);
    return {b.template allocate<real_t<B>>(count), b.template allocate<real_t<B>>(count)};
  }

  template <Backend B>
  void step(B& b, state<B>& s, const real_t<B>* gradients, real_t<B>* parameters, double rate,
            index_t step) const {
    b.for_each_index(s.first.size(), update(s, gradients, parameters, rate, step), 10);
  }
  template <class Visit> void for_each_number(const Visit& visit) const {
    visit("beta1", beta1);
    visit("beta2", beta2);
    visit("eps", eps);
  }

  /// The kernel of a step, for optimisers that add to it.
  template <class State, class Real>
  detail::adam_update<Real> update(State& s, const Real* gradients, Real* parameters, double rate,
                                   index_t step) const {
    const double correction1 = 1 - std::pow(beta1, static_cast<double>(step));
    const double correction2 = 1 - std::pow(beta2, static_cast<double>(step));
    return {static_cast<Real>(beta1),
            static_cast<Real>(beta2),
            static_cast<Real>(eps),
            static_cast<Real>(rate / correction1),
            static_cast<Real>(1 / std::sqrt(correction2)),
            gradients,
            parameters,
            s.first.data(),
            s.second.data()};
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
