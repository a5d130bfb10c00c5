/// Training images on a backend: in its memory, or read as a stream.
#pragma once

#include <algorithm>
#include <coldzoom/data/dataset.hpp>
#include <coldzoom/data/streamed_images.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "common/host_images.hpp"
#include "common/image_stream.hpp"

namespace programs {

template <class B> class training_images {
  using order_view = coldzoom::vector_view<const std::int32_t, typename B::space>;

 public:
  using range = value_range;

  /// `classes` are those that the network reads, 0 for none. Throws coldzoom::error where a stream has others.
  training_images(B& b, const data_sets& data, coldzoom::index_t classes)
      : dims_(data.train.dims),
        classes_(classes) {
    if (data.stream) {
      dims_ = data.stream->dims();
      coldzoom::require(data.stream->classes() <= classes || classes == 0, "--classes", [&] {
        return "found " + std::to_string(classes) + ", and the training images have " +
               std::to_string(data.stream->classes());
      });
      constexpr coldzoom::index_t window = 4096, most_bytes = coldzoom::index_t{256} << 20;
      stream_.emplace(
          *data.stream,
          coldzoom::stream_options{std::clamp<coldzoom::index_t>(most_bytes / dims_.image(), 1, window), 2});
    } else {
      memory_.emplace(b, dims_, data.train.pixels.data());
      if (classes > 0) memory_->set_labels(b, data.train.labels, classes);
    }
  }

  coldzoom::index_t size() const { return dims_.n; }
  coldzoom::shape dims() const { return dims_; }
  coldzoom::index_t classes() const { return classes_; }
  bool streams() const { return stream_.has_value(); }
  void start(std::uint64_t seed, std::uint64_t epoch) const { stream_->start(seed, epoch); }
  void start_in_order() const { stream_->start_in_order(); }
  void skip(coldzoom::index_t count) const { stream_->skip(count); }
  void gather(B& b, order_view order, images_on<B> out) const {
    stream_ ? stream_->gather(b, order, out) : memory_->gather(b, order, out);
  }
  void gather_labels(B& b, order_view order, std::int32_t* out) const {
    stream_ ? stream_->gather_labels(b, order, out) : memory_->gather_labels(b, order, out);
  }
  /// What was wrong with pictures of the last epoch, and how many there were; of a stream.
  std::vector<std::string> faults() const {
    return stream_ ? stream_->named_faults() : std::vector<std::string>{};
  }

 private:
  coldzoom::shape dims_;
  coldzoom::index_t classes_;
  std::optional<coldzoom::dataset<B, value_range>> memory_;
  std::optional<coldzoom::streamed_images<B, value_range, image_stream>> stream_;
};

}  // namespace programs
