/// A network with its weights and all that it reads, ready for a sampler.
#pragma once

#include <coldzoom/nn/input.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/prediction/model_concept.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// y = without + scale (y - without). Index: element.
struct guide_answer {
  float scale;
  const float* without;
  float* y;

  COLDZOOM_HD void operator()(index_t i) const { y[i] = without[i] + scale * (y[i] - without[i]); }
};

}  // namespace detail

/// A `Model`: `Network` answers, with a prediction of type `P`, to the channels that the input policy `I`
/// puts together. Images go through in micro-batches; the bits of an image do not depend on the batch it
/// comes in. Not for use from two threads at once.
template <Backend B, Prediction P, Layer<B> Network, class I = plain_input> class model {
  static_assert(check_input<I, B>() || true);  // the check itself says what is missing
  using space = typename B::space;

 public:
  using prediction = P;
  using images = tensor_view<const float, space>;
  using labels = vector_view<const std::int32_t, space>;

  /// `parameters` as in a checkpoint, in host memory; `image` gives C, H and W of the images. `most` images
  /// go through at a time, which decides about the memory. Throws `error` where the parameters are not the
  /// network's, and where it does not make images of that shape.
  model(B& b, P, Network network, shape image, const std::vector<float>& parameters, I input = {},
        index_t most = micro_batch_of<B>)
      : b_(&b),
        image_(image.with_n(1)),
        input_(std::move(input)),
        predict_(b, std::move(network), input_shape(input_, image_), parameters, most) {
    const shape out = predict_.network().output_shape(input_shape(input_, image_));
    require(out == image_, "model", [&] {
      return "the network makes images of " + to_string(out) + ", wanted " + to_string(image_);
    });
  }

  shape image() const { return image_; }
  const Network& network() const { return predict_.network(); }

  /// Labels of the images to come, one each, in the backend's memory; empty for none. They must live as long
  /// as they are in use, as must conditions.
  void set_labels(labels of_images) { labels_ = of_images; }
  /// Images that the results are to fit, for condition_input.
  void set_condition(images of_images) { condition_ = of_images; }

  /// y = the answer to x_t; both dense. With self_input, step.previous goes in.
  void operator()(images x_t, const sampling_step& step, tensor_view<float, space> y) {
    ask(x_t, step, labels_, y);
  }

  /// The answer with these labels in place of the model's.
  void ask(images x_t, const sampling_step& step, labels of_images, tensor_view<float, space> y) {
    const index_t n = x_t.dims.n;
    require(x_t.dims.with_n(1) == image_, "model", [&] {
      return "the images are " + to_string(x_t.dims) + ", the model is for " + to_string(image_);
    });
    require(!of_images.data || of_images.size == n, "model", [&] {
      return "there are " + std::to_string(of_images.size) + " labels for " + std::to_string(n) + " images";
    });
    if (n > numbers_.size() / 2) numbers_ = b_->template allocate<float>(2 * n);
    float *const time = numbers_.data(), *const level = time + n;
    b_->for_each_index(n, generic::fill<float>{step.time, time});
    images read = x_t;
    if constexpr (!std::is_same_v<I, plain_input>) {
      b_->for_each_index(n, generic::fill<float>{step.level, level});
      const shape in = input_shape(input_, image_).with_n(n);
      if (in.size() > composed_.size()) composed_ = b_->template allocate<float>(in.size());
      const input_context<B> context{x_t,
                                     {time, n},
                                     {level, n},
                                     condition_,
                                     step.previous ? images(step.previous, image_.with_n(n)) : images{},
                                     {step.keys.seed, stream::input_noise, step.keys.first},
                                     static_cast<std::uint64_t>(step.t)};
      const tensor_view<float, space> to(composed_.data(), in);
      input_.compose(*b_, context, to);
      read = to;
    }
    side_inputs<B> side;
    if constexpr (std::same_as<real_t<B>, float>) {
      side.time = {time, n};
    } else {
      if (n > time_.size()) time_ = b_->template allocate<real_t<B>>(n);
      b_->for_each_index(n, generic::fill<real_t<B>>{static_cast<real_t<B>>(step.time), time_.data()});
      side.time = {time_.data(), n};
    }
    side.label = of_images;
    predict_(read, side, y);
  }

  labels current_labels() const { return labels_; }

 private:
  B* b_;
  shape image_;
  I input_;
  predictor<B, Network> predict_;
  labels labels_;
  images condition_;
  typename B::template buffer<float> numbers_, composed_;
  buffer_t<B> time_;
};

/// Classifier-free guidance (Ho and Salimans 2022): answers with y0 + scale (y - y0), y being `model`'s
/// answer with its labels and y0 that without. The model must have been trained with labels left out now and
/// then (label_dropout of the trainer); `none` is the label that stands for no label, the number of classes.
/// Scale 1 is the model itself, 1.5 to 3 are usual. Cost: two calls of the model for one.
template <Backend B, class M> class guided {
 public:
  using prediction = typename M::prediction;

  guided(B& b, M& model, float scale, std::int32_t none)
      : b_(&b),
        model_(&model),
        scale_(scale),
        none_(none) {}

  void operator()(typename M::images x_t, const sampling_step& step,
                  tensor_view<float, typename B::space> y) {
    const index_t n = x_t.dims.n;
    require(model_->current_labels().data, "guided", "the model has no labels; call its set_labels first");
    if (n > without_labels_.size()) {
      without_labels_ = b_->template allocate<std::int32_t>(n);
      b_->for_each_index(n, generic::fill<std::int32_t>{none_, without_labels_.data()});
    }
    if (y.dims.size() > without_.size()) without_ = b_->template allocate<float>(y.dims.size());
    // In this order: y may be the memory of step.previous, which both read.
    model_->ask(x_t, step, {without_labels_.data(), n},
                tensor_view<float, typename B::space>(without_.data(), y.dims));
    model_->ask(x_t, step, model_->current_labels(), y);
    b_->for_each_index(y.dims.size(), detail::guide_answer{scale_, without_.data(), y.data});
  }

 private:
  B* b_;
  M* model_;
  float scale_;
  std::int32_t none_;
  typename B::template buffer<std::int32_t> without_labels_;
  typename B::template buffer<float> without_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
