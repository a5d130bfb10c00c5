/// Images that live on a backend, gathered into batches, and the order in which an epoch reads them.
#pragma once

#include <algorithm>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/core/range.hpp>
#include <concepts>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// out[n] = images[order[n]], bytes turned into range R. Index: element of out, which is dense.
template <ValueRange R, class Stored, class Out = float> struct gather_images {
  const Stored* images;
  const std::int32_t* order;
  index_t image_size;
  Out* out;

  COLDZOOM_HD void operator()(index_t i) const {
    const Stored value = images[order[i / image_size] * image_size + i % image_size];
    if constexpr (std::is_same_v<Stored, std::uint8_t>) {
      out[i] = from_byte<R>(value);
    } else {
      out[i] = value;
    }
  }
};

}  // namespace detail

/// A data set whose images have classes, at least where `classes()` is above 0: gather_labels(b, order, out)
/// writes those of the images in `order` to `out`, in the backend's memory.
template <class Data>
concept LabelledDataset = requires(const Data& data) {
  { data.classes() } -> std::same_as<index_t>;
};
/// A data set whose images have pictures to condition on, at least where `condition_channels()` is above 0:
/// gather_conditions(b, order, out) likewise.
template <class Data>
concept ConditionedDataset = requires(const Data& data) {
  { data.condition_channels() } -> std::same_as<index_t>;
};
/// A data set that gives its images in an order of its own, at least where `streams()` is true: start(seed, epoch) begins
/// an epoch, whose order depends on both alone, start_in_order() one as the images lie. gather then gives the next
/// order.size images, whatever numbers `order` holds, and gather_labels and gather_conditions go with the last of gather;
/// skip(count) passes by the next images.
template <class Data>
concept StreamedDataset = requires(const Data& data, index_t count) {
  { data.streams() } -> std::same_as<bool>;
  data.skip(count);
};
template <class Data> bool is_streamed(const Data& data) {
  if constexpr (StreamedDataset<Data>) return data.streams();
  return false;
}
/// Passes by images that are another rank's, where the data set gives its images in an order of its own.
template <class Data> void skip_images(const Data& data, index_t count) {
  if constexpr (StreamedDataset<Data>) {
    if (count > 0 && data.streams()) data.skip(count);
  }
}
/// A data set that changes images at random where a trainer trains on them: gather(b, order, keys, out) beside the other.
template <class Data, class B>
concept AugmentedDataset = requires(const Data& data, B& b,
                                    vector_view<const std::int32_t, typename B::space> order,
                                    key_sequence keys,
                                    image_batch<typename Data::range, float, typename B::space> out) {
  data.gather(b, order, keys, out);
};
/// The images of `order`, changed where the data set does so and there are keys, whose seed and places it then takes.
template <class B, class Data>
void gather_images(B& b, const Data& data, vector_view<const std::int32_t, typename B::space> order,
                   const key_sequence* keys,
                   image_batch<typename Data::range, float, typename B::space> out) {
  if constexpr (AugmentedDataset<Data, B>) {
    if (keys != nullptr) return data.gather(b, order, {keys->seed, stream::augmentation, keys->first}, out);
  }
  data.gather(b, order, out);
}
/// Number of classes, 0 where there are no labels.
template <class Data> index_t classes_of(const Data& data) {
  if constexpr (LabelledDataset<Data>) return data.classes();
  return 0;
}

/// A set of images of one shape in the memory of backend B, held as bytes (`Stored` = uint8_t, a quarter of
/// the memory) or as float in range R. Batches come out as float in range R.
template <class B, ValueRange R, class Stored = std::uint8_t> class dataset {
 public:
  using range = R;

  /// Copies `pixels`, dense N x C x H x W in host memory. Throws `error` for an empty set.
  dataset(B& b, shape dims, const Stored* pixels) : dims_(dims) {
    require(dims.size() > 0, "dataset",
            [&] { return "the shape is " + to_string(dims) + "; there are no images"; });
    images_ = b.template allocate<Stored>(dims.size());
    b.upload(pixels, images_.data(), dims.size());
  }

  /// Copies a float view of any strides (an xtensor, say) in host memory.
  static dataset from_view(B& b, tensor_view<const float> images) requires std::is_same_v<Stored, float> {
    if (images.contiguous()) return dataset(b, images.dims, images.data);
    std::vector<float> dense;
    dense.reserve(static_cast<std::size_t>(images.dims.size()));
    for (index_t n = 0; n < images.dims.n; ++n) {
      for (index_t c = 0; c < images.dims.c; ++c) {
        for (index_t y = 0; y < images.dims.h; ++y) {
          for (index_t x = 0; x < images.dims.w; ++x) dense.push_back(images(n, c, y, x));
        }
      }
    }
    return dataset(b, images.dims, dense.data());
  }

  index_t size() const { return dims_.n; }
  shape dims() const { return dims_; }

  /// Gives each image a class, 0 .. classes - 1; `classes` = 0 takes the largest label and 1. Throws `error`
  /// unless there is one label an image, each below `classes`.
  template <class Label> void set_labels(B& b, const std::vector<Label>& labels, index_t classes = 0) {
    require(static_cast<index_t>(labels.size()) == dims_.n, "dataset", [&] {
      return "there are " + std::to_string(labels.size()) + " labels for " + std::to_string(dims_.n) +
             " images";
    });
    const auto extremes = std::minmax_element(labels.begin(), labels.end());
    const auto least = static_cast<long long>(*extremes.first),
               most = static_cast<long long>(*extremes.second);
    const long long limit = classes > 0 ? classes : std::min(most, (1LL << 31) - 2) + 1;
    require(least >= 0 && most < limit, "dataset", [&] {
      return "found label " + std::to_string(least < 0 ? least : most) + ", wanted 0 to " +
             std::to_string(limit - 1);
    });
    std::vector<std::int32_t> numbers;
    numbers.reserve(labels.size());
    for (const Label& label : labels) numbers.push_back(static_cast<std::int32_t>(label));
    auto memory = b.template allocate<std::int32_t>(dims_.n);
    b.upload(numbers.data(), memory.data(), dims_.n);
    labels_ = std::move(memory);
    classes_ = static_cast<index_t>(limit);  // last, so that a set that is refused changes nothing
  }
  /// Number of classes, 0 where there are no labels.
  index_t classes() const { return classes_; }

  /// Gives each image a picture to condition on: dense N x K x H x W floats in host memory, for
  /// condition_input.
  void set_conditions(B& b, shape dims, const float* pixels) {
    require(dims.n == dims_.n && dims.h == dims_.h && dims.w == dims_.w && dims.c > 0, "dataset", [&] {
      return "the conditions are " + to_string(dims) + ", the images " + to_string(dims_) +
             "; they must agree in all but the channels";
    });
    auto memory = b.template allocate<float>(dims.size());
    b.upload(pixels, memory.data(), dims.size());
    conditions_ = std::move(memory);
    condition_channels_ = dims.c;
  }
  /// Channels of the conditions, 0 where there are none.
  index_t condition_channels() const { return condition_channels_; }

  /// out[n] = image order[n]; `order` in the backend's memory, out dense.
  void gather(B& b, vector_view<const std::int32_t, typename B::space> order,
              image_batch<R, float, typename B::space> out) const {
    b.for_each_index(order.size * dims_.image(),
                     detail::gather_images<R, Stored>{images_.data(), order.data, dims_.image(), out.data},
                     2);
  }

  /// out[n] = label of image order[n]; only where there are labels.
  void gather_labels(B& b, vector_view<const std::int32_t, typename B::space> order,
                     std::int32_t* out) const {
    using kernel = detail::gather_images<R, std::int32_t, std::int32_t>;
    b.for_each_index(order.size, kernel{labels_.data(), order.data, 1, out}, 2);
  }
  /// out[n] = condition of image order[n], dense; only where there are conditions.
  void gather_conditions(B& b, vector_view<const std::int32_t, typename B::space> order, float* out) const {
    const index_t image = condition_channels_ * dims_.pixels();
    using kernel = detail::gather_images<R, float>;
    b.for_each_index(order.size * image, kernel{conditions_.data(), order.data, image, out}, 2);
  }

 private:
  shape dims_;
  index_t classes_ = 0, condition_channels_ = 0;
  typename B::template buffer<Stored> images_;
  typename B::template buffer<std::int32_t> labels_;
  typename B::template buffer<float> conditions_;
};

/// 0 .. count - 1 as they lie.
inline std::vector<std::int32_t> natural_order(index_t count) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

/// Makes `order` a random order of 0 .. count - 1 that depends on (seed, epoch) alone (Fisher and Yates).
inline void shuffle_order(std::vector<std::int32_t>& order, index_t count, std::uint64_t seed,
                          std::uint64_t epoch) {
  order.resize(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  const sample_key key{seed, stream::shuffle, epoch};
  for (index_t i = count - 1; i > 0; --i) {
    const index_t j = random_below(key, static_cast<std::uint64_t>(i), i + 1);
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(j)]);
  }
}
inline std::vector<std::int32_t> shuffled_order(index_t count, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::int32_t> order;
  shuffle_order(order, count, seed, epoch);
  return order;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
