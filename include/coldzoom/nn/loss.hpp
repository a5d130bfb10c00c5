/// The concept of a loss: a small value that compares predictions with targets and gives the gradient.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/error.hpp>
#include <concepts>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA {

/// How much each image and each element counts. Weights are factors: nothing divides by their sum.
template <Backend B> struct loss_weights {
  /// One weight an image; without data every image has weight 1.
  vector_view<const real_t<B>, typename B::space> image;
  /// One weight an element, of the shape of the targets and with any strides: stride 0 gives all channels, or
  /// all images, the same weights. Without data every element has weight 1.
  tensor_view<const real_t<B>, typename B::space> pixel;

  loss_weights images(index_t first, index_t count) const {
    loss_weights part;
    if (image.data) part.image = image.slice(first, count);
    if (pixel.data) part.pixel = pixel.images(first, count);
    return part;
  }
};

/// How many predictions a loss wants of one image: its member `draws` where it has one, else 1.
template <class L> index_t draws_of(const L& loss) {
  if constexpr (requires { index_t{loss.draws}; }) return loss.draws;
  return 1;
}

/// A loss `L` on backend `B`:
///
/// - `target<B>`: the type of the targets, a view;
/// - `scale(batch)`: the share of one element or image in the loss of a batch; `batch` is the shape of
///   its targets, (N, 1, 1, 1) for labels;
/// - `loss(b, prediction, target, weights, scale, d_prediction, per_image)`: per_image[n] = weighted share of
///   image n in the loss; d_prediction = gradient of the loss, padding lanes zero. d_prediction.data may be
///   null.
///
/// For n targets the prediction has n * draws_of(loss) images: the draws of the first image, then those of
/// the second, and so on. With the scale of the whole batch, the images of all its micro-batches together sum
/// to the loss of the batch. Sum them with `b.sum`, whose order is fixed. A call reads `prediction` and
/// allocates nothing.
///
/// Optional members:
/// - `draws`: an index_t, how many predictions of one image it compares;
/// - `name`, a static const char*, and `for_each_number(f)`, which calls f(name, value) for every number of
///   the loss.
template <class L, class B>
concept Loss = Backend<B> && std::copyable<L> &&
    requires(const L& loss, B& b, shape batch, const_activation<B> prediction,
             typename L::template target<B> target, loss_weights<B> weights, double scale,
             activation<B> d_prediction, vector_view<real_t<B>, typename B::space> per_image) {
  { loss.scale(batch) } -> std::convertible_to<double>;
  loss(b, prediction, target, weights, scale, d_prediction, per_image);
};

/// Explains what is missing where `L` is no loss on backend `B`.
template <class L, class B> consteval bool check_loss() {
  constexpr bool has_target = requires { typename L::template target<B>; };
  static_assert(
      has_target,
      "coldzoom: give your loss `template <Backend B> using target`, the view of its targets, such as "
      "const_tensor<B>; see docs/concepts/loss.md");
  constexpr bool has_scale = requires(const L& loss, shape batch) {
    { loss.scale(batch) } -> std::convertible_to<double>;
  };
  static_assert(
      !has_target || has_scale,
      "coldzoom: give your loss `double scale(shape batch) const`, what one element or image of a batch "
      "contributes to its loss; see docs/concepts/loss.md");
  constexpr bool loss = Loss<L, B>;
  static_assert(!has_target || !has_scale || loss,
                "coldzoom: let your loss be copied and called as loss(b, prediction, target, weights, scale, "
                "d_prediction, per_image) const, with the types that docs/concepts/loss.md lists");
  return loss;
}

namespace detail {

/// The weight of image n. `image` may be null.
template <class Real> COLDZOOM_HD double image_weight(const Real* image, index_t n) {
  return image ? static_cast<double>(image[n]) : 1.0;
}
/// The weights of the elements, or `one` for all of them. Both go through the same loop: a loop of its own
/// without weights would round its multiply-adds differently, and weights of 1 would change the bits.
template <class View, class Real> COLDZOOM_HD View weights_or_one(const View& pixel, const Real& one) {
  return pixel.data ? pixel : View(&one, pixel.dims, 0, 0, 0, 0);
}

template <Backend B> void require_output(const char* where, shape prediction, const activation<B>& d) {
  require(!d.data || d.dims == prediction, where, [&] {
    return "the gradient is " + to_string(d.dims) + ", the prediction " + to_string(prediction);
  });
}
inline void require_count(const char* where, const char* what, index_t found, index_t images) {
  require(found == images, where, [&] {
    return "there are " + std::to_string(found) + " " + what + " for " + std::to_string(images) + " images";
  });
}
template <Backend B> void require_image_weights(const char* where, const loss_weights<B>& w, index_t images) {
  if (w.image.data) require_count(where, "weights", w.image.size, images);
}
template <Backend B> void require_weights(const char* where, const loss_weights<B>& w, shape target) {
  require_image_weights(where, w, target.n);
  require(!w.pixel.data || w.pixel.dims == target, where,
          [&] { return "the weights are " + to_string(w.pixel.dims) + ", the target " + to_string(target); });
}

}  // namespace detail

}  // namespace coldzoom::inline COLDZOOM_ISA
