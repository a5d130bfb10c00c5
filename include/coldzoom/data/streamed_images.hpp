/// Data sets that do not lie in memory: read part by part ahead of training, mixed in a window.
#pragma once

#include <algorithm>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/image_segment.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/core/range.hpp>
#include <coldzoom/data/dataset.hpp>
#include <coldzoom/data/prefetched.hpp>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Images in segments, each of which can be read on its own and from several threads at once. dims() is N x C x H x W,
/// over all segments.
template <class S>
concept SegmentedSource = requires(const S& source, index_t k) {
  { source.dims() } -> std::same_as<shape>;
  { source.classes() } -> std::same_as<index_t>;
  { source.segments() } -> std::same_as<index_t>;
  { source.read(k) } -> std::same_as<image_segment>;
};

struct stream_options {
  index_t window = 4096;  // images that are mixed
  int threads = 2;        // that read ahead
};

namespace detail {

/// out[i] = the byte in range R. Index: element.
template <ValueRange R> struct bytes_in_range {
  const std::uint8_t* bytes;
  float* out;
  COLDZOOM_HD void operator()(index_t i) const { out[i] = from_byte<R>(bytes[i]); }
};

/// Reads segments in a given order, image after image.
template <class Source> class segment_reader {
  struct read_segment {
    const Source* source;
    std::vector<index_t> order;
    image_segment operator()(index_t k) const { return source->read(order[static_cast<std::size_t>(k)]); }
  };

 public:
  segment_reader(const Source& source, std::vector<index_t> order, int threads)
      : image_(source.dims().image()),
        ahead_({&source, std::move(order)}, source.segments(), threads, 2 * index_t{threads}) {}

  /// The next image, which lives until the next call, and its label; null after the last.
  const std::uint8_t* next(std::int32_t& label) {
    while (at_ == count_) {
      if (ahead_.finished()) return nullptr;
      segment_ = ahead_.next();
      faults_ += static_cast<index_t>(segment_.faults.size());
      for (std::string& fault : segment_.faults) {
        if (named_.size() < most_named) named_.push_back(std::move(fault));
      }
      count_ = static_cast<index_t>(segment_.pixels.size()) / image_;
      at_ = 0;
    }
    label = segment_.labels.empty() ? 0 : segment_.labels[static_cast<std::size_t>(at_)];
    return segment_.pixels.data() + at_++ * image_;
  }

  index_t faults() const { return faults_; }
  const std::vector<std::string>& named_faults() const { return named_; }

 private:
  static constexpr std::size_t most_named = 10;
  index_t image_;
  prefetched<read_segment> ahead_;
  image_segment segment_;
  index_t at_ = 0, count_ = 0, faults_ = 0;
  std::vector<std::string> named_;
};

}  // namespace detail

/// A StreamedDataset out of a source, which must live as long. Memory holds the window, twice as many segments as there
/// are threads, and a batch, however many images the source has.
///
/// An epoch takes the segments in a random order, and from the window of the images read, one at random, whose place
/// the next image takes. The order is a function of (seed, epoch) and the window's size, for any number of threads and any
/// batches; it is no full shuffle: an image comes at most `window` places before its own place in the order of segments.
/// Where the window holds all images, all orders are equally likely.
template <class B, ValueRange R, SegmentedSource Source> class streamed_images {
 public:
  using range = R;

  /// Throws `error` for a window below one image.
  explicit streamed_images(const Source& source, stream_options options = {})
      : source_(&source),
        options_(options),
        now_(std::make_unique<state>()) {
    require(options.window >= 1, "streamed_images", [&] {
      return "the window is " + std::to_string(options.window) + " images; it must be at least 1";
    });
  }

  index_t size() const { return source_->dims().n; }
  shape dims() const { return source_->dims(); }
  index_t classes() const { return source_->classes(); }
  bool streams() const { return true; }

  /// Begins an epoch in the order of (seed, epoch).
  void start(std::uint64_t seed, std::uint64_t epoch) const {
    std::vector<index_t> order;
    for (const std::int32_t k : shuffled_order(source_->segments(), seed, epoch)) order.push_back(k);
    begin(std::move(order), {seed, stream::shuffle, epoch}, std::min(options_.window, size()));
  }
  /// Begins an epoch in which the images come as they lie in the source.
  void start_in_order() const {
    std::vector<index_t> order;
    for (index_t k = 0; k < source_->segments(); ++k) order.push_back(k);
    begin(std::move(order), {}, 1);
  }

  /// out = the next order.size images of the epoch, dense, whatever numbers `order` holds. Throws `error` after the last, and
  /// what the source throws.
  void gather(B& b, vector_view<const std::int32_t, typename B::space> order,
              image_batch<R, float, typename B::space> out) const {
    const index_t image = dims().image(), n = order.size;
    state& s = *now_;
    s.batch.resize(static_cast<std::size_t>(n * image));
    s.labels.resize(static_cast<std::size_t>(n));
    for (index_t i = 0; i < n; ++i) take(s.batch.data() + i * image, s.labels[static_cast<std::size_t>(i)]);
    if (n * image > s.there.size()) s.there = b.template allocate<std::uint8_t>(n * image);
    b.upload(s.batch.data(), s.there.data(), n * image);
    b.for_each_index(n * image, detail::bytes_in_range<R>{s.there.data(), out.data}, 2);
  }
  /// Passes by the next images of the epoch, which are read all the same. Throws as gather does.
  void skip(index_t count) const {
    state& s = *now_;
    s.batch.resize(std::max(s.batch.size(), static_cast<std::size_t>(dims().image())));
    std::int32_t label;
    for (index_t i = 0; i < count; ++i) take(s.batch.data(), label);
  }
  /// Labels of the images that gather gave last.
  void gather_labels(B& b, vector_view<const std::int32_t, typename B::space> order,
                     std::int32_t* out) const {
    b.upload(now_->labels.data(), out, order.size);
  }

  /// Images of this epoch so far in whose place others stand, for they could not be read; and what was wrong with the
  /// first ten.
  index_t faults() const { return now_->reader ? now_->reader->faults() : 0; }
  std::vector<std::string> named_faults() const {
    return now_->reader ? now_->reader->named_faults() : std::vector<std::string>{};
  }

 private:
  struct state {
    std::unique_ptr<detail::segment_reader<Source>> reader;
    sample_key key;
    std::uint64_t draws = 0;
    std::vector<std::uint8_t> window;  // images
    std::vector<std::int32_t> window_labels;
    index_t filled = 0;
    std::vector<std::uint8_t> batch;  // the images that gather gives, and their labels
    std::vector<std::int32_t> labels;
    typename B::template buffer<std::uint8_t> there;
  };

  void begin(std::vector<index_t> order, sample_key key, index_t window) const {
    state& s = *now_;
    s.reader.reset();  // its threads first, so that there are never more than one epoch has
    s.reader = std::make_unique<detail::segment_reader<Source>>(*source_, std::move(order), options_.threads);
    s.key = key;
    s.draws = 0;
    s.window.resize(static_cast<std::size_t>(window * dims().image()));
    s.window_labels.resize(static_cast<std::size_t>(window));
    s.filled = 0;
    while (s.filled < window && put(s.filled)) ++s.filled;
  }

  /// The next image of the reader into place i of the window; false where there is none.
  bool put(index_t i) const {
    state& s = *now_;
    const index_t image = dims().image();
    const std::uint8_t* next = s.reader->next(s.window_labels[static_cast<std::size_t>(i)]);
    if (next == nullptr) return false;
    std::copy_n(next, image, s.window.data() + i * image);
    return true;
  }

  /// An image of the window, whose place the next one takes.
  void take(std::uint8_t* out, std::int32_t& label) const {
    state& s = *now_;
    require(s.filled > 0, "streamed_images", "found no image left in the epoch; call start for the next one");
    constexpr std::uint64_t behind = std::uint64_t{1} << 33;  // the numbers that order the segments
    const index_t image = dims().image(), i = random_below(s.key, behind + s.draws++, s.filled);
    std::copy_n(s.window.data() + i * image, image, out);
    label = s.window_labels[static_cast<std::size_t>(i)];
    if (put(i)) return;
    --s.filled;
    std::copy_n(s.window.data() + s.filled * image, image, s.window.data() + i * image);
    s.window_labels[static_cast<std::size_t>(i)] = s.window_labels[static_cast<std::size_t>(s.filled)];
  }

  const Source* source_;
  stream_options options_;
  std::unique_ptr<state>
      now_;  // of the epoch that runs, which reading changes and the data set is not part of
};

}  // namespace coldzoom::inline COLDZOOM_ISA
