/// Input policies: they put the channels of a network's input together.
#pragma once

#include <algorithm>
#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/call.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/random.hpp>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// All that an input policy may use; n rows, in the memory of B. The data of a missing part is null.
template <Backend B> struct input_context {
  using images = tensor_view<const float, typename B::space>;
  using numbers = vector_view<const float, typename B::space>;

  images x_t;              // n x C x H x W, the degraded images
  numbers time, level;     // t / T and the severity, one each a row
  images condition;        // n x K x H x W: images that the result is to fit, given by the user
  images previous;         // n x C x H x W: the last estimate of x0, for self-conditioning
  key_sequence keys;       // of the noise inputs: keys[row]
  std::uint64_t draw = 0;  // which of several draws with these keys: the step t in sampling, 0 in training
};

/// An input policy `I` on backend `B` fills the channels of the network's input:
///
/// - `i.channels(image)`: how many, for images of that shape;
/// - `i.compose(b, context, to)`: writes every element of `to`, n x channels x H x W of any strides, in the
///   backend's memory. Row n depends on row n of the context alone.
///
/// A policy that reads context.previous says so by `static constexpr bool self_conditioning = true`, one that
/// reads context.condition by a member `index_t condition_channels() const`.
template <class I, class B>
concept Input = Backend<B> && std::copyable<I> &&
    requires(const I i, B& b, shape image, const input_context<B>& context,
             tensor_view<float, typename B::space> to) {
  { i.channels(image) } -> std::same_as<index_t>;
  i.compose(b, context, to);
};

/// Explains what is missing where `I` is no input policy on backend `B`.
template <class I, class B> consteval bool check_input() {
  constexpr bool input = Input<I, B>;
  static_assert(
      input,
      "coldzoom: give your input policy `index_t channels(shape image) const` and `void compose(B&, const "
      "input_context<B>&, tensor_view<float, B::space> to) const`; see docs/concepts/input.md");
  return input;
}

namespace detail {

/// to = from, element by element; 0 where there is no `from`. Index: element of `to` in row-major order.
template <class In, class Out> struct copy_planes {
  In from;
  Out to;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, x] = element_place::at(i, to.dims);
    to(n, c, y, x) = from.data ? from(n, c, y, x) : 0;
  }
};

/// to = standard normals, one a channel and square of `side` pixels. Index: element of `to` in row-major order.
template <class Out> struct noise_planes {
  key_sequence keys;
  std::uint64_t first;
  index_t side;
  Out to;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, x] = element_place::at(i, to.dims);
    const index_t rows = (to.dims.h + side - 1) / side, columns = (to.dims.w + side - 1) / side;
    const index_t square = (c * rows + y / side) * columns + x / side;
    to(n, c, y, x) = random_normal(keys[n], first + static_cast<std::uint64_t>(square));
  }
};

/// to = mask(level, image, c, y, x). Index: element of `to` in row-major order.
template <class Mask, class Levels, class Out> struct mask_planes {
  Mask mask;
  Levels level;
  Out to;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, x] = element_place::at(i, to.dims);
    to(n, c, y, x) = call_in_kernel(mask, level[n], to.dims, c, y, x);
  }
};

template <Backend B> using planes_of = tensor_view<float, typename B::space>;
template <Backend B> using const_planes_of = tensor_view<const float, typename B::space>;

/// Throws `error` unless `found` fits n x channels x H x W of `to`.
template <class View, class To> void require_planes(const char* where, const View& found, const To& to) {
  require(found.data == nullptr || found.dims == to.dims, where,
          [&] { return "found images of " + to_string(found.dims) + ", wanted " + to_string(to.dims); });
}

}  // namespace detail

/// x_t alone: the default.
struct plain_input {
  index_t channels(shape image) const { return image.c; }
  template <Backend B>
  void compose(B& b, const input_context<B>& context, tensor_view<float, typename B::space> to) const {
    using kernel = detail::copy_planes<detail::const_planes_of<B>, detail::planes_of<B>>;
    b.for_each_index(to.dims.size(), kernel{context.x_t, to}, 4);
  }
};

/// Channels of standard normal noise, anew in each training step and each call of a sampler: for networks
/// that draw one of many answers, trained by a loss of several draws such as energy_score. Coarse noise
/// decides the whole picture at once, fine noise its details; `inputs` takes several.
struct noise_input {
  index_t planes = 1;
  index_t side = 1;  // of the squares of pixels that share a number; 0: one number a channel

  index_t channels(shape) const { return planes; }
  template <Backend B>
  void compose(B& b, const input_context<B>& context, tensor_view<float, typename B::space> to) const {
    using kernel = detail::noise_planes<detail::planes_of<B>>;
    const std::uint64_t first = context.draw * ((static_cast<std::uint64_t>(to.dims.image()) + 3) / 4 * 4);
    const index_t square = side > 0 ? side : std::max(to.dims.h, to.dims.w);
    b.for_each_index(to.dims.size(), kernel{context.keys, first, square, to}, 60);
  }
};

/// Channels that say how far the level has changed each pixel: mask(level, planes, c, y, x) -> float,
/// COLDZOOM_HD and trivially copyable; `planes` is n x channels x H x W.
template <class Mask> struct mask_input {
  Mask mask;
  index_t planes;

  explicit mask_input(Mask m, index_t channels = 1) : mask(std::move(m)), planes(channels) {}

  index_t channels(shape) const { return planes; }
  template <Backend B>
  void compose(B& b, const input_context<B>& context, tensor_view<float, typename B::space> to) const {
    using levels = vector_view<const float, typename B::space>;
    b.for_each_index(to.dims.size(),
                     detail::mask_planes<Mask, levels, detail::planes_of<B>>{mask, context.level, to}, 20);
  }
};

/// Channels of an image that the result is to fit: a low-resolution picture, a sketch, a map of labels.
/// Training takes it from the data set of conditions, sampling from model::set_condition.
struct condition_input {
  index_t planes = 1;

  index_t channels(shape) const { return planes; }
  index_t condition_channels() const { return planes; }
  template <Backend B>
  void compose(B& b, const input_context<B>& context, tensor_view<float, typename B::space> to) const {
    require(context.condition.data, "condition_input",
            "there is no image to condition on; give one to every batch");
    detail::require_planes("condition_input", context.condition, to);
    using kernel = detail::copy_planes<detail::const_planes_of<B>, detail::planes_of<B>>;
    b.for_each_index(to.dims.size(), kernel{context.condition, to}, 4);
  }
};

/// Channels with the last estimate of x0, 0 where there is none (Chen, Zhang, Hinton 2022, "Analog bits",
/// section 3.2). Training gives half of the images the estimate that the network makes without one, which has
/// no gradient, at the price of one forward pass; a sampler hands on x0_hat of the call before. Where the
/// network predicts something else than x0, the estimates of training are clipped to the range of the images.
struct self_input {
  static constexpr bool self_conditioning = true;

  index_t channels(shape image) const { return image.c; }
  template <Backend B>
  void compose(B& b, const input_context<B>& context, tensor_view<float, typename B::space> to) const {
    detail::require_planes("self_input", context.previous, to);
    using kernel = detail::copy_planes<detail::const_planes_of<B>, detail::planes_of<B>>;
    b.for_each_index(to.dims.size(), kernel{context.previous, to}, 4);
  }
};

namespace detail {
/// Channels of context.condition that a policy reads.
template <class I> index_t condition_channels(const I& input) {
  if constexpr (requires { input.condition_channels(); }) return input.condition_channels();
  return 0;
}
}  // namespace detail

/// Several policies: their channels lie one after another.
template <class... Parts> struct inputs {
  std::tuple<Parts...> parts;

  explicit inputs(Parts... policies) : parts(std::move(policies)...) {}

  index_t channels(shape image) const {
    return std::apply([&](const auto&... part) { return (part.channels(image) + ...); }, parts);
  }
  index_t condition_channels() const {
    return std::apply([](const auto&... part) { return std::max({detail::condition_channels(part)...}); },
                      parts);
  }
  template <Backend B>
  void compose(B& b, const input_context<B>& context, tensor_view<float, typename B::space> to) const {
    index_t first = 0;
    const shape image = context.x_t.dims.with_n(1);
    const auto fill = [&](const auto& part) {
      auto planes = to;
      planes.dims.c = part.channels(image);
      planes.data += first * to.stride_c;
      first += planes.dims.c;
      part.compose(b, context, planes);
    };
    std::apply([&](const auto&... part) { (fill(part), ...); }, parts);
  }
};

namespace detail {
template <class I> inline constexpr bool self_conditioned = requires { requires I::self_conditioning; };
template <class... Parts>
inline constexpr bool self_conditioned<inputs<Parts...>> = (self_conditioned<Parts> || ...);
}  // namespace detail

/// The shape of the network's input for images of that shape.
template <class I> shape input_shape(const I& input, shape image) {
  image.c = input.channels(image);
  return image;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
