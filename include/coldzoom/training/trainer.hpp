/// Trains a network to undo a degradation.
#pragma once

#include <cmath>
#include <coldzoom/backend/recording.hpp>
#include <coldzoom/data/dataset.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/nn/loss.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/optim/adam.hpp>
#include <coldzoom/optim/learning_rate.hpp>
#include <coldzoom/schedule/schedule.hpp>
#include <coldzoom/training/objective.hpp>
#include <optional>
#include <tuple>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

struct trainer_options {
  index_t batch_size = 128;  // images an update; the rest of an epoch that does not fill a batch is dropped
  std::uint64_t seed = 0;    // of the initial weights, the order of the images, the steps and the degradation
  double average_decay = 0;  // of the running average of the weights, below 1; 0 for none
  int last_step = 0;         // t is drawn from 1 .. last_step; 0 means the schedule's T
  adam_options adam = {};
};

/// What a trainer reports after each batch.
struct batch_progress {
  index_t batch, batches;  // done and in all
  double loss;             // of this batch
};

/// Holds the network's parameters, the optimiser and the workspace, and runs epochs:
///
///   t ~ U{1 .. T},  x_t = D(x0, level(t)),  loss = mean of (network(x_t, t / T) - target)^2,  Adam
///
/// with target x0 or the noise. Everything random is a function of (seed, epoch, place in the epoch), so a
/// run that is resumed from its state after an epoch continues to the same bits, on any number of threads.
template <Backend B, ValueRange R, class Network, class D, class S, class Target = predict_x0> class trainer {
  static_assert(std::same_as<real_t<B>, float>,
                "coldzoom: training runs in float; use double backends for checks");
  // The checks themselves say what is missing.
  static_assert((check_layer<Network, B>() && check_degradation<D, B>() && check_schedule<S>()) || true);

 public:
  using range = R;
  using backend = B;

  /// `image` gives C, H and W. Throws `error` for options out of range.
  trainer(B& b, Network network, D degradation, S schedule, shape image, trainer_options options)
      : b_(&b),
        network_(std::move(network)),
        degradation_(std::move(degradation)),
        schedule_(std::move(schedule)),
        image_(image.with_n(1)),
        options_(checked(options, schedule_)),
        parameters_(b.template allocate<float>(network_.parameter_count())),
        gradients_(b.template allocate<float>(network_.parameter_count())),
        optimizer_(b, network_.parameter_count(), options.adam),
        workspace_(network_.make_workspace(b, image.with_n(most), pass::train)),
        x_(b, image.with_n(most)),
        y_(b, image.with_n(most)),
        dy_(b, image.with_n(most)),
        order_(b.template allocate<std::int32_t>(options_.batch_size)),
        x0_(b.template allocate<float>(options_.batch_size * image_.image())),
        x_t_(b.template allocate<float>(options_.batch_size * image_.image())),
        noise_(b.template allocate<float>(predicts_noise ? options_.batch_size * image_.image() : 0)),
        time_(b.template allocate<float>(options_.batch_size)),
        level_(b.template allocate<float>(options_.batch_size)),
        loss_(b.template allocate<float>(options_.batch_size)),
        level_of_(b.template allocate<float>(schedule_.steps() + 1)) {
    require(network_.output_shape(image_) == image_, "trainer", [&] {
      return "the network turns " + to_string(image_) + " into " + to_string(network_.output_shape(image_)) +
             "; a reconstruction must keep the shape";
    });
    if (options_.average_decay > 0) average_.emplace(b, network_.parameter_count(), options_.average_decay);
    const std::vector<float> values = initial_parameters(network_, options_.seed);
    b.upload(values.data(), parameters_.data(), static_cast<index_t>(values.size()));
    std::vector<float> levels;
    for (int t = 0; t <= schedule_.steps(); ++t) levels.push_back(schedule_.level(t));
    b.upload(levels.data(), level_of_.data(), static_cast<index_t>(levels.size()));
  }

  /// Updates in one epoch over `images`.
  template <class Dataset> index_t batches(const Dataset& images) const {
    return images.size() / options_.batch_size;
  }

  /// One pass over the data in the order of `epoch` (any number, the same number gives the same order).
  /// `rate` is a LearningRate. Calls progress(batch_progress) after each batch; on a backend that sums
  /// without waiting, after the start of the next one. Returns the mean loss of the batches. Throws `error`
  /// where the data do not fill one batch, and at the first loss that is not finite.
  template <class Dataset, LearningRate Rate, class Progress>
  double train_epoch(const Dataset& images, index_t epoch, const Rate& rate, Progress&& progress) {
    check_shape(images.dims());
    const index_t count = batches(images), size = options_.batch_size;
    require(count > 0, "train_epoch", [&] {
      return "the data set has " + std::to_string(images.size()) + " images; a batch takes " +
             std::to_string(size);
    });
    shuffle_order(epoch_order_, images.size(), options_.seed, static_cast<std::uint64_t>(epoch));
    const double scale = mean_squared_error{}.scale(image_.with_n(size));
    double total = 0;
    const auto check = [&](index_t batch, double loss) {
      require(std::isfinite(loss), "train_epoch", [&] {
        return "the loss is not finite in epoch " + std::to_string(epoch) + ", batch " +
               std::to_string(batch + 1) + " of " + std::to_string(count) +
               "; look for bad pixels in the data, or lower the learning rate";
      });
    };
    const auto report = [&](index_t batch, double loss) {
      total += loss;
      progress(batch_progress{batch + 1, count, loss});
    };
    [[maybe_unused]] pending_loss before{};
    for (index_t batch = 0; batch < count; ++batch) {
      const auto place = static_cast<std::uint64_t>(epoch * images.size() + batch * size);
      load(images, epoch_order_.data() + batch * size, size);
      draw({options_.seed, stream::training_level, place},
           {options_.seed, stream::training_degradation, place}, size);
      find_gradients(size, scale);
      if constexpr (SumsLater<B>) {  // the device goes on while the loss of the batch before is read
        pending_loss loss = b_->sum_later(loss_.data(), size);
        update(rate);
        if (batch > 0) check_and_report(batch - 1, before.get(), check, report);
        before = std::move(loss);
      } else {
        const double loss = b_->sum(loss_.data(), size);
        check(batch, loss);
        update(rate);
        report(batch, loss);
      }
    }
    if constexpr (SumsLater<B>) check_and_report(count - 1, before.get(), check, report);
    return total / static_cast<double>(count);
  }

  /// Mean loss of `best()` over all images, each at one step t and with one draw of the degradation that
  /// depend on its place alone: the same in every epoch and run.
  template <class Dataset> double test_loss(const Dataset& images) {
    check_shape(images.dims());
    const std::vector<std::int32_t> order = natural_order(images.size());
    const double scale = mean_squared_error{}.scale(image_.with_n(images.size()));
    double total = 0;
    prepare(best());
    for (index_t first = 0; first < images.size(); first += options_.batch_size) {
      const index_t n = std::min(options_.batch_size, images.size() - first);
      const auto place = static_cast<std::uint64_t>(first);
      load(images, order.data() + first, n);
      draw({0, stream::test_level, place}, {0, stream::test_degradation, place}, n);
      run(n, scale, pass::predict);
      total += b_->sum(loss_.data(), n);
    }
    return total;
  }

  const Network& network() const { return network_; }
  const S& schedule() const { return schedule_; }
  const D& degradation() const { return degradation_; }
  shape image() const { return image_; }
  const trainer_options& options() const { return options_; }
  B& on() const { return *b_; }

  // The state that makes a run continue: parameters, optimiser, average.
  buffer_t<B>& parameters() { return parameters_; }
  adam<B>& optimizer() { return optimizer_; }
  std::optional<weight_average<B>>& average() { return average_; }

  /// The weights to keep: the running average where there is one.
  buffer_t<B>& best() { return average_ && optimizer_.steps() > 0 ? average_->values() : parameters_; }

 private:
  static constexpr bool predicts_noise = std::same_as<Target, predict_noise>;
  using space = typename B::space;
  using images_of = image_batch<R, float, space>;
  static constexpr index_t most = micro_batch_of<B>;  // images at a time

  template <class T> struct sum_of { using type = double; };
  template <SumsLater T> struct sum_of<T> {
    using type = decltype(std::declval<T&>().sum_later(nullptr, index_t{0}));
  };
  using pending_loss = typename sum_of<B>::type;

  static trainer_options checked(trainer_options options, const S& schedule) {
    require(options.batch_size >= 1, "trainer", [&] {
      return "the batch size is " + std::to_string(options.batch_size) + "; it must be at least 1";
    });
    if (options.last_step == 0) options.last_step = schedule.steps();
    require(options.last_step >= 1 && options.last_step <= schedule.steps(), "trainer", [&] {
      return "the last step is " + std::to_string(options.last_step) + "; it must be 1 to " +
             std::to_string(schedule.steps());
    });
    return options;
  }

  void check_shape(shape images) const {
    require(images.with_n(1) == image_, "trainer", [&] {
      return "the data set is " + to_string(images) + "; the network wants images of " + to_string(image_);
    });
  }

  void prepare(buffer_t<B>& parameters) {
    active_ = parameters.data();
    network_.prepare(*b_, active_, workspace_);
  }

  // x0, for the images that `order` names.
  template <class Dataset> void load(const Dataset& images, const std::int32_t* order, index_t n) {
    constexpr bool same_range = std::same_as<typename Dataset::range, R>;
    static_assert(same_range,
                  "coldzoom: the data set has another value range than the trainer: write the same one, "
                  "such as centred, in both types; see docs/concepts/dataset.md");
    if constexpr (same_range) {
      b_->upload(order, order_.data(), n);
      images.gather(*b_, vector_view<const std::int32_t, space>{order_.data(), n}, view(x0_, n));
    }
  }

  // t, D(x0, t) and, where it is the target, the noise.
  void draw(key_sequence level_keys, key_sequence degradation_keys, index_t n) {
    b_->for_each_index(n, detail::draw_steps{level_keys, options_.last_step, schedule_.steps(),
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

  // Of the n images drawn, by the parameters as they are.
  void find_gradients(index_t n, double scale) {
    step_(*b_, {parameters_.data(), n, scale}, [&] {
      prepare(parameters_);
      b_->for_each_index(gradients_.size(), generic::fill<float>{0.0f, gradients_.data()});
      run(n, scale, pass::train);
      network_.finish(*b_, gradients_.data(), workspace_);
    });
    active_ = parameters_.data();
  }
  template <class Rate> void update(const Rate& rate) {
    optimizer_.step(*b_, gradients_.data(), parameters_.data(), rate(optimizer_.steps()));
    if (average_) average_->update(*b_, parameters_.data(), optimizer_.steps());
  }
  template <class Check, class Report>
  static void check_and_report(index_t batch, double loss, const Check& check, const Report& report) {
    check(batch, loss);
    report(batch, loss);
  }

  // The losses of the n images drawn; with pass::train also the gradients.
  void run(index_t n, double scale, pass mode) {
    const tensor_view<const float, space> target = view(predicts_noise ? noise_ : x0_, n),
                                          x_t = view(x_t_, n);
    const side_inputs<B> side{{time_.data(), n}, {}};
    for (index_t first = 0; first < n; first += most) {
      const index_t m = std::min(most, n - first);
      pack_images(*b_, x_t.images(first, m), x_.view(m));
      network_.forward(*b_, active_, x_.view(m), side.images(first, m), y_.view(m), workspace_);
      const activation<B> dy = mode == pass::train ? dy_.view(m) : activation<B>{};
      mean_squared_error{}(*b_, const_activation<B>(y_.view(m)), target.images(first, m), scale, dy,
                           vector_view<float, space>{loss_.data() + first, m});
      if (mode == pass::predict) continue;
      network_.backward(*b_, active_, x_.view(m), side.images(first, m), dy, {}, gradients_.data(),
                        workspace_);
    }
  }

  images_of view(buffer_t<B>& memory, index_t n) {
    return images_of(tensor_view<float, space>(memory.data(), image_.with_n(n)));
  }

  B* b_;
  Network network_;
  D degradation_;
  S schedule_;
  shape image_;
  trainer_options options_;
  buffer_t<B> parameters_, gradients_;
  adam<B> optimizer_;
  std::optional<weight_average<B>> average_;
  typename Network::template workspace<B> workspace_;
  activation_buffer<B> x_, y_, dy_;
  std::vector<std::int32_t> epoch_order_;
  typename B::template buffer<std::int32_t> order_;
  buffer_t<B> x0_, x_t_, noise_, time_, level_, loss_, level_of_;
  const float* active_ = nullptr;  // the parameters that the workspace is prepared for
  recording<B, std::tuple<const float*, index_t, double>> step_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
