/// The order of the images in an epoch, and the reports of its batches.
#pragma once

#include <array>
#include <cmath>
#include <coldzoom/backend/graph_capture.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/data/dataset.hpp>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// The report of a trainer after each batch.
struct batch_progress {
  index_t batch, batches;  // done and in all
  double loss;             // of this batch
};

/// For epochs that nobody watches.
struct no_progress {
  void operator()(const batch_progress&) const {}
};

/// An order of images, on the host and in the memory of B; kept, so that an epoch allocates nothing after the
/// first.
template <Backend B> class batch_order {
 public:
  /// The order of an epoch, which depends on (seed, epoch) alone.
  void shuffle(B& b, index_t images, std::uint64_t seed, index_t epoch) {
    shuffle_order(order_, images, seed, static_cast<std::uint64_t>(epoch));
    upload(b);
  }
  /// The images one after another.
  void natural(B& b, index_t images) {
    if (static_cast<index_t>(order_.size()) == images) return;
    order_ = natural_order(images);
    upload(b);
  }
  /// The same of a data set that may have an order of its own. Its parts then hold no numbers.
  template <class Data> void shuffle_images(B& b, const Data& images, std::uint64_t seed, index_t epoch) {
    streamed_ = is_streamed(images);
    if constexpr (StreamedDataset<Data>) {
      if (streamed_) return images.start(seed, static_cast<std::uint64_t>(epoch));
    }
    shuffle(b, images.size(), seed, epoch);
  }
  template <class Data> void natural_images(B& b, const Data& images) {
    streamed_ = is_streamed(images);
    if constexpr (StreamedDataset<Data>) {
      if (streamed_) return images.start_in_order();
    }
    natural(b, images.size());
  }

  std::int32_t operator[](index_t i) const { return order_[static_cast<std::size_t>(i)]; }
  /// Images first .. first + n - 1 of the order.
  vector_view<const std::int32_t, typename B::space> part(index_t first, index_t n) const {
    return {streamed_ ? nullptr : there_.data() + first, n};
  }

 private:
  void upload(B& b) {
    const auto size = static_cast<index_t>(order_.size());
    if (size > there_.size()) there_ = b.template allocate<std::int32_t>(size);
    b.upload(order_.data(), there_.data(), size);
  }

  std::vector<std::int32_t> order_;
  typename B::template buffer<std::int32_t> there_;
  bool streamed_ = false;
};

/// Sums of the values that the batches of an epoch leave, the losses first. A backend that sums later goes on
/// while they are read: there a batch is reported after the start of the next.
template <Backend B, std::size_t N> class batch_sums {
 public:
  batch_sums(B& b, index_t epoch, index_t batches) : b_(&b), epoch_(epoch), batches_(batches) {}

  /// Asks for the sums of `count` values each. Where the backend sums at once, throws `error` for a loss that
  /// is not finite, before the parameters change.
  void request(const std::array<const float*, N>& values, index_t count) {
    for (std::size_t i = 0; i < N; ++i) {
      if constexpr (SumsLater<B>) {
        asked_[i] = b_->sum_later(values[i], count);
      } else {
        asked_[i] = b_->sum(values[i], count);
      }
    }
    if constexpr (!SumsLater<B>) require_finite(asked_[0], done_ + 1);
  }
  /// Reports the sums that are there: report(batch, sums), batch from 0.
  template <class Report> void report(Report&& tell) {
    if constexpr (SumsLater<B>) {
      if (done_ > 0) read(tell);
      before_ = std::move(asked_);
      ++done_;
    } else {
      tell(done_++, asked_);
    }
  }
  /// Reports the last batch where it is late.
  template <class Report> void flush(Report&& tell) {
    if constexpr (SumsLater<B>) read(tell);
  }

 private:
  template <class Report> void read(Report& tell) {
    std::array<double, N> sums{};
    for (std::size_t i = 0; i < N; ++i) sums[i] = before_[i].get();
    require_finite(sums[0], done_);
    tell(done_ - 1, sums);
  }
  void require_finite(double loss, index_t batch) const {
    require(std::isfinite(loss), "train_epoch", [&] {
      return "the loss is not finite in epoch " + std::to_string(epoch_) + ", batch " +
             std::to_string(batch) + " of " + std::to_string(batches_) +
             "; look for bad pixels in the data, or lower the learning rate";
    });
  }

  B* b_;
  index_t epoch_, batches_, done_ = 0;
  std::array<pending_sum_t<B>, N> asked_{}, before_{};
};

}  // namespace coldzoom::inline COLDZOOM_ISA
