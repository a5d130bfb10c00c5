/// Policies of a training run that the user chooses when the program runs: loss, weighting, optimiser.
#pragma once

#include <coldzoom/nn/pixel_losses.hpp>
#include <coldzoom/optim/adam.hpp>
#include <coldzoom/optim/adamw.hpp>
#include <coldzoom/optim/sgd.hpp>
#include <coldzoom/training/method.hpp>
#include <variant>

#include "common/method.hpp"

namespace programs {

/// `Own`, the loss of a method, or another by its name.
template <class Own> class chosen_loss {
 public:
  template <coldzoom::Backend B> using target = coldzoom::const_tensor<B>;

  chosen_loss(const Own& own, const std::string& name) : held_(own) {
    if (name == "mse") held_ = coldzoom::mean_squared_error{};
    if (name == "l1") held_ = coldzoom::mean_absolute_error{};
    if (name == "huber") held_ = coldzoom::huber{};
    draws = std::visit([](const auto& loss) { return coldzoom::draws_of(loss); }, held_);
  }

  coldzoom::index_t draws;

  double scale(coldzoom::shape batch) const {
    return std::visit([&](const auto& loss) -> double { return loss.scale(batch); }, held_);
  }
  template <coldzoom::Backend B>
  void operator()(B& b, coldzoom::const_activation<B> prediction, coldzoom::const_tensor<B> targets,
                  coldzoom::loss_weights<B> weights, double scale, coldzoom::activation<B> d_prediction,
                  coldzoom::vector_view<coldzoom::real_t<B>, typename B::space> per_image) const {
    std::visit(
        [&](const auto& loss) { loss(b, prediction, targets, weights, scale, d_prediction, per_image); },
        held_);
  }

 private:
  template <class... Ls> struct unless_known {
    using type =
        std::conditional_t<(std::same_as<Own, Ls> || ...), std::variant<Ls...>, std::variant<Own, Ls...>>;
  };
  typename unless_known<coldzoom::mean_squared_error, coldzoom::mean_absolute_error, coldzoom::huber>::type
      held_;
};

/// `Own`, the weighting of a method, or another by its name. Weights of pixels stay.
template <class D, class Own> class chosen_weighting {
 public:
  chosen_weighting(const Own& own, const std::string& name) : own_(own), by_ratio_(name == "min-snr") {
    uniform_ = name == "uniform";
    coldzoom::require(
        !by_ratio_ || coldzoom::UniformlyAdditive<D>, "--weighting",
        "min-snr goes by the ratio of signal to noise, and in this method an image has none of its own");
  }

  double step_weight(double time, double ratio, double slope) const {
    if (by_ratio_) return coldzoom::min_snr_weight{}.step_weight(time, ratio, slope);
    if constexpr (requires { own_.step_weight(time, ratio, slope); }) {
      if (!uniform_) return own_.step_weight(time, ratio, slope);
    }
    return 1;
  }
  COLDZOOM_HD float pixel_weight(float level, const coldzoom::shape& image, coldzoom::index_t c,
                                 coldzoom::index_t y, coldzoom::index_t x) const
      requires(requires(const Own own) { own.pixel_weight(level, image, c, y, x); }) {
    return own_.pixel_weight(level, image, c, y, x);
  }

 private:
  Own own_;
  bool by_ratio_, uniform_ = false;
};

/// The method as the user wants it trained.
template <class M> auto in_training(const M& m, const run_options& o) {
  return coldzoom::make_method(
      typename M::range{}, m.degradation, m.schedule, m.predict, m.input,
      chosen_loss<typename M::loss_type>(m.loss, o.loss),
      chosen_weighting<typename M::degradation_type, typename M::weighting_type>(m.weighting, o.weighting));
}

/// Adam, AdamW or SGD.
class chosen_optimizer {
 public:
  static constexpr const char* name = "optimizer";

  template <coldzoom::Backend B> struct state {
    std::variant<coldzoom::adam::state<B>, coldzoom::adamw::state<B>, coldzoom::sgd::state<B>> held;

    template <class Visit> void for_each_buffer(const Visit& visit) {
      std::visit([&](auto& own) { own.for_each_buffer(visit); }, held);
    }
  };

  explicit chosen_optimizer(const run_options& o) {
    const bool decays = o.weight_decay >= 0;
    if (o.optimizer == coldzoom::adamw::name) {
      coldzoom::adamw& adamw = held_.emplace<coldzoom::adamw>();
      if (decays) adamw.weight_decay = o.weight_decay;
    } else if (o.optimizer == coldzoom::sgd::name) {
      coldzoom::sgd& sgd = held_.emplace<coldzoom::sgd>();
      sgd.momentum = o.momentum;
      if (decays) sgd.weight_decay = o.weight_decay;
    } else {
      coldzoom::require(!decays, "--weight-decay", "adam has none; take adamw or sgd");
    }
  }

  template <coldzoom::Backend B> state<B> make_state(B& b, const coldzoom::parameter_list& list) const {
    return std::visit([&](const auto& own) { return state<B>{own.make_state(b, list)}; }, held_);
  }
  template <coldzoom::Backend B>
  void step(B& b, state<B>& s, const coldzoom::real_t<B>* gradients, coldzoom::real_t<B>* parameters,
            double rate, coldzoom::index_t step) const {
    std::visit(
        [&]<class Own>(const Own& own) {
          own.step(b, std::get<typename Own::template state<B>>(s.held), gradients, parameters, rate, step);
        },
        held_);
  }
  template <class Visit> void for_each_number(const Visit& visit) const {
    std::visit([&](const auto& own) { own.for_each_number(visit); }, held_);
  }

 private:
  std::variant<coldzoom::adam, coldzoom::adamw, coldzoom::sgd> held_;
};

}  // namespace programs
