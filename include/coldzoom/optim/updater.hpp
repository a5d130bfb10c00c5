/// One update of the parameters: sum over ranks, clip, step, average.
#pragma once

#include <cmath>
#include <coldzoom/optim/adam.hpp>
#include <coldzoom/optim/clip.hpp>
#include <coldzoom/optim/optimizer.hpp>
#include <coldzoom/optim/pairwise_sum.hpp>
#include <coldzoom/optim/weight_average.hpp>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

struct update_options {
  double clip_norm = 0;                     // the largest norm of the gradients; 0 for any
  std::vector<double> average_decays = {};  // one running average of the weights for each, between 0 and 1
};

/// Updates parameters by gradients, which are summed over the ranks, clipped, and given to the optimiser;
/// then the averages take in the new parameters. Holds everything that a run needs to continue, except for
/// the parameters. Allocates nothing after its first update.
template <Backend B, class O = adam, class Rank = single_rank> class updater {
  static_assert(check_optimizer<O, B>() || true);  // the check itself says what is missing
  static_assert(check_communicator<Rank>() || true);

 public:
  using optimizer_type = O;

  /// `list` describes the parameters. Throws `error` for numbers out of range.
  updater(B& b, const parameter_list& list, O optimizer = {}, const update_options& options = {},
          Rank rank = {})
      : optimizer_(std::move(optimizer)),
        clip_norm_(checked(options.clip_norm)),
        ranks_(std::move(rank)),
        state_(optimizer_.make_state(b, list)) {
    const index_t count = parameter_count(list);
    if (clip_norm_ > 0) scratch_ = clip_scratch<B>(b, count);
    for (const double decay : options.average_decays) averages_.emplace_back(b, count, decay);
  }

  /// One update of `parameters`, both of the length of the list. `gradients` is overwritten.
  void update(B& b, buffer_t<B>& gradients, buffer_t<B>& parameters, double rate) {
    ranks_.sum(b, gradients.data(), gradients.size());
    if (clip_norm_ > 0) clip_by_norm(b, gradients.data(), gradients.size(), clip_norm_, scratch_);
    ++steps_;
    optimizer_.step(b, state_, gradients.data(), parameters.data(), rate, steps_);
    for (weight_average<B>& average : averages_) average.update(b, parameters.data(), steps_);
  }

  /// Updates so far.
  index_t steps() const { return steps_; }
  void set_steps(index_t steps) { steps_ = steps; }

  const O& optimizer() const { return optimizer_; }
  auto& state() { return state_; }
  std::vector<weight_average<B>>& averages() { return averages_; }
  /// The weights to keep: the first average where there is one and a step was taken, else the parameters.
  buffer_t<B>& best(buffer_t<B>& parameters) {
    return averages_.empty() || steps_ == 0 ? parameters : averages_.front().values();
  }

  /// f(const std::string& name, buffer_t<B>&) for all that a checkpoint must hold besides the parameters and
  /// `steps()`: the optimiser's buffers, "adam.first" and so on, and the averages "average", "average.1", ...
  template <class Visit> void for_each_buffer(const Visit& visit) {
    state_.for_each_buffer(
        [&](const char* name, buffer_t<B>& buffer) { visit(std::string(O::name) + "." + name, buffer); });
    for (std::size_t i = 0; i < averages_.size(); ++i) visit(average_name(i), averages_[i].values());
  }
  /// f(const std::string& name, double) for every number that changes an update: "adam.beta1" and so on,
  /// "clip_norm", "average.decay", "average.1.decay", ...
  template <class Visit> void for_each_number(const Visit& visit) const {
    optimizer_.for_each_number(
        [&](const char* name, double value) { visit(std::string(O::name) + "." + name, value); });
    visit(std::string("clip_norm"), clip_norm_);
    for (std::size_t i = 0; i < averages_.size(); ++i)
      visit(average_name(i) + ".decay", averages_[i].decay());
  }

 private:
  static double checked(double clip_norm) {
    require(clip_norm >= 0 && std::isfinite(clip_norm), "updater", [&] {
      return "clip_norm is " + std::to_string(clip_norm) + "; it must be at least 0, and 0 clips nothing";
    });
    return clip_norm;
  }
  static std::string average_name(std::size_t i) {
    return i == 0 ? "average" : "average." + std::to_string(i);
  }

  O optimizer_;
  double clip_norm_;
  ranks_on<B, Rank> ranks_;
  typename O::template state<B> state_;
  clip_scratch<B> scratch_;
  std::vector<weight_average<B>> averages_;
  index_t steps_ = 0;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
