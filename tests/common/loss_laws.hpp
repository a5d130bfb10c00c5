/// One call of a loss on a backend of the host, and what every such call must obey.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/nn/loss.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <limits>
#include <tuple>
#include <vector>

#include "common/layer_laws.hpp"

using all_backends =
    std::tuple<coldzoom::reference_backend<float>, coldzoom::reference_backend<double>,
               coldzoom::cpu_backend<float>, coldzoom::cpu_backend<double>,
               coldzoom::testing::block_backend<float>, coldzoom::testing::block_backend<double>>;
using double_backends = std::tuple<coldzoom::reference_backend<double>, coldzoom::cpu_backend<double>,
                                   coldzoom::testing::block_backend<double>>;

/// What a loss makes of predictions.
struct outcome {
  values per_image, gradient;
  double total = 0;
  friend bool operator==(const outcome&, const outcome&) = default;
};

template <class Real> std::vector<Real> typed(const values& v) { return {v.begin(), v.end()}; }

/// The loss of the predictions `y`, which are `dims`, for `images` targets. Checks that the padding lanes of
/// the gradient are zero and that the loss does not depend on whether its gradient is wanted. What the
/// padding lanes of y hold is `padding`.
template <class B, class L, class Target>
outcome evaluate(const L& loss, coldzoom::shape dims, index_t images, const values& y, Target target,
                 coldzoom::loss_weights<B> weights, double scale, double padding = 0, B b = B()) {
  using real = coldzoom::real_t<B>;
  coldzoom::activation_buffer<B> prediction(b, dims), gradient(b, dims);
  const coldzoom::activation<B> d = gradient.view(dims.n);
  write(prediction.view(dims.n), y, padding);
  // All lanes begin as NaN: were one left or not zero, the sum over all lanes would show it.
  write(d, values(y.size(), std::numeric_limits<double>::quiet_NaN()),
        std::numeric_limits<double>::quiet_NaN());
  std::vector<real> per_image(static_cast<std::size_t>(images));
  const coldzoom::vector_view<real> places{per_image.data(), images};
  loss(b, prediction.view(dims.n), target, weights, scale, d, places);

  outcome result;
  result.per_image.assign(per_image.begin(), per_image.end());
  result.gradient = read(d);
  result.total = b.sum(per_image.data(), images);
  double all_lanes = 0, elements = 0;
  for (index_t i = 0; i < d.size(); ++i) all_lanes += std::abs(static_cast<double>(d.data[i]));
  for (const double g : result.gradient) elements += std::abs(g);
  BOOST_TEST(std::abs(all_lanes - elements) <= 1e-12 * elements,
             "padding lanes of the gradient are not zero");

  loss(b, prediction.view(dims.n), target, weights, scale, coldzoom::activation<B>{}, places);
  for (std::size_t n = 0; n < per_image.size(); ++n) {
    const double again = static_cast<double>(per_image[n]), first = result.per_image[n];
    BOOST_TEST((again == first || (std::isnan(again) && std::isnan(first))),
               "the loss depends on whether its gradient is wanted");
  }
  return result;
}

/// A loss of images with random predictions, targets and weights, exact in float.
template <class B> struct image_problem {
  using real = coldzoom::real_t<B>;
  coldzoom::shape dims;  // of the targets
  index_t draws;
  values y;
  std::vector<real> target, pixel, image;

  image_problem(coldzoom::shape shape, index_t count)
      : dims(shape),
        draws(count),
        y(random_values(shape.size() * count, 1)),
        target(typed<real>(random_values(shape.size(), 2))),
        pixel(typed<real>(random_values(shape.size(), 3))),
        image(typed<real>(random_values(shape.n, 4))) {
    for (real& w : pixel) w = std::abs(w);
    for (real& w : image) w = std::abs(w);
  }

  coldzoom::const_tensor<B> targets() const { return {target.data(), dims}; }
  coldzoom::loss_weights<B> weights() const {
    return {{image.data(), dims.n}, coldzoom::const_tensor<B>(pixel.data(), dims)};
  }
  /// Images first .. first + count - 1, with the scale of all.
  template <class L>
  outcome part(const L& loss, index_t first, index_t count, const coldzoom::loss_weights<B>& w,
               double padding = 0, B b = B()) const {
    const index_t rows = count * draws, from = first * draws * dims.image();
    const values some(y.begin() + from, y.begin() + from + rows * dims.image());
    return evaluate<B>(loss, dims.with_n(rows), count, some, targets().images(first, count),
                       w.images(first, count), loss.scale(dims), padding, b);
  }
  template <class L> outcome whole(const L& loss, const coldzoom::loss_weights<B>& w) const {
    return part(loss, 0, dims.n, w);
  }
};

/// The gradient of `loss` against finite differences, with weights. B computes in double.
template <class B, class L> void check_loss_gradient(const L& loss) {
  image_problem<B> p({3, 5, 4, 2}, coldzoom::draws_of(loss));
  const values numeric = finite_differences(p.y, [&] { return p.whole(loss, p.weights()).total; });
  const double off = relative_error(p.whole(loss, p.weights()).gradient, numeric);
  BOOST_TEST(off < 1e-7, "off by " << off);
  BOOST_TEST_MESSAGE("worst gradient error " << off);
}

/// To the bit: padding lanes, a batch in parts, weights of 1 and the way that weights lie have no influence.
template <class B, class L> void check_loss_independence(const L& loss) {
  using real = coldzoom::real_t<B>;
  const image_problem<B> p({5, 3, 4, 2}, coldzoom::draws_of(loss));
  const outcome all = p.whole(loss, p.weights());
  BOOST_TEST((p.part(loss, 0, 5, p.weights(), 1e30) == all), "padding lanes have influence");

  outcome parts;
  for (index_t first = 0; first < 5; first += 2) {
    const outcome part = p.part(loss, first, std::min<index_t>(2, 5 - first), p.weights());
    parts.per_image.insert(parts.per_image.end(), part.per_image.begin(), part.per_image.end());
    parts.gradient.insert(parts.gradient.end(), part.gradient.begin(), part.gradient.end());
  }
  BOOST_TEST((parts.per_image == all.per_image && parts.gradient == all.gradient), "parts have other bits");

  const real one = 1;
  const std::vector<real> ones(5, one);
  const coldzoom::const_tensor<B> everywhere(&one, p.dims, 0, 0, 0, 0);
  const outcome plain = p.whole(loss, {});
  BOOST_TEST((p.whole(loss, {{ones.data(), 5}, everywhere}) == plain), "weights of 1 change the bits");

  // One weight a row of pixels, the same for all images, channels and columns.
  const std::vector<real> rows{real(0), real(1), real(0.5), real(2)};
  std::vector<real> dense;
  for (index_t i = 0; i < p.dims.size(); ++i) dense.push_back(rows[static_cast<std::size_t>(i / 2 % 4)]);
  BOOST_TEST((p.whole(loss, {{}, {rows.data(), p.dims, 0, 0, 1, 0}}) ==
              p.whole(loss, {{}, coldzoom::const_tensor<B>(dense.data(), p.dims)})),
             "strides of weights change the bits");

  // An image that counts twice: a factor of 2 is exact.
  std::vector<real> twice(ones);
  twice[1] = 2;
  const outcome doubled = p.whole(loss, {{twice.data(), 5}, {}});
  const std::size_t size = plain.gradient.size() / 5;
  for (std::size_t n = 0; n < 5; ++n) {
    const double factor = n == 1 ? 2 : 1;
    BOOST_TEST(doubled.per_image[n] == factor * plain.per_image[n]);
    for (std::size_t i = n * size; i < (n + 1) * size; ++i)
      BOOST_TEST(doubled.gradient[i] == factor * plain.gradient[i]);
  }
}

/// To the bit: 1 and 2 threads agree, and two orders of the threads of a block.
template <class L> void check_loss_threads(const L& loss) {
  using fast = coldzoom::cpu_backend<float>;
  const image_problem<fast> p({40, 3, 9, 8}, coldzoom::draws_of(loss));
  BOOST_TEST((p.part(loss, 0, 40, p.weights(), 0, fast(1)) == p.part(loss, 0, 40, p.weights(), 0, fast(2))));
  using blocks = coldzoom::testing::block_backend<float>;
  const image_problem<blocks> q({4, 3, 9, 8}, coldzoom::draws_of(loss));
  BOOST_TEST(
      (q.part(loss, 0, 4, q.weights(), 0, blocks(1)) == q.part(loss, 0, 4, q.weights(), 0, blocks(2))));
}
