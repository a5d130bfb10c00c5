/// What trainers have in common.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <coldzoom/backend/graph_capture.hpp>
#include <coldzoom/data/dataset.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/optim/adam.hpp>
#include <coldzoom/optim/learning_rate.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// What a trainer reports after each batch.
struct batch_progress {
  index_t batch, batches;  // done and in all
  double loss;             // of this batch
};

/// A network in training: its parameters, the optimiser, the running average and the memory of a batch. The
/// base of the trainers, which know what a batch is made of and what its loss is. `Options` has batch_size,
/// seed, average_decay and adam.
template <Backend B, ValueRange R, class Network, class Options> class training_state {
  static_assert(std::same_as<real_t<B>, float>,
                "coldzoom: training runs in float; use double backends for checks");
  static_assert(check_layer<Network, B>() || true);  // the check itself says what is missing

 public:
  using range = R;
  using backend = B;

  /// Updates in one epoch over `images`.
  template <class Dataset> index_t batches(const Dataset& images) const {
    return images.size() / options_.batch_size;
  }

  const Network& network() const { return network_; }
  shape image() const { return image_; }
  const Options& options() const { return options_; }
  B& on() const { return *b_; }

  // The state that makes a run continue: parameters, optimiser, average.
  buffer_t<B>& parameters() { return parameters_; }
  adam<B>& optimizer() { return optimizer_; }
  std::optional<weight_average<B>>& average() { return average_; }

  /// The weights to keep: the running average where there is one.
  buffer_t<B>& best() { return average_ && optimizer_.steps() > 0 ? average_->values() : parameters_; }

 protected:
  using space = typename B::space;

  /// `where`, the trainer's name, begins its complaints.
  training_state(const char* where, B& b, Network network, shape image, Options options)
      : where_(where),
        b_(&b),
        network_(std::move(network)),
        image_(image.with_n(1)),
        options_(checked(where, options)),
        most_(std::min(micro_batch_of<B>, options_.batch_size)),
        parameters_(b.template allocate<float>(network_.parameter_count())),
        gradients_(b.template allocate<float>(network_.parameter_count())),
        optimizer_(b, network_.parameter_count(), options.adam),
        workspace_(network_.make_workspace(b, image.with_n(most_), pass::train)),
        x_(b, image.with_n(most_)),
        y_(b, network_.output_shape(image_).with_n(most_)),
        dy_(b, network_.output_shape(image_).with_n(most_)),
        loss_(b.template allocate<float>(options_.batch_size)) {
    if (options_.average_decay > 0) average_.emplace(b, network_.parameter_count(), options_.average_decay);
    const std::vector<float> values = initial_parameters(network_, options_.seed);
    b.upload(values.data(), parameters_.data(), static_cast<index_t>(values.size()));
  }

  void check_shape(shape images) const {
    require(images.with_n(1) == image_, where_, [&] {
      return "the data set is " + to_string(images) + "; the network wants images of " + to_string(image_);
    });
  }

  /// Which images make the batches; kept, so that an update allocates nothing.
  struct image_order {
    std::vector<std::int32_t> images;
    typename B::template buffer<std::int32_t> there;  // the same in the backend's memory

    void upload(B& b) {
      const auto size = static_cast<index_t>(images.size());
      if (size > there.size()) there = b.template allocate<std::int32_t>(size);
      b.upload(images.data(), there.data(), size);
    }
  };

  /// Shuffles and returns the number of batches. Throws `error` where there is none.
  index_t start_epoch(index_t images, index_t epoch) {
    const index_t count = images / options_.batch_size;
    require(count > 0, "train_epoch", [&] {
      return "the data set has " + std::to_string(images) + " images; a batch takes " +
             std::to_string(options_.batch_size);
    });
    shuffle_order(epoch_order_.images, images, options_.seed, static_cast<std::uint64_t>(epoch));
    epoch_order_.upload(*b_);
    return count;
  }
  /// Sets test_order_: the images one after another.
  void start_test(index_t images) {
    if (static_cast<index_t>(test_order_.images.size()) == images) return;
    image_order order{natural_order(images), {}};
    order.upload(*b_);
    test_order_ = std::move(order);
  }

  /// out = images first .. first + n - 1 of the order.
  template <class Dataset>
  void gather(const Dataset& images, const image_order& order, index_t first, index_t n, buffer_t<B>& out) {
    constexpr bool same_range = std::same_as<typename Dataset::range, R>;
    static_assert(same_range,
                  "coldzoom: the data set has another value range than the trainer: write the same one, "
                  "such as centred, in both types; see docs/concepts/dataset.md");
    if constexpr (same_range) {
      images.gather(*b_, vector_view<const std::int32_t, space>{order.there.data() + first, n}, view(out, n));
    }
  }

  /// The parameters that passes run with from now on.
  void pack_weights(buffer_t<B>& parameters) {
    active_ = parameters.data();
    network_.pack_weights(*b_, active_, workspace_);
  }

  /// A pass of n images: loss(first, y, dy) writes the losses of a micro-batch and, unless dy is empty, their
  /// gradients by y. With pass::train the gradients of the parameters add up.
  template <class Loss>
  void run(buffer_t<B>& pixels, const side_inputs<B>& side, index_t n, pass mode, const Loss& loss) {
    const tensor_view<const float, space> images = view(pixels, n);
    for (index_t first = 0; first < n; first += most_) {
      const index_t m = std::min(most_, n - first);
      const side_inputs<B> own = side.images(first, m);
      pack_images(*b_, images.images(first, m), x_.view(m));
      network_.forward(*b_, active_, x_.view(m), own, y_.view(m), workspace_);
      const activation<B> dy = mode == pass::train ? dy_.view(m) : activation<B>{};
      loss(first, const_activation<B>(y_.view(m)), dy);
      if (mode == pass::predict) continue;
      network_.backward(*b_, active_, x_.view(m), own, dy, {}, gradients_.data(), workspace_);
    }
  }
  /// The gradients of what passes() runs, by the parameters as they are. Calls differ by nothing but the
  /// values in the backend's memory, so that a backend that records replays them.
  template <class Passes> void find_gradients(const Passes& passes) {
    step_(*b_, parameters_.data(), [&] {
      pack_weights(parameters_);
      b_->for_each_index(gradients_.size(), generic::fill<float>{0.0f, gradients_.data()});
      passes();
      network_.reduce_gradients(*b_, gradients_.data(), workspace_);
    });
    active_ = parameters_.data();  // where it is replayed too
  }

  /// The updates of an epoch of `count` batches. step(batch) finds the gradients and leaves a value an image
  /// in each of `values`, the losses first; report(batch, sums) is told their sums after the update. A
  /// backend that sums later goes on while they are read: there the report follows the start of the next
  /// batch. Throws `error` at the first loss that is not finite.
  template <std::size_t N, class Rate, class Step, class Report>
  void update_for_each(index_t count, index_t epoch, const std::array<const float*, N>& values,
                       const Rate& rate, const Step& step, const Report& report) {
    const auto check_loss = [&](index_t batch, double loss) {
      require(std::isfinite(loss), "train_epoch", [&] {
        return "the loss is not finite in epoch " + std::to_string(epoch) + ", batch " +
               std::to_string(batch + 1) + " of " + std::to_string(count) +
               "; look for bad pixels in the data, or lower the learning rate";
      });
    };
    std::array<double, N> sums{};
    [[maybe_unused]] std::array<pending_sum_t<B>, N> before{};
    [[maybe_unused]] const auto read_and_report = [&](index_t batch, auto& pending) {
      for (std::size_t i = 0; i < N; ++i) sums[i] = pending[i].get();
      check_loss(batch, sums[0]);
      report(batch, sums);
    };
    for (index_t batch = 0; batch < count; ++batch) {
      step(batch);
      if constexpr (SumsLater<B>) {
        std::array<pending_sum_t<B>, N> pending;
        for (std::size_t i = 0; i < N; ++i) pending[i] = b_->sum_later(values[i], options_.batch_size);
        update(rate);
        if (batch > 0) read_and_report(batch - 1, before);
        before = std::move(pending);
      } else {
        for (std::size_t i = 0; i < N; ++i) sums[i] = b_->sum(values[i], options_.batch_size);
        check_loss(batch, sums[0]);
        update(rate);
        report(batch, sums);
      }
    }
    if constexpr (SumsLater<B>) read_and_report(count - 1, before);
  }

  image_batch<R, float, space> view(buffer_t<B>& memory, index_t n) const {
    return image_batch<R, float, space>(tensor_view<float, space>(memory.data(), image_.with_n(n)));
  }
  /// Memory for the images of a batch.
  buffer_t<B> batch_memory() const {
    return b_->template allocate<float>(options_.batch_size * image_.image());
  }

  const char* where_;
  B* b_;
  Network network_;
  shape image_;
  Options options_;
  index_t most_;  // images at a time
  buffer_t<B> parameters_, gradients_;
  adam<B> optimizer_;
  std::optional<weight_average<B>> average_;
  typename Network::template workspace<B> workspace_;
  activation_buffer<B> x_, y_, dy_;
  image_order epoch_order_, test_order_;  // apart, for a test may come between two batches
  buffer_t<B> loss_;
  const float* active_ = nullptr;  // the parameters that the workspace is prepared for

 private:
  template <class Rate> void update(const Rate& rate) {
    optimizer_.step(*b_, gradients_.data(), parameters_.data(), rate(optimizer_.steps()));
    if (average_) average_->update(*b_, parameters_.data(), optimizer_.steps());
  }

  static Options checked(const char* where, Options options) {
    require(options.batch_size >= 1, where, [&] {
      return "the batch size is " + std::to_string(options.batch_size) + "; it must be at least 1";
    });
    return options;
  }

  graph_capture<B, const float*> step_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
