/// Adam with weight decay.
#pragma once

#include <coldzoom/optim/adam.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// parameter = keep * parameter where weight decay pulls, then Adam's update. Index: parameter.
template <class Real> struct adamw_update {
  adam_update<Real> adam;
  Real keep;
  const std::uint8_t* decays;

  COLDZOOM_HD void operator()(index_t i) const {
    if (decays[i]) adam.parameter[i] *= keep;
    adam(i);
  }
};

}  // namespace detail

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), the same as PyTorch's AdamW.
/// Only the tensors decay that `decays` names; with `decay_all` all do, as in PyTorch. A step takes about 11
/// operations a parameter, the state two values and a byte.
struct adamw {
  static constexpr const char* name = "adamw";

  double beta1 = 0.9, beta2 = 0.999;  // at least 0, below 1
  double eps = 1e-8;                  // above 0
  double weight_decay = 0.01;         // at least 0
  bool decay_all = false;

  template <Backend B> struct state : adam::state<B> {
    typename B::template buffer<std::uint8_t>
        decays;  // made from the parameter list, so no checkpoint holds it
  };

  template <Backend B> state<B> make_state(B& b, const parameter_list& list) const {
    detail::require_decay(name, weight_decay);
    return {plain().make_state(b, list), detail::decay_mask(b, list, decay_all)};
  }

  template <Backend B>
  void step(B& b, state<B>& s, const real_t<B>* gradients, real_t<B>* parameters, double rate,
            index_t step) const {
    using real = real_t<B>;
    b.for_each_index(s.first.size(),
                     detail::adamw_update<real>{plain().update(s, gradients, parameters, rate, step),
                                                static_cast<real>(1 - rate * weight_decay), s.decays.data()},
                     11);
  }
  template <class Visit> void for_each_number(const Visit& visit) const {
    plain().for_each_number(visit);
    visit("weight_decay", weight_decay);
    visit("decay_all", decay_all ? 1.0 : 0.0);
  }

 private:
  adam plain() const { return {beta1, beta2, eps}; }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
