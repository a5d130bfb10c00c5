/// The loss of a classifier, and its right answers.
#pragma once

#include <cmath>
#include <coldzoom/nn/loss.hpp>
#include <cstdint>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// share = scale * weight of image n, loss[n] = share * (log sum of exp(y[n]) - y[n, label]); d = share *
/// (softmax(y) - one hot), padding lanes zero. The largest y is taken out of the exponentials, so none
/// overflows. Index: [n].
template <class In, class Out, class Real> struct cross_entropy {
  In y;
  const std::int32_t* label;
  const Real* image;
  double scale;
  Out d;
  Real* loss;

  COLDZOOM_HD void operator()(index_t n) const {
    const Real share = static_cast<Real>(scale * image_weight(image, n));
    const Real* row = y.data + n * y.image_size();
    Real largest = row[0];
    for (index_t c = 1; c < y.dims.c; ++c) largest = row[c] > largest ? row[c] : largest;
    Real total = 0, wanted = static_cast<Real>(NAN);  // the function of numeric_limits is the host's alone
    for (index_t c = 0; c < y.dims.c; ++c) {
      total += std::exp(row[c] - largest);
      if (c == label[n]) wanted = row[c];
    }
    loss[n] = share * (std::log(total) - (wanted - largest));
    if (!d.data) return;
    Real* out = d.data + n * d.image_size();
    for (index_t c = 0; c < d.image_size(); ++c) {
      const Real hot = c == label[n] ? Real(1) : Real(0);
      out[c] = c < d.dims.c ? share * (std::exp(row[c] - largest) / total - hot) : Real(0);
    }
  }
};

/// correct[n] = 1 where the first of the largest y[n] stands at the label, else 0. Index: [n].
template <class In, class Real> struct argmax_matches {
  In y;
  const std::int32_t* label;
  Real* correct;

  COLDZOOM_HD void operator()(index_t n) const {
    const Real* row = y.data + n * y.image_size();
    index_t best = 0;
    for (index_t c = 1; c < y.dims.c; ++c) best = row[c] > row[best] ? c : best;
    correct[n] = best == label[n] ? Real(1) : Real(0);
  }
};

inline void require_classes(const char* where, shape prediction) {
  require(prediction.c > 0 && prediction.h == 1 && prediction.w == 1, where,
          [&] { return "the prediction is " + to_string(prediction) + ", wanted N x classes x 1 x 1"; });
}

}  // namespace detail

/// Mean over the images of -log softmax(prediction)[label] times the weight of the image; without weights as
/// PyTorch's CrossEntropyLoss. Predictions are (N, classes, 1, 1), targets one label 0 .. classes - 1 an
/// image; another label makes the loss NaN. Throws `error` where shapes differ and for weights of pixels.
struct softmax_cross_entropy {
  template <Backend B> using target = vector_view<const std::int32_t, typename B::space>;
  static constexpr const char* name = "softmax_cross_entropy";

  double scale(shape batch) const { return 1.0 / static_cast<double>(batch.n); }

  template <Backend B>
  void operator()(B& b, const_activation<B> prediction, target<B> labels, loss_weights<B> weights,
                  double scale, activation<B> d_prediction,
                  vector_view<real_t<B>, typename B::space> per_image) const {
    detail::require_classes(name, prediction.dims);
    detail::require_count(name, "labels", labels.size, prediction.dims.n);
    detail::require_image_weights(name, weights, prediction.dims.n);
    require(!weights.pixel.data, name, "there are weights of pixels; labels take weights of images alone");
    detail::require_output<B>(name, prediction.dims, d_prediction);
    detail::require_count(name, "places for losses", per_image.size, prediction.dims.n);
    using kernel = detail::cross_entropy<const_activation<B>, activation<B>, real_t<B>>;
    b.for_each_index(prediction.dims.n,
                     kernel{prediction, labels.data, weights.image.data, scale, d_prediction, per_image.data},
                     40 * prediction.dims.c);
  }
  template <class Visit> void for_each_number(const Visit&) const {}
};

/// correct[n] = 1 where the largest of the prediction (N, classes, 1, 1) stands at the label, else 0; of
/// equal ones the first counts. `b.sum` of it is the number of right answers. Throws `error` where shapes
/// differ.
template <Backend B>
void mark_correct(B& b, const_activation<B> prediction,
                  vector_view<const std::int32_t, typename B::space> labels,
                  vector_view<real_t<B>, typename B::space> correct) {
  const char* const where = "mark_correct";
  detail::require_classes(where, prediction.dims);
  detail::require_count(where, "labels", labels.size, prediction.dims.n);
  detail::require_count(where, "places for results", correct.size, prediction.dims.n);
  using kernel = detail::argmax_matches<const_activation<B>, real_t<B>>;
  b.for_each_index(prediction.dims.n, kernel{prediction, labels.data, correct.data}, 2 * prediction.dims.c);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
