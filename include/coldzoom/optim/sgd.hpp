/// Stochastic gradient descent.
#pragma once

#include <coldzoom/optim/optimizer.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// velocity = momentum * velocity + gradient; without momentum `velocity` is null. Index: parameter.
template <class Real> struct sgd_update {
  Real rate, momentum, weight_decay;
  bool nesterov;
  const std::uint8_t* decays;
  const Real* gradient;
  Real* parameter;
  Real* velocity;

  COLDZOOM_HD void operator()(index_t i) const {
    Real g = gradient[i];
    if (decays[i]) g += weight_decay * parameter[i];
    if (velocity) {
      velocity[i] = momentum * velocity[i] + g;
      g = nesterov ? g + momentum * velocity[i] : velocity[i];
    }
    parameter[i] -= rate * g;
  }
};

}  // namespace detail

/// Stochastic gradient descent with momentum (Sutskever et al. 2013), the same as PyTorch's SGD without
/// dampening: weight decay adds to the gradient. Only the tensors decay that `decays` names; with `decay_all`
/// all do, as in PyTorch. A step takes about 6 operations a parameter, the state a byte, and a value where
/// there is momentum.
struct sgd {
  static constexpr const char* name = "sgd";

  double momentum = 0;      // at least 0, below 1
  bool nesterov = false;    // needs momentum
  double weight_decay = 0;  // at least 0
  bool decay_all = false;

  template <Backend B> struct state {
    buffer_t<B> velocity;  // empty without momentum
    typename B::template buffer<std::uint8_t>
        decays;  // made from the parameter list, so no checkpoint holds it

    template <class Visit> void for_each_buffer(const Visit& visit) {
      if (velocity.size() > 0) visit("velocity", velocity);
    }
  };

  template <Backend B> state<B> make_state(B& b, const parameter_list& list) const {
    detail::require_share(name, "momentum", momentum);
    detail::require_decay(name, weight_decay);
    require(!nesterov || momentum > 0, name, "nesterov needs a momentum above 0");
    return {b.template allocate<real_t<B>>(momentum > 0 ? parameter_count(list) : 0),
            detail::decay_mask(b, list, decay_all)};
  }

  template <Backend B>
  void step(B& b, state<B>& s, const real_t<B>* gradients, real_t<B>* parameters, double rate,
            index_t) const {
    using real = real_t<B>;
    b.for_each_index(
        s.decays.size(),
        detail::sgd_update<real>{static_cast<real>(rate), static_cast<real>(momentum),
                                 static_cast<real>(weight_decay), nesterov, s.decays.data(), gradients,
                                 parameters, s.velocity.size() > 0 ? s.velocity.data() : nullptr},
        6);
  }
  template <class Visit> void for_each_number(const Visit& visit) const {
    visit("momentum", momentum);
    visit("nesterov", nesterov ? 1.0 : 0.0);
    visit("weight_decay", weight_decay);
    visit("decay_all", decay_all ? 1.0 : 0.0);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
