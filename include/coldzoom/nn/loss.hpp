/// Losses: what training minimises, and its gradient.
#pragma once

#include <cmath>
#include <coldzoom/backend/backend.hpp>
#include <coldzoom/backend/device/reduction.hpp>
#include <coldzoom/core/error.hpp>
#include <concepts>
#include <cstdint>

namespace coldzoom::inline COLDZOOM_ISA {

/// A loss `L` on backend `B`: a small callable that compares predictions with targets.
///
/// - `target<B>`: the type of the targets, a view;
/// - `scale(batch)`: what one element or image contributes to the loss of a batch of that prediction shape;
/// - `loss(b, prediction, target, scale, d_prediction, per_image)`: per_image[n] = share of image n in the
///   loss; d_prediction = gradient of the loss, padding lanes zero. d_prediction.data may be null.
///
/// With the scale of the whole batch, the images of all its micro-batches together sum to the loss of the
/// batch. Sum them with `b.sum`, whose order is fixed. A call reads `prediction` and allocates nothing.
template <class L, class B>
concept Loss = Backend<B> && std::copyable<L> &&
    requires(const L& loss, B& b, shape batch, const_activation<B> prediction,
             typename L::template target<B> target, double scale, activation<B> d_prediction,
             vector_view<real_t<B>, typename B::space> per_image) {
  { loss.scale(batch) } -> std::convertible_to<double>;
  loss(b, prediction, target, scale, d_prediction, per_image);
};

namespace detail {

/// loss[n] = scale * sum of (y - target)^2 over image n, summed in double; d = 2 scale (y - target) unless
/// null, padding lanes zero. Index: [n].
template <class In, class Target, class Out, class Real> struct squared_error {
  In y;
  Target target;
  double scale;
  Real* loss;
  Out d;

  COLDZOOM_HD void operator()(index_t n) const {
    loss[n] = static_cast<Real>(scale * sum_of_squares(n));
    if (d.data) write_gradient(n);
  }

 private:
  /// Apart from the gradient: were both one loop, a compiler could make two versions of it, with and without
  /// the gradient, which round their multiply-adds differently.
  COLDZOOM_HD double sum_of_squares(index_t n) const {
    double total = 0;
    for (index_t first = 0; first < y.dims.c; first += In::lanes) {
      index_t at = y.offset(n, first, 0);
      for (index_t row = 0; row < y.dims.h; ++row) {
        for (index_t col = 0; col < y.dims.w; ++col, at += In::lanes) {
          for (index_t lane = 0; lane < In::lanes && first + lane < y.dims.c; ++lane) {
            const double difference =
                static_cast<double>(y.data[at + lane] - target(n, first + lane, row, col));
            total += difference * difference;
          }
        }
      }
    }
    return total;
  }

  COLDZOOM_HD void write_gradient(index_t n) const {
    const Real slope = static_cast<Real>(2 * scale);
    for (index_t first = 0; first < d.dims.c; first += Out::lanes) {
      index_t at = d.offset(n, first, 0);
      for (index_t row = 0; row < d.dims.h; ++row) {
        for (index_t col = 0; col < d.dims.w; ++col, at += Out::lanes) {
          for (index_t lane = 0; lane < Out::lanes; ++lane) {
            const index_t c = first + lane;
            d.data[at + lane] = c < d.dims.c ? slope * (y.data[at + lane] - target(n, c, row, col)) : Real(0);
          }
        }
      }
    }
  }
};

/// The same by blocks; the sum is a tree over the threads. Block: [n].
template <class In, class Target, class Out, class Real> struct squared_error_block {
  static constexpr int most_threads = device::usual_threads;
  In y;
  Target target;
  double scale;
  Real* loss;
  Out d;

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    const index_t n = block.index(), size = y.dims.image(), pixels = y.dims.pixels();
    const Real slope = static_cast<Real>(2 * scale);
    double* shared = block.template shared<double>(block.threads());
    const double total = device::sum(block, shared, [&](int thread) {
      double part = 0;
      for (index_t i = thread; i < size; i += block.threads()) {
        const index_t c = device::quotient(i, pixels), pixel = i - c * pixels;
        const index_t row = device::quotient(pixel, y.dims.w), at = n * size + i;
        const Real difference = y.data[at] - static_cast<Real>(target(n, c, row, pixel - row * y.dims.w));
        part += static_cast<double>(difference) * static_cast<double>(difference);
        if (d.data) d.data[at] = slope * difference;
      }
      return part;
    });
    block.for_each_thread([&](int thread) {
      if (thread == 0) loss[n] = static_cast<Real>(scale * total);
    });
  }
};

/// loss[n] = scale * (log sum of exp(y[n]) - y[n, label]); d = scale * (softmax(y) - one hot), padding lanes
/// zero. The largest y is taken out of the exponentials, so none overflows. Index: [n].
template <class In, class Out, class Real> struct cross_entropy {
  In y;
  const std::int32_t* label;
  Real scale;
  Out d;
  Real* loss;

  COLDZOOM_HD void operator()(index_t n) const {
    const Real* row = y.data + n * y.image_size();
    Real largest = row[0];
    for (index_t c = 1; c < y.dims.c; ++c) largest = row[c] > largest ? row[c] : largest;
    Real total = 0, wanted = static_cast<Real>(NAN);  // the function of numeric_limits is the host's alone
    for (index_t c = 0; c < y.dims.c; ++c) {
      total += std::exp(row[c] - largest);
      if (c == label[n]) wanted = row[c];
    }
    loss[n] = scale * (std::log(total) - (wanted - largest));
    if (!d.data) return;
    Real* out = d.data + n * d.image_size();
    for (index_t c = 0; c < d.image_size(); ++c) {
      const Real hot = c == label[n] ? Real(1) : Real(0);
      out[c] = c < d.dims.c ? scale * (std::exp(row[c] - largest) / total - hot) : Real(0);
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
inline void require_classes(const char* where, shape prediction) {
  require(prediction.c > 0 && prediction.h == 1 && prediction.w == 1, where,
          [&] { return "the prediction is " + to_string(prediction) + ", wanted N x classes x 1 x 1"; });
}

}  // namespace detail

/// Mean of (prediction - target)^2 over all elements, as PyTorch's MSELoss. Targets are images
/// (N, C, H, W) of the prediction's shape, any strides. Throws `error` where shapes differ.
struct mean_squared_error {
  template <Backend B> using target = const_tensor<B>;

  double scale(shape batch) const { return 1.0 / static_cast<double>(batch.size()); }

  template <Backend B>
  void operator()(B& b, const_activation<B> prediction, const_tensor<B> targets, double scale,
                  activation<B> d_prediction, vector_view<real_t<B>, typename B::space> per_image) const {
    const char* const where = "mean_squared_error";
    require(targets.dims == prediction.dims, where, [&] {
      return "the target is " + to_string(targets.dims) + ", the prediction " + to_string(prediction.dims);
    });
    detail::require_output<B>(where, prediction.dims, d_prediction);
    detail::require_count(where, "places for losses", per_image.size, prediction.dims.n);
    if constexpr (BlockBackend<B>) {
      using kernel =
          detail::squared_error_block<const_activation<B>, const_tensor<B>, activation<B>, real_t<B>>;
      const int threads = device::threads_for(prediction.dims.image());
      b.for_each_block(prediction.dims.n, threads, threads * static_cast<index_t>(sizeof(double)) + 16,
                       kernel{prediction, targets, scale, per_image.data, d_prediction});
    } else {
      using kernel = detail::squared_error<const_activation<B>, const_tensor<B>, activation<B>, real_t<B>>;
      b.for_each_index(prediction.dims.n, kernel{prediction, targets, scale, per_image.data, d_prediction},
                       6 * prediction.dims.image());
    }
  }
};

/// Mean over the images of -log softmax(prediction)[label], as PyTorch's CrossEntropyLoss. Predictions are
/// (N, classes, 1, 1), targets one label 0 .. classes - 1 an image; another label makes the loss NaN.
/// Throws `error` where shapes differ.
struct softmax_cross_entropy {
  template <Backend B> using target = vector_view<const std::int32_t, typename B::space>;

  double scale(shape batch) const { return 1.0 / static_cast<double>(batch.n); }

  template <Backend B>
  void operator()(B& b, const_activation<B> prediction, target<B> labels, double scale,
                  activation<B> d_prediction, vector_view<real_t<B>, typename B::space> per_image) const {
    const char* const where = "softmax_cross_entropy";
    detail::require_classes(where, prediction.dims);
    detail::require_count(where, "labels", labels.size, prediction.dims.n);
    detail::require_output<B>(where, prediction.dims, d_prediction);
    detail::require_count(where, "places for losses", per_image.size, prediction.dims.n);
    using kernel = detail::cross_entropy<const_activation<B>, activation<B>, real_t<B>>;
    b.for_each_index(
        prediction.dims.n,
        kernel{prediction, labels.data, static_cast<real_t<B>>(scale), d_prediction, per_image.data},
        40 * prediction.dims.c);
  }
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
