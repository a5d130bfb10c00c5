/// Trains a network to name the class of an image.
#pragma once

#include <coldzoom/data/random_shift.hpp>
#include <coldzoom/nn/cross_entropy.hpp>
#include <coldzoom/optim/learning_rate.hpp>
#include <coldzoom/optim/updater.hpp>
#include <coldzoom/training/batch_order.hpp>
#include <coldzoom/training/network_in_training.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

struct classifier_options {
  index_t batch_size = 128;  // images an update; the rest of an epoch that does not fill a batch is dropped
  std::uint64_t seed = 0;    // of the initial weights, the order of the images and their shifts
  double clip_norm = 0;      // the largest norm of the gradients of an update; 0 for any
  std::vector<double> average_decays = {};  // of running averages of the weights, each above 0 and below 1
};

/// Mean loss, and the share of images, 0 to 1, of which the largest output stands at the label.
struct classification_score {
  double loss = 0, accuracy = 0;
};

/// Runs epochs of training:
///
///   x = augment(image),  loss(network(x), label),  update
///
/// Everything random is a function of (seed, epoch, place in the epoch), so a run that is resumed from its
/// state after an epoch continues to the same bits, on any number of threads. `Augment` is called as
/// random_shift is; `L` is a loss of labels.
template <Backend B, ValueRange R, class Network, class Augment = random_shift,
          class L = softmax_cross_entropy, class O = adam>
class classifier_trainer {
  static_assert(check_loss<L, B>() || true);  // the check itself says what is missing
  using space = typename B::space;

 public:
  using range = R;
  using backend = B;

  /// `image` gives C, H and W. Throws `error` for options out of range, and where the network's output is no
  /// vector of classes.
  classifier_trainer(B& b, R, Network network, shape image, classifier_options options = {},
                     Augment augment = {}, L loss = {}, O optimizer = {})
      : b_(&b),
        image_(image.with_n(1)),
        options_(checked(std::move(options))),
        augment_(std::move(augment)),
        loss_policy_(std::move(loss)),
        network_(b, std::move(network), image_, options_.batch_size, 1, options_.seed),
        updater_(b, parameters_of(network_.network()), std::move(optimizer),
                 {options_.clip_norm, options_.average_decays}),
        classes_(checked_classes(network_.output())),
        label_(b.template allocate<std::int32_t>(options_.batch_size)),
        clean_(b.template allocate<float>(options_.batch_size * image_.image())),
        augmented_(b.template allocate<float>(options_.batch_size * image_.image())),
        loss_(b.template allocate<float>(options_.batch_size)),
        correct_(b.template allocate<float>(options_.batch_size)) {}

  /// One pass over the data in the order of `epoch` (any number, the same number gives the same order).
  /// `rate` is a LearningRate. Calls progress(batch_progress) after each batch; on a backend that sums
  /// without waiting, after the start of the next one. Returns the means over the batches. Throws `error`
  /// where the data do not fill one batch or have no labels that fit, and at the first loss that is not
  /// finite.
  template <class Dataset, LearningRate Rate = constant_rate, class Progress = no_progress>
  classification_score train_epoch(const Dataset& images, index_t epoch, const Rate& rate = {},
                                   Progress&& progress = {}) {
    check(images);
    const index_t size = options_.batch_size, count = batches(images);
    require(count > 0, "train_epoch", [&] {
      return "the data set has " + std::to_string(images.size()) + " images; a batch takes " +
             std::to_string(size);
    });
    epoch_order_.shuffle(*b_, images.size(), options_.seed, epoch);
    const double share = 1.0 / static_cast<double>(size);
    classification_score total;
    const auto report = [&](index_t done, const std::array<double, 2>& sums) {
      total.loss += sums[0] / static_cast<double>(count);
      total.accuracy += share * sums[1] / static_cast<double>(count);
      progress(batch_progress{done + 1, count, sums[0]});
    };
    batch_sums<B, 2> sums(*b_, epoch, count);
    for (index_t i = 0; i < count; ++i) {
      const auto place = static_cast<std::uint64_t>(epoch * images.size() + i * size);
      load(images, epoch_order_.part(i * size, size));
      augment_(*b_, image_batch<R, const float, space>(view(clean_, size)),
               key_sequence{options_.seed, stream::augmentation, place}, view(augmented_, size));
      network_.find_gradients(
          {}, view(augmented_, size), {}, {options_.seed, stream::dropout, place},
          [&](index_t first, const_activation<B> y, activation<B> dy) { find_losses(first, y, dy, size); });
      sums.request({loss_.data(), correct_.data()}, size);
      updater_.update(*b_, network_.gradients(), network_.parameters(), rate(updater_.steps()));
      sums.report(report);
    }
    sums.flush(report);
    return total;
  }

  /// Score of `best()` on all images as they are, not augmented. Throws `error` for labels that do not fit.
  template <class Dataset> classification_score test(const Dataset& images) {
    check(images);
    test_order_.natural(*b_, images.size());
    const double share = 1.0 / static_cast<double>(images.size());
    classification_score total;
    network_.pack(best());
    for (index_t first = 0; first < images.size(); first += options_.batch_size) {
      const index_t n = std::min(options_.batch_size, images.size() - first);
      load(images, test_order_.part(first, n));
      network_.predict(view(clean_, n), {}, [&](index_t row, const_activation<B> y) {
        find_losses(row, y, activation<B>{}, images.size());
      });
      total.loss += b_->sum(loss_.data(), n);
      total.accuracy += share * b_->sum(correct_.data(), n);
    }
    return total;
  }

  /// Updates in one epoch over `images`.
  template <class Dataset> index_t batches(const Dataset& images) const {
    return images.size() / options_.batch_size;
  }
  const Augment& augment() const { return augment_; }
  const Network& network() const { return network_.network(); }
  shape image() const { return image_; }
  const classifier_options& options() const { return options_; }
  B& on() const { return *b_; }

  /// The network at work, for passes of one's own between epochs.
  auto& passes() { return network_; }

  // The state that makes a run continue.
  buffer_t<B>& parameters() { return network_.parameters(); }
  updater<B, O>& update() { return updater_; }

  /// The weights to keep: the first running average where there is one.
  buffer_t<B>& best() { return updater_.best(network_.parameters()); }

 private:
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
  image_batch<R, float, space> view(buffer_t<B>& memory, index_t n) const {
    return image_batch<R, float, space>(tensor_view<float, space>(memory.data(), image_.with_n(n)));
  }

  template <class Dataset> void check(const Dataset& images) const {
    require(images.dims().with_n(1) == image_, "classifier_trainer", [&] {
      return "the data set is " + to_string(images.dims()) + "; the network wants images of " +
             to_string(image_);
    });
    require(images.classes() > 0, "classifier_trainer",
            "the data set has no labels; call its set_labels first");
    require(images.classes() <= classes_, "classifier_trainer", [&] {
      return "found label " + std::to_string(images.classes() - 1) + ", wanted 0 to " +
             std::to_string(classes_ - 1);
    });
  }

  template <class Dataset> void load(const Dataset& images, vector_view<const std::int32_t, space> order) {
    constexpr bool same_range = std::same_as<typename Dataset::range, R>;
    static_assert(same_range,
                  "coldzoom: the data set has another value range than the trainer: write the same one, "
                  "such as centred, in both types; see docs/concepts/dataset.md");
    if constexpr (same_range) images.gather(*b_, order, view(clean_, order.size));
    images.gather_labels(*b_, order, label_.data());
  }

  /// Losses and right answers of a micro-batch, out of a batch of `batch` images.
  void find_losses(index_t first, const_activation<B> y, activation<B> dy, index_t batch) {
    const index_t n = y.dims.n;
    const vector_view<const std::int32_t, space> labels{label_.data() + first, n};
    loss_policy_(*b_, y, labels, loss_weights<B>{}, loss_policy_.scale(shape{batch, 1, 1, 1}), dy,
                 vector_view<float, space>{loss_.data() + first, n});
    mark_correct(*b_, y, labels, vector_view<float, space>{correct_.data() + first, n});
  }

  B* b_;
  shape image_;
  classifier_options options_;
  Augment augment_;
  L loss_policy_;
  network_in_training<B, Network> network_;
  updater<B, O> updater_;
  index_t classes_;
  batch_order<B> epoch_order_, test_order_;  // apart, for a test may come between two batches
  typename B::template buffer<std::int32_t> label_;
  buffer_t<B> clean_, augmented_, loss_, correct_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
