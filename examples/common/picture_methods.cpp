#include <algorithm>
#include <array>
#include <coldzoom/core/file.hpp>
#include <coldzoom/degradation/blend.hpp>
#include <coldzoom/io/load_picture.hpp>
#include <coldzoom/io/picture.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "common/cold_method.hpp"
#include "common/data.hpp"
#include "common/methods.hpp"

namespace programs {

namespace {

using coldzoom::index_t, coldzoom::shape;

/// A degradation that is made for images of one shape, once for each shape that comes.
template <class D> class made_for_shape {
 public:
  using range = value_range;

  explicit made_for_shape(std::function<D(shape)> make) : state_(std::make_shared<state>(std::move(make))) {}

  template <coldzoom::Backend B>
    requires coldzoom::detail::keyed_batch<D, B>
  void apply(B& b, coldzoom::const_image_tensor<B> x0, coldzoom::const_levels<B> level,
             coldzoom::key_sequence keys, coldzoom::image_tensor<B> out) const {
    of(out.dims).apply(b, x0, level, keys, out);
  }
  template <coldzoom::Backend B>
    requires(!coldzoom::detail::keyed_batch<D, B>)
  void apply(B& b, coldzoom::const_image_tensor<B> x0, coldzoom::const_levels<B> level,
             coldzoom::image_tensor<B> out) const {
    of(out.dims).apply(b, x0, level, out);
  }

 private:
  struct state {
    explicit state(std::function<D(shape)> f) : make(std::move(f)) {}
    std::function<D(shape)> make;
    std::mutex busy;
    std::map<std::array<index_t, 3>, D> made;  // none goes
  };

  const D& of(shape image) const {
    const std::lock_guard lock(state_->busy);
    const std::array<index_t, 3> dims{image.c, image.h, image.w};
    const auto found = state_->made.find(dims);
    if (found != state_->made.end()) return found->second;
    return state_->made.emplace(dims, state_->make(image.with_n(1))).first->second;
  }

  std::shared_ptr<state> state_;
};

using blend = coldzoom::blend<value_range>;

blend blend_into(const std::string& data, shape image) {
  const coldzoom::labelled_images others = load_data(data, images_of(image)).train;
  std::vector<float> pixels(others.pixels.size());
  std::transform(others.pixels.begin(), others.pixels.end(), pixels.begin(),
                 coldzoom::from_byte<value_range>);
  return blend(coldzoom::image_batch<value_range, const float>(
      coldzoom::tensor_view<const float>(pixels.data(), others.dims)));
}

/// What the mask leaves black is hidden; without a mask the lower half.
coldzoom::hidden_part hide_by(const std::string& mask, shape image) {
  std::vector<float> hidden;
  if (mask.empty()) {
    for (index_t i = 0; i < image.pixels(); ++i) hidden.push_back(2 * (i / image.w) >= image.h ? 1.0f : 0.0f);
  } else {
    const coldzoom::picture grey =
        coldzoom::resized(coldzoom::with_channels(coldzoom::load_picture(mask), 1), image.h, image.w);
    for (const std::uint8_t byte : grey.pixels) hidden.push_back(1 - static_cast<float>(byte) / 255);
  }
  const std::vector<float> plane = hidden;
  for (index_t c = 1; c < image.c; ++c) hidden.insert(hidden.end(), plane.begin(), plane.end());
  return {image, std::move(hidden), value_range::low};
}

}  // namespace

std::vector<std::unique_ptr<method_entry>> picture_entries() {
  std::vector<std::unique_ptr<method_entry>> all;
  const auto add = [&](method_info info, auto degradation_of) {
    all.push_back(make_cold_entry(
        std::move(info),
        [=](const method_settings& s) {
          return coldzoom::make_method(value_range{}, degradation_of(s), coldzoom::linear_schedule(s.steps));
        },
        coldzoom::tacos_sampler{}, coldzoom::naive_sampler{}, coldzoom::direct_sampler{}));
  };
  add({.name = "blend",
       .help = "blends with a picture of another data set, until that alone is left",
       .steps = 20,
       .sources = {{"others",
                    "the training images of this data set, named as for --data, are what pictures "
                    "turn into; embedded if absent"}},
       .title = "blend with others"},
      [](const method_settings& s) {
        const std::string others = s.source("others");
        return made_for_shape<blend>(
            [data = others.empty() ? "embedded" : others](shape image) { return blend_into(data, image); });
      });
  add({.name = "mask",
       .help = "lets a part fade to black that a picture of yours hides",
       .steps = 10,
       .sources = {{"mask",
                    "a picture, resized to the images: what is white stays, what is black fades; the "
                    "lower half if absent"}},
       .title = "mask of yours"},
      [](const method_settings& s) {
        const std::string mask = s.source("mask");
        coldzoom::require(mask.empty() || coldzoom::file_exists(mask), "--mask",
                          [&] { return "found no file " + mask; });
        return made_for_shape<coldzoom::hidden_part>([mask](shape image) { return hide_by(mask, image); });
      });
  return all;
}

}  // namespace programs
