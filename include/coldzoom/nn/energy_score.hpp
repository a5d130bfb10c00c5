/// The energy score: a loss for networks that draw images at random.
#pragma once

#include <cmath>
#include <coldzoom/backend/operations.hpp>
#include <coldzoom/nn/loss.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// The score of one image and its slopes, from the squared distances between its draws and the target.
struct energy_terms {
  static constexpr index_t most_draws = 8;
  index_t draws;
  double exponent, smoothing;
  double score = 0;
  /// The gradient by draw j is slope[j][j] (a_j - x) minus the sum over the others of slope[j][k] (a_j -
  /// a_k), times the weights.
  double slope[most_draws][most_draws] = {};

  /// Takes in the squared distance of draws j and k; of draw j and the target where j = k.
  COLDZOOM_HD void add(index_t j, index_t k, double square) {
    const double pairs = static_cast<double>(draws * (draws - 1)), singles = static_cast<double>(draws);
    const double q = square + smoothing * smoothing, share = j == k ? 1 / singles : 1 / pairs;
    const double distance = std::pow(q, exponent / 2);
    score += j == k ? share * distance : -share * distance;
    // Two equal images without smoothing have no slope between them; 0 is one of their subgradients.
    slope[j][k] = slope[k][j] = q > 0 ? share * exponent * distance / q : 0;
  }
  /// The gradient by one element of draw j, without its weight. The draws of the element lie `apart` from one
  /// another; x is its target.
  template <class Real>
  COLDZOOM_HD double gradient(const Real* element, index_t apart, index_t j, double x) const {
    const double own = static_cast<double>(element[j * apart]);
    double total = slope[j][j] * (own - x);
    for (index_t k = 0; k < draws; ++k) {
      if (k != j) total -= slope[j][k] * (own - static_cast<double>(element[k * apart]));
    }
    return total;
  }
};

/// loss[n] = scale * weight of image n * energy score of its draws; d = its gradient unless null, padding
/// lanes zero. Index: [n].
template <class In, class Target, class Out, class Real> struct energy_score_rows {
  In y;
  Target target, pixel;
  const Real* image;
  energy_terms blank;
  double scale;
  Real* loss;
  Out d;

  COLDZOOM_HD void operator()(index_t n) const {
    const Real one = 1;
    const Target weight = weights_or_one(pixel, one);
    const double share = scale * image_weight(image, n);
    energy_terms terms = blank;
    for (index_t j = 0; j < terms.draws; ++j) {
      for (index_t k = j; k < terms.draws; ++k) terms.add(j, k, square(n, j, k, weight));
    }
    loss[n] = static_cast<Real>(share * terms.score);
    if (d.data) write_gradient(n, terms, weight, share);
  }

 private:
  COLDZOOM_HD double square(index_t n, index_t j, index_t k, const Target& weight) const {
    const index_t other = (k - j) * y.image_size();
    double total = 0;
    for (index_t first = 0; first < y.dims.c; first += In::lanes) {
      index_t at = y.offset(n * blank.draws + j, first, 0);
      for (index_t row = 0; row < y.dims.h; ++row) {
        for (index_t col = 0; col < y.dims.w; ++col, at += In::lanes) {
          for (index_t lane = 0; lane < In::lanes && first + lane < y.dims.c; ++lane) {
            const index_t c = first + lane;
            const Real from = j == k ? target(n, c, row, col) : y.data[at + lane + other];
            const double difference = static_cast<double>(y.data[at + lane] - from);
            total += static_cast<double>(weight(n, c, row, col)) * (difference * difference);
          }
        }
      }
    }
    return total;
  }

  COLDZOOM_HD void write_gradient(index_t n, const energy_terms& terms, const Target& weight,
                                  double share) const {
    const index_t size = y.image_size();
    for (index_t first = 0; first < d.dims.c; first += Out::lanes) {
      index_t at = d.offset(n * terms.draws, first, 0);
      for (index_t row = 0; row < d.dims.h; ++row) {
        for (index_t col = 0; col < d.dims.w; ++col, at += Out::lanes) {
          for (index_t j = 0; j < terms.draws; ++j) {
            for (index_t lane = 0; lane < Out::lanes; ++lane) d.data[at + lane + j * size] = 0;
          }
          for (index_t lane = 0; lane < Out::lanes && first + lane < d.dims.c; ++lane) {
            const index_t c = first + lane;
            const double x = static_cast<double>(target(n, c, row, col)),
                         factor = share * static_cast<double>(weight(n, c, row, col));
            for (index_t j = 0; j < terms.draws; ++j) {
              d.data[at + lane + j * size] =
                  static_cast<Real>(factor * terms.gradient(y.data + at + lane, size, j, x));
            }
          }
        }
      }
    }
  }
};

/// The same by blocks; each distance is a tree over the threads. Block: [n].
template <class In, class Target, class Out, class Real> struct energy_score_blocks {
  static constexpr int most_threads = device::usual_threads;
  In y;
  Target target, pixel;
  const Real* image;
  energy_terms blank;
  double scale;
  Real* loss;
  Out d;

  template <Block K> COLDZOOM_HD void operator()(K& block) const {
    const index_t n = block.index(), size = y.dims.image();
    const Real* draws = y.data + n * blank.draws * size;
    const double share = scale * image_weight(image, n);
    double* shared = block.template shared<double>(block.threads());
    energy_terms terms = blank;
    for (index_t j = 0; j < terms.draws; ++j) {
      for (index_t k = j; k < terms.draws; ++k) {
        terms.add(j, k, device::sum(block, shared, [&](int thread) {
                    double part = 0;
                    for (index_t i = thread; i < size; i += block.threads()) {
                      const Real from = j == k ? at(target, n, i) : draws[k * size + i];
                      const double difference = static_cast<double>(draws[j * size + i] - from);
                      part += weight(n, i) * (difference * difference);
                    }
                    return part;
                  }));
      }
    }
    block.for_each_thread([&](int thread) {
      if (thread == 0) loss[n] = static_cast<Real>(share * terms.score);
      for (index_t i = thread; d.data && i < size; i += block.threads()) {
        const double x = static_cast<double>(at(target, n, i)), factor = share * weight(n, i);
        for (index_t j = 0; j < terms.draws; ++j)
          d.data[(n * terms.draws + j) * size + i] =
              static_cast<Real>(factor * terms.gradient(draws + i, size, j, x));
      }
    });
  }

 private:
  /// Element i of image n, counted in row-major order.
  COLDZOOM_HD Real at(const Target& images, index_t n, index_t i) const {
    const index_t c = device::quotient(i, y.dims.pixels()), rest = i - c * y.dims.pixels();
    const index_t row = device::quotient(rest, y.dims.w);
    return images(n, c, row, rest - row * y.dims.w);
  }
  COLDZOOM_HD double weight(index_t n, index_t i) const {
    return pixel.data ? static_cast<double>(at(pixel, n, i)) : 1.0;
  }
};

}  // namespace detail

/// The energy score of the draws a_1 .. a_m of an image x (Gneiting and Raftery 2007, section 4.3), the mean
/// over the images:
///
///   mean over j of |a_j - x|  -  half the mean over j != k of |a_j - a_k|,
///   |v| = (sum of weight * v^2 + smoothing^2)^(exponent / 2)
///
/// It is strictly proper for 0 < exponent < 2: its expectation is smallest where the draws come from the law
/// of x, so that a network with a random input learns to draw, while the mean squared error teaches it the
/// mean. Smoothing keeps that (the norm then is a multiquadric, Micchelli 1986) and makes the gradient smooth
/// where two draws meet; it is in units of the norm of an image. Exponent 2 scores the mean of the draws
/// alone. The weights of the elements choose regions; they are not negative.
///
/// The scale divides by the number of elements to the power exponent / 2. So the score does not grow with the
/// size of an image: with exponent 1 and draws that are all alike it is the root of the mean squared error.
///
/// Targets are images (N, C, H, W), any strides; predictions are N * draws images, see `Loss`. Throws `error`
/// where shapes differ and for numbers out of range. Costs draws * (draws + 1) / 2 passes over an image, and
/// one for the gradient.
struct energy_score {
  template <Backend B> using target = const_tensor<B>;
  static constexpr const char* name = "energy_score";

  index_t draws = 2;        // 2 to 8
  double exponent = 1;      // above 0, at most 2
  double smoothing = 0.05;  // at least 0

  double scale(shape batch) const {
    return 1.0 / (static_cast<double>(batch.n) * std::pow(static_cast<double>(batch.image()), exponent / 2));
  }

  template <Backend B>
  void operator()(B& b, const_activation<B> prediction, const_tensor<B> targets, loss_weights<B> weights,
                  double scale, activation<B> d_prediction,
                  vector_view<real_t<B>, typename B::space> per_image) const {
    using real = real_t<B>;
    check_numbers();
    const shape dims = targets.dims, wanted = dims.with_n(dims.n * draws);
    require(prediction.dims == wanted, name, [&] {
      return "the prediction is " + to_string(prediction.dims) + ", wanted " + to_string(wanted) + ": " +
             std::to_string(draws) + " draws of each target";
    });
    detail::require_weights(name, weights, dims);
    detail::require_output<B>(name, prediction.dims, d_prediction);
    detail::require_count(name, "places for losses", per_image.size, dims.n);
    const detail::energy_terms blank{draws, exponent, smoothing};
    using rows = detail::energy_score_rows<const_activation<B>, const_tensor<B>, activation<B>, real>;
    using tiles = detail::energy_score_blocks<const_activation<B>, const_tensor<B>, activation<B>, real>;
    const auto kernel = [&]<class Kernel>(std::type_identity<Kernel>) {
      return Kernel{prediction, targets, weights.pixel,  weights.image.data,
                    blank,      scale,   per_image.data, d_prediction};
    };
    for_each_image(b, dims.n, dims.image(), 6 * draws * draws * dims.image(),
                   kernel(std::type_identity<rows>{}), kernel(std::type_identity<tiles>{}));
  }
  template <class Visit> void for_each_number(const Visit& visit) const {
    visit("draws", static_cast<double>(draws));
    visit("exponent", exponent);
    visit("smoothing", smoothing);
  }

 private:
  void check_numbers() const {
    require(draws >= 2 && draws <= detail::energy_terms::most_draws, name, [&] {
      return "there are " + std::to_string(draws) + " draws of an image, wanted 2 to " +
             std::to_string(detail::energy_terms::most_draws);
    });
    require(exponent > 0 && exponent <= 2, name, [&] {
      return "the exponent is " + std::to_string(exponent) + "; it must lie above 0 and be at most 2";
    });
    require(smoothing >= 0, name,
            [&] { return "the smoothing is " + std::to_string(smoothing) + "; it must be at least 0"; });
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
