/// Data sets whose images are changed at random each time that a trainer takes them.
#pragma once

#include <coldzoom/core/error.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/core/range.hpp>
#include <coldzoom/data/dataset.hpp>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// The images of `Data`, which must live as long, changed by policies one after another: random_flip, random_shift,
/// random_crop, or a callable of one's own, policy(b, in, keys, out), of which image n depends on keys[n] alone. A policy whose
/// changes() is false costs nothing. A trainer changes the images it trains on, by keys of (seed, epoch, place in the
/// epoch), so the bits are the same for any number of threads, any batches and across a resume; test losses see the images
/// as they are. Labels stay; images with conditions are refused, for these would have to move along.
template <class B, class Data, class... Policies> class augmented {
 public:
  using range = typename Data::range;
  using batch = image_batch<range, float, typename B::space>;

  explicit augmented(const Data& data, Policies... policies)
      : data_(&data),
        policies_(std::move(policies)...) {
    if constexpr (ConditionedDataset<Data>) {
      require(data.condition_channels() == 0, "augmented",
              "found images with conditions, which would not move with the images; wanted none");
    }
  }

  index_t size() const { return data_->size(); }
  shape dims() const { return data_->dims(); }
  index_t classes() const { return classes_of(*data_); }
  void gather_labels(B& b, vector_view<const std::int32_t, typename B::space> order,
                     std::int32_t* out) const {
    if constexpr (LabelledDataset<Data>) data_->gather_labels(b, order, out);
  }
  bool streams() const { return is_streamed(*data_); }
  void start(std::uint64_t seed, std::uint64_t epoch) const {
    if constexpr (StreamedDataset<Data>) data_->start(seed, epoch);
  }
  void start_in_order() const {
    if constexpr (StreamedDataset<Data>) data_->start_in_order();
  }
  void skip(index_t count) const {
    if constexpr (StreamedDataset<Data>) data_->skip(count);
  }

  /// The images as they are.
  void gather(B& b, vector_view<const std::int32_t, typename B::space> order, batch out) const {
    data_->gather(b, order, out);
  }
  /// The images changed; keys[n] is for image order[n].
  void gather(B& b, vector_view<const std::int32_t, typename B::space> order, key_sequence keys,
              batch out) const {
    data_->gather(b, order, out);
    std::apply([&](const auto&... policy) { (change(b, policy, keys, out), ...); }, policies_);
  }

 private:
  template <class Policy> void change(B& b, const Policy& policy, key_sequence keys, batch images) const {
    if constexpr (requires { policy.changes(); }) {
      if (!policy.changes()) return;
    }
    if (images.dims.size() > before_.size()) before_ = b.template allocate<float>(images.dims.size());
    b.copy(images.data, before_.data(), images.dims.size());
    const tensor_view<const float, typename B::space> before(before_.data(), images.dims);
    policy(b, image_batch<range, const float, typename B::space>(before), keys, images);
  }

  const Data* data_;
  std::tuple<Policies...> policies_;
  mutable typename B::template buffer<float> before_;  // a change
};

/// augment(b, data, policies...), with the types deduced.
template <class B, class Data, class... Policies>
augmented<B, Data, Policies...> augment(B&, const Data& data, Policies... policies) {
  return augmented<B, Data, Policies...>(data, std::move(policies)...);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
