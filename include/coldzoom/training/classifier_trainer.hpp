/// Trains a network to name the class of an image.
#pragma once

#include <coldzoom/data/random_shift.hpp>
#include <coldzoom/nn/loss.hpp>
#include <coldzoom/training/training_state.hpp>

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

/// Runs epochs of training:
///
///   x = augment(image),  loss = mean of -log softmax(network(x))[label],  Adam
///
/// Everything random is a function of (seed, epoch, place in the epoch), so a run that is resumed from its
/// state after an epoch continues to the same bits, on any number of threads. `Augment` is called as
/// random_shift is.
template <Backend B, ValueRange R, class Network, class Augment = random_shift>
class classifier_trainer : public training_state<B, R, Network, classifier_options> {
  using state = training_state<B, R, Network, classifier_options>;

 public:
  /// `image` gives C, H and W. Throws `error` for options out of range, and where the network's output is no
  /// vector of classes.
  classifier_trainer(B& b, Network network, Augment augment, shape image, classifier_options options)
      : state("classifier_trainer", b, std::move(network), image, options),
        augment_(std::move(augment)),
        classes_(checked_classes(network_.output_shape(image_))),
        label_(b.template allocate<std::int32_t>(options_.batch_size)),
        clean_(batch_memory()),
        augmented_(batch_memory()),
        correct_(b.template allocate<float>(options_.batch_size)) {}

  /// One pass over the data in the order of `epoch` (any number, the same number gives the same order), with
  /// one label 0 .. classes - 1 an image in host memory. `rate` is a LearningRate. Calls
  /// progress(batch_progress) after each batch; on a backend that sums without waiting, after the start of
  /// the next one. Returns the means over the batches. Throws `error` where the data do not fill one batch,
  /// for labels that do not fit, and at the first loss that is not finite.
  template <class Dataset, LearningRate Rate, class Progress>
  classification_score train_epoch(const Dataset& images, const std::vector<std::uint8_t>& labels,
                                   index_t epoch, const Rate& rate, Progress&& progress) {
    check_data(images.dims(), labels);
    const index_t count = this->start_epoch(images.size(), epoch), size = options_.batch_size;
    const double scale = 1.0 / static_cast<double>(size);
    classification_score total;
    this->update_for_each(
        count, epoch, std::array<const float*, 2>{loss_.data(), correct_.data()}, rate,
        [&](index_t batch) {
          const auto place = static_cast<std::uint64_t>(epoch * images.size() + batch * size);
          load(images, labels, this->epoch_order_, batch * size, size);
          augment_(*b_, image_batch<R, const float, space>(view(clean_, size)),
                   key_sequence{options_.seed, stream::augmentation, place}, view(augmented_, size));
          this->find_gradients([&] { find_losses(augmented_, size, scale, pass::train); });
        },
        [&](index_t batch, const std::array<double, 2>& sums) {
          total.loss += sums[0] / static_cast<double>(count);
          total.accuracy += scale * sums[1] / static_cast<double>(count);
          progress(batch_progress{batch + 1, count, sums[0]});
        });
    return total;
  }

  /// Score of `best()` on all images as they are, not augmented. Throws `error` for labels that do not fit.
  template <class Dataset>
  classification_score test(const Dataset& images, const std::vector<std::uint8_t>& labels) {
    check_data(images.dims(), labels);
    this->start_test(images.size());
    const double scale = 1.0 / static_cast<double>(images.size());
    classification_score total;
    this->pack_weights(this->best());
    for (index_t first = 0; first < images.size(); first += options_.batch_size) {
      const index_t n = std::min(options_.batch_size, images.size() - first);
      load(images, labels, this->test_order_, first, n);
      find_losses(clean_, n, scale, pass::predict);
      total.loss += b_->sum(loss_.data(), n);
      total.accuracy += scale * b_->sum(correct_.data(), n);
    }
    return total;
  }

 private:
  using state::b_, state::network_, state::image_, state::options_, state::loss_, state::batch_memory,
      state::view;
  using typename state::space;

  static index_t checked_classes(shape output) {
    require(output.c > 1 && output.h == 1 && output.w == 1, "classifier_trainer", [&] {
      return "the network makes " + to_string(output) + " of an image, wanted 1 x classes x 1 x 1";
    });
    return output.c;
  }

  void check_data(shape images, const std::vector<std::uint8_t>& labels) const {
    this->check_shape(images);
    require(static_cast<index_t>(labels.size()) == images.n, "classifier_trainer", [&] {
      return "there are " + std::to_string(labels.size()) + " labels for " + std::to_string(images.n) +
             " images";
    });
    const auto wrong = std::find_if(labels.begin(), labels.end(), [&](int l) { return l >= classes_; });
    require(wrong == labels.end(), "classifier_trainer", [&] {
      return "found label " + std::to_string(*wrong) + ", wanted 0 to " + std::to_string(classes_ - 1);
    });
  }

  // Images first .. first + n - 1 of the order, and their labels.
  template <class Dataset>
  void load(const Dataset& images, const std::vector<std::uint8_t>& labels,
            const typename state::image_order& order, index_t first, index_t n) {
    batch_labels_.clear();
    for (index_t i = first; i < first + n; ++i) {
      const std::int32_t image = order.images[static_cast<std::size_t>(i)];
      batch_labels_.push_back(labels[static_cast<std::size_t>(image)]);
    }
    b_->upload(batch_labels_.data(), label_.data(), n);
    this->gather(images, order, first, n, clean_);
  }

  // Losses, scaled, and right answers among the n images of `pixels`; with pass::train also the gradients.
  void find_losses(buffer_t<B>& pixels, index_t n, double scale, pass mode) {
    this->run(pixels, {}, n, mode, [&](index_t first, const_activation<B> y, activation<B> dy) {
      const index_t m = y.dims.n;
      const vector_view<const std::int32_t, space> labels{label_.data() + first, m};
      softmax_cross_entropy{}(*b_, y, labels, scale, dy, vector_view<float, space>{loss_.data() + first, m});
      mark_correct(*b_, y, labels, vector_view<float, space>{correct_.data() + first, m});
    });
  }

  Augment augment_;
  index_t classes_;
  std::vector<std::int32_t> batch_labels_;  // kept, so that an update allocates nothing
  typename B::template buffer<std::int32_t> label_;
  buffer_t<B> clean_, augmented_, correct_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
