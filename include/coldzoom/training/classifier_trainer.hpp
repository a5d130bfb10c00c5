/// Trains a network to name the class of an image.
#pragma once

#include <cmath>
#include <coldzoom/data/dataset.hpp>
#include <coldzoom/data/random_shift.hpp>
#include <coldzoom/nn/loss.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/optim/adam.hpp>
#include <coldzoom/optim/learning_rate.hpp>
#include <coldzoom/training/trainer.hpp>
#include <optional>

namespace coldzoom::inline COLDZOOM_ISA {

struct classifier_options {
  index_t batch_size = 128;  // images an update; the rest of an epoch that does not fill a batch is dropped
  std::uint64_t seed = 0;    // of the initial weights, the order of the images and their shifts
  double average_decay = 0;  // of the running average of the weights, below 1; 0 for none
  adam_options adam = {};
};

/// Mean cross-entropy, and the share of images, 0 to 1, of which the largest output stands at the label.
struct classification_score {
  double loss = 0, accuracy = 0;
};

/// Holds the network's parameters, the optimiser and the workspace, and runs epochs:
///
///   x = augment(image),  loss = mean of -log softmax(network(x))[label],  Adam
///
/// Everything random is a function of (seed, epoch, place in the epoch), so a run that is resumed from its
/// state after an epoch continues to the same bits, on any number of threads. `Augment` is called as
/// random_shift is.
template <Backend B, ValueRange R, class Network, class Augment = random_shift> class classifier_trainer {
  static_assert(std::same_as<real_t<B>, float>,
                "coldzoom: training runs in float; use double backends for checks");
  static_assert(check_layer<Network, B>() || true);  // the check itself says what is missing

 public:
  using range = R;
  using backend = B;

  /// `image` gives C, H and W. Throws `error` for options out of range, and where the network's output is no
  /// vector of classes.
  classifier_trainer(B& b, Network network, Augment augment, shape image, classifier_options options)
      : b_(&b),
        network_(std::move(network)),
        augment_(std::move(augment)),
        image_(image.with_n(1)),
        classes_(checked_classes(network_.output_shape(image_))),
        options_(checked(options)),
        parameters_(b.template allocate<float>(network_.parameter_count())),
        gradients_(b.template allocate<float>(network_.parameter_count())),
        optimizer_(b, network_.parameter_count(), options.adam),
        workspace_(network_.make_workspace(b, image.with_n(most), pass::train)),
        x_(b, image.with_n(most)),
        y_(b, {most, classes_, 1, 1}),
        dy_(b, {most, classes_, 1, 1}),
        order_(b.template allocate<std::int32_t>(options_.batch_size)),
        label_(b.template allocate<std::int32_t>(options_.batch_size)),
        clean_(b.template allocate<float>(options_.batch_size * image_.image())),
        augmented_(b.template allocate<float>(options_.batch_size * image_.image())),
        loss_(b.template allocate<float>(options_.batch_size)),
        correct_(b.template allocate<float>(options_.batch_size)) {
    if (options_.average_decay > 0) average_.emplace(b, network_.parameter_count(), options_.average_decay);
    const std::vector<float> values = initial_parameters(network_, options_.seed);
    b.upload(values.data(), parameters_.data(), static_cast<index_t>(values.size()));
  }

  /// Updates in one epoch over `images`.
  template <class Dataset> index_t batches(const Dataset& images) const {
    return images.size() / options_.batch_size;
  }

  /// One pass over the data in the order of `epoch` (any number, the same number gives the same order), with
  /// one label 0 .. classes - 1 an image in host memory. `rate` is a LearningRate. Calls
  /// progress(batch_progress) after each batch. Returns the means over the batches. Throws `error` where the
  /// data do not fill one batch, for labels that do not fit, and at the first loss that is not finite.
  template <class Dataset, LearningRate Rate, class Progress>
  classification_score train_epoch(const Dataset& images, const std::vector<std::uint8_t>& labels,
                                   index_t epoch, const Rate& rate, Progress&& progress) {
    check_data(images.dims(), labels);
    const index_t count = batches(images), size = options_.batch_size;
    require(count > 0, "train_epoch", [&] {
      return "the data set has " + std::to_string(images.size()) + " images; a batch takes " +
             std::to_string(size);
    });
    shuffle_order(epoch_order_, images.size(), options_.seed, static_cast<std::uint64_t>(epoch));
    classification_score total;
    for (index_t batch = 0; batch < count; ++batch) {
      const auto place = static_cast<std::uint64_t>(epoch * images.size() + batch * size);
      load(images, labels, epoch_order_.data() + batch * size, size);
      augment_(*b_, image_batch<R, const float, space>(view(clean_, size)),
               key_sequence{options_.seed, stream::augmentation, place}, view(augmented_, size));
      prepare(parameters_);
      b_->for_each_index(gradients_.size(), generic::fill<float>{0.0f, gradients_.data()});
      const classification_score score = run(augmented_, size, 1.0 / static_cast<double>(size), pass::train);
      require(std::isfinite(score.loss), "train_epoch", [&] {
        return "the loss is not finite in epoch " + std::to_string(epoch) + ", batch " +
               std::to_string(batch + 1) + " of " + std::to_string(count) +
               "; look for bad pixels in the data, or lower the learning rate";
      });
      network_.finish(*b_, gradients_.data(), workspace_);
      optimizer_.step(*b_, gradients_.data(), parameters_.data(), rate(optimizer_.steps()));
      if (average_) average_->update(*b_, parameters_.data(), optimizer_.steps());
      total.loss += score.loss / static_cast<double>(count);
      total.accuracy += score.accuracy / static_cast<double>(count);
      progress(batch_progress{batch + 1, count, score.loss});
    }
    return total;
  }

  /// Score of `best()` on all images as they are, not augmented. Throws `error` for labels that do not fit.
  template <class Dataset>
  classification_score test(const Dataset& images, const std::vector<std::uint8_t>& labels) {
    check_data(images.dims(), labels);
    const std::vector<std::int32_t> order = natural_order(images.size());
    const double scale = 1.0 / static_cast<double>(images.size());
    classification_score total;
    prepare(best());
    for (index_t first = 0; first < images.size(); first += options_.batch_size) {
      const index_t n = std::min(options_.batch_size, images.size() - first);
      load(images, labels, order.data() + first, n);
      const classification_score score = run(clean_, n, scale, pass::predict);
      total.loss += score.loss;
      total.accuracy += score.accuracy;
    }
    return total;
  }

  const Network& network() const { return network_; }
  shape image() const { return image_; }
  const classifier_options& options() const { return options_; }
  B& on() const { return *b_; }

  // The state that makes a run continue: parameters, optimiser, average.
  buffer_t<B>& parameters() { return parameters_; }
  adam<B>& optimizer() { return optimizer_; }
  std::optional<weight_average<B>>& average() { return average_; }

  /// The weights to keep: the running average where there is one.
  buffer_t<B>& best() { return average_ && optimizer_.steps() > 0 ? average_->values() : parameters_; }

 private:
  using space = typename B::space;
  static constexpr index_t most = micro_batch_of<B>;  // images at a time

  static classifier_options checked(classifier_options options) {
    require(options.batch_size >= 1, "classifier_trainer", [&] {
      return "the batch size is " + std::to_string(options.batch_size) + "; it must be at least 1";
    });
    return options;
  }
  static index_t checked_classes(shape output) {
    require(output.c > 1 && output.h == 1 && output.w == 1, "classifier_trainer", [&] {
      return "the network makes " + to_string(output) + " of an image, wanted 1 x classes x 1 x 1";
    });
    return output.c;
  }

  void check_data(shape images, const std::vector<std::uint8_t>& labels) const {
    require(images.with_n(1) == image_, "classifier_trainer", [&] {
      return "the data set is " + to_string(images) + "; the network wants images of " + to_string(image_);
    });
    require(static_cast<index_t>(labels.size()) == images.n, "classifier_trainer", [&] {
      return "there are " + std::to_string(labels.size()) + " labels for " + std::to_string(images.n) +
             " images";
    });
    const auto wrong = std::find_if(labels.begin(), labels.end(), [&](int l) { return l >= classes_; });
    require(wrong == labels.end(), "classifier_trainer", [&] {
      return "found label " + std::to_string(*wrong) + ", wanted 0 to " + std::to_string(classes_ - 1);
    });
  }

  void prepare(buffer_t<B>& parameters) {
    active_ = parameters.data();
    network_.prepare(*b_, active_, workspace_);
  }

  // The images and labels that `order` names.
  template <class Dataset>
  void load(const Dataset& images, const std::vector<std::uint8_t>& labels, const std::int32_t* order,
            index_t n) {
    constexpr bool same_range = std::same_as<typename Dataset::range, R>;
    static_assert(same_range,
                  "coldzoom: the data set has another value range than the trainer: write the same one, "
                  "such as unit, in both types; see docs/concepts/dataset.md");
    if constexpr (same_range) {
      batch_labels_.clear();
      for (index_t i = 0; i < n; ++i) batch_labels_.push_back(labels[static_cast<std::size_t>(order[i])]);
      b_->upload(batch_labels_.data(), label_.data(), n);
      b_->upload(order, order_.data(), n);
      images.gather(*b_, vector_view<const std::int32_t, space>{order_.data(), n}, view(clean_, n));
    }
  }

  // Loss, scaled, and share of right answers among the n images of `pixels`, over 1 / scale; with pass::train
  // also the gradients.
  classification_score run(buffer_t<B>& pixels, index_t n, double scale, pass mode) {
    const tensor_view<const float, space> images = view(pixels, n);
    for (index_t first = 0; first < n; first += most) {
      const index_t m = std::min(most, n - first);
      const vector_view<const std::int32_t, space> labels{label_.data() + first, m};
      pack_images(*b_, images.images(first, m), x_.view(m));
      network_.forward(*b_, active_, x_.view(m), side_inputs<B>{}, y_.view(m), workspace_);
      const activation<B> dy = mode == pass::train ? dy_.view(m) : activation<B>{};
      const const_activation<B> y = y_.view(m);
      softmax_cross_entropy{}(*b_, y, labels, scale, dy, vector_view<float, space>{loss_.data() + first, m});
      mark_correct(*b_, y, labels, vector_view<float, space>{correct_.data() + first, m});
      if (mode == pass::predict) continue;
      network_.backward(*b_, active_, x_.view(m), side_inputs<B>{}, dy, {}, gradients_.data(), workspace_);
    }
    return {b_->sum(loss_.data(), n), scale * b_->sum(correct_.data(), n)};
  }

  image_batch<R, float, space> view(buffer_t<B>& memory, index_t n) {
    return image_batch<R, float, space>(tensor_view<float, space>(memory.data(), image_.with_n(n)));
  }

  B* b_;
  Network network_;
  Augment augment_;
  shape image_;
  index_t classes_;
  classifier_options options_;
  buffer_t<B> parameters_, gradients_;
  adam<B> optimizer_;
  std::optional<weight_average<B>> average_;
  typename Network::template workspace<B> workspace_;
  activation_buffer<B> x_, y_, dy_;
  std::vector<std::int32_t> epoch_order_, batch_labels_;  // kept, so that an update allocates nothing
  typename B::template buffer<std::int32_t> order_, label_;
  buffer_t<B> clean_, augmented_, loss_, correct_;
  const float* active_ = nullptr;  // the parameters that the workspace is prepared for
};

}  // namespace coldzoom::inline COLDZOOM_ISA
