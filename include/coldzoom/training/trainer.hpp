/// Trains a network to undo a degradation.
#pragma once

#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/nn/loss.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <coldzoom/training/objective.hpp>
#include <coldzoom/training/training_state.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

struct trainer_options {
  index_t batch_size = 128;  // images an update; the rest of an epoch that does not fill a batch is dropped
  std::uint64_t seed = 0;    // of the initial weights, the order of the images, the steps and the degradation
  double average_decay = 0;  // of the running average of the weights, below 1; 0 for none
  int last_step = 0;         // t is drawn from 1 .. last_step; 0 means the schedule's T
  adam_options adam = {};
};

/// Runs epochs of training:
///
///   t ~ U{1 .. T},  x_t = D(x0, level(t)),  loss = mean of (network(x_t, t / T) - target)^2,  Adam
///
/// with target x0 or the noise. Everything random is a function of (seed, epoch, place in the epoch), so a
/// run that is resumed from its state after an epoch continues to the same bits, on any number of threads.
template <Backend B, ValueRange R, class Network, class D, class S, class Target = predict_x0>
class trainer : public training_state<B, R, Network, trainer_options> {
  using state = training_state<B, R, Network, trainer_options>;
  // The checks themselves say what is missing.
  static_assert((check_degradation<D, B>() && check_schedule<S>()) || true);

 public:
  /// `image` gives C, H and W. Throws `error` for options out of range.
  trainer(B& b, Network network, D degradation, S schedule, shape image, trainer_options options)
      : state("trainer", b, std::move(network), image, checked(options, schedule)),
        degradation_(std::move(degradation)),
        schedule_(std::move(schedule)),
        x0_(batch_memory()),
        x_t_(batch_memory()),
        time_(b.template allocate<float>(options_.batch_size)),
        level_(b.template allocate<float>(options_.batch_size)),
        level_of_(b.template allocate<float>(schedule_.steps() + 1)) {
    require(network_.output_shape(image_) == image_, "trainer", [&] {
      return "the network turns " + to_string(image_) + " into " + to_string(network_.output_shape(image_)) +
             "; a reconstruction must keep the shape";
    });
    if constexpr (predicts_noise) noise_ = batch_memory();
    std::vector<float> levels;
    for (int t = 0; t <= schedule_.steps(); ++t) levels.push_back(schedule_.level(t));
    b.upload(levels.data(), level_of_.data(), static_cast<index_t>(levels.size()));
  }

  /// One pass over the data in the order of `epoch` (any number, the same number gives the same order).
  /// `rate` is a LearningRate. Calls progress(batch_progress) after each batch; on a backend that sums
  /// without waiting, after the start of the next one. Returns the mean loss of the batches. Throws `error`
  /// where the data do not fill one batch, and at the first loss that is not finite.
  template <class Dataset, LearningRate Rate, class Progress>
  double train_epoch(const Dataset& images, index_t epoch, const Rate& rate, Progress&& progress) {
    this->check_shape(images.dims());
    const index_t count = this->start_epoch(images.size(), epoch), size = options_.batch_size;
    const double scale = mean_squared_error{}.scale(image_.with_n(size));
    double total = 0;
    this->update_for_each(
        count, epoch, std::array<const float*, 1>{loss_.data()}, rate,
        [&](index_t batch) {
          const auto place = static_cast<std::uint64_t>(epoch * images.size() + batch * size);
          this->gather(images, this->epoch_order_, batch * size, size, x0_);
          draw(detail::drawn_step{{options_.seed, stream::training_level, place}},
               {options_.seed, stream::training_degradation, place}, size);
          this->find_gradients([&] { find_losses(size, scale, pass::train); });
        },
        [&](index_t batch, const std::array<double, 1>& sums) {
          total += sums[0];
          progress(batch_progress{batch + 1, count, sums[0]});
        });
    return total / static_cast<double>(count);
  }

  /// Mean loss of `best()` over all images, each at `draws` steps t with a draw of the degradation for each.
  /// They depend on its place alone: the same in every epoch and run. The steps are spread evenly, so the
  /// loss of a zoom model at one step for each of 10,000 digits was within 0.1 % of that at 16, of a noise
  /// model 0.4 %.
  template <class Dataset> double test_loss(const Dataset& images, index_t draws = 1) {
    this->check_shape(images.dims());
    require(draws >= 1, "test_loss",
            [&] { return "found " + std::to_string(draws) + " draws, wanted at least 1"; });
    this->start_test(images.size());
    const double scale = mean_squared_error{}.scale(image_.with_n(images.size()));
    double total = 0;
    this->pack_weights(this->best());
    for (index_t drawn = 0; drawn < draws; ++drawn) {
      for (index_t first = 0; first < images.size(); first += options_.batch_size) {
        const index_t n = std::min(options_.batch_size, images.size() - first);
        const auto place = static_cast<std::uint64_t>(drawn * images.size() + first);
        this->gather(images, this->test_order_, first, n, x0_);
        draw(detail::spread_step{place}, {0, stream::test_degradation, place}, n);
        find_losses(n, scale, pass::predict);
        total += b_->sum(loss_.data(), n);
      }
    }
    return total / static_cast<double>(draws);
  }

  const S& schedule() const { return schedule_; }
  const D& degradation() const { return degradation_; }

 private:
  using state::b_, state::network_, state::image_, state::options_, state::loss_, state::batch_memory,
      state::view;
  using typename state::space;
  static constexpr bool predicts_noise = std::same_as<Target, predict_noise>;

  static trainer_options checked(trainer_options options, const S& schedule) {
    if (options.last_step == 0) options.last_step = schedule.steps();
    require(options.last_step >= 1 && options.last_step <= schedule.steps(), "trainer", [&] {
      return "the last step is " + std::to_string(options.last_step) + "; it must be 1 to " +
             std::to_string(schedule.steps());
    });
    return options;
  }

  // t, D(x0, t) and, where it is the target, the noise.
  template <class Step> void draw(Step step, key_sequence degradation_keys, index_t n) {
    b_->for_each_index(n, detail::set_steps<Step>{step, options_.last_step, schedule_.steps(),
                                                  level_of_.data(), time_.data(), level_.data()});
    const image_batch<R, const float, space> x0 = view(x0_, n);
    const vector_view<const float, space> level{level_.data(), n};
    if constexpr (!predicts_noise) {
      degrade(*b_, degradation_, x0, level, degradation_keys, view(x_t_, n));
    } else if constexpr (detail::draws_noise_at_once<D, B>) {
      degradation_.draw_noise(*b_, degradation_keys, x0.dims, noise_.data());
      degradation_.add_noise(*b_, x0, level, noise_.data(), view(x_t_, n));
    } else {
      degrade(*b_, degradation_, x0, level, degradation_keys, view(x_t_, n));
      b_->for_each_index(n * image_.image(),
                         detail::noise_of<D>{degradation_, degradation_keys, image_.image(), noise_.data()},
                         40);
    }
  }

  // Of the n images drawn; with pass::train also the gradients.
  void find_losses(index_t n, double scale, pass mode) {
    const tensor_view<const float, space> target = view(predicts_noise ? noise_ : x0_, n);
    this->run(x_t_, {{time_.data(), n}, {}}, n, mode,
              [&](index_t first, const_activation<B> y, activation<B> dy) {
                mean_squared_error{}(*b_, y, target.images(first, y.dims.n), scale, dy,
                                     vector_view<float, space>{loss_.data() + first, y.dims.n});
              });
  }

  D degradation_;
  S schedule_;
  buffer_t<B> x0_, x_t_, noise_, time_, level_, level_of_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
