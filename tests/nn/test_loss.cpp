#define BOOST_TEST_MODULE loss
#include <boost/test/unit_test.hpp>
#include <coldzoom/core/range.hpp>
#include <coldzoom/nn/loss.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <tuple>

#include "common/errors.hpp"
#include "common/layer_laws.hpp"

namespace cz = coldzoom;

namespace {

using backends = std::tuple<cz::reference_backend<float>, cz::reference_backend<double>,
                            cz::cpu_backend<float>, cz::cpu_backend<double>,
                            cz::testing::block_backend<float>, cz::testing::block_backend<double>>;
using double_backends =
    std::tuple<cz::reference_backend<double>, cz::cpu_backend<double>, cz::testing::block_backend<double>>;

template <class B>
constexpr bool both_losses = cz::Loss<cz::mean_squared_error, B>&& cz::Loss<cz::softmax_cross_entropy, B>;
static_assert(both_losses<cz::reference_backend<float>> && both_losses<cz::cpu_backend<double>>);
static_assert(!cz::Loss<int, cz::reference_backend<float>>);

/// What one call of a loss makes of the predictions `y`.
struct outcome {
  values per_image, gradient;
  double total = 0;
  friend bool operator==(const outcome&, const outcome&) = default;
};

template <class B, class L, class Target>
outcome evaluate(const L& loss, cz::shape dims, const values& y, Target target, double scale,
                 double padding = 0) {
  using real = cz::real_t<B>;
  B b;
  cz::activation_buffer<B> prediction(b, dims), d(b, dims);
  write(prediction.view(dims.n), y, padding);
  write(d.view(dims.n), y, padding);
  std::vector<real> per_image(static_cast<std::size_t>(dims.n));
  const cz::vector_view<real> places{per_image.data(), dims.n};
  loss(b, prediction.view(dims.n), target, scale, d.view(dims.n), places);

  outcome result;
  result.per_image.assign(per_image.begin(), per_image.end());
  result.gradient = read(d.view(dims.n));
  result.total = b.sum(per_image.data(), dims.n);
  // The padding lanes begin as NaN: were one left or not zero, the sum over all lanes would show it.
  write(d.view(dims.n), values(y.size()), std::numeric_limits<double>::quiet_NaN());
  loss(b, prediction.view(dims.n), target, scale, d.view(dims.n), places);
  double rest = 0;
  for (index_t i = 0; i < d.view(dims.n).size(); ++i)
    rest += std::abs(static_cast<double>(d.view(dims.n).data[i]));
  double whole = 0;
  for (const double g : result.gradient) whole += std::abs(g);
  BOOST_TEST(std::abs(rest - whole) <= 1e-12 * whole, "padding lanes of the gradient are not zero");

  loss(b, prediction.view(dims.n), target, scale, cz::activation<B>{}, places);
  for (std::size_t n = 0; n < per_image.size(); ++n) {
    const double again = static_cast<double>(per_image[n]), first = result.per_image[n];
    BOOST_TEST((again == first || (std::isnan(again) && std::isnan(first))),
               "the loss depends on whether its gradient is wanted");
  }
  return result;
}

template <class Real> std::vector<Real> typed(const values& v) { return {v.begin(), v.end()}; }

const std::vector<std::int32_t> labels{2, 0, 4, 4, 1};
const cz::shape scores{5, 5, 1, 1};

cz::vector_view<const std::int32_t> all_labels() { return {labels.data(), 5}; }

}  // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(squared_error_gradient, B, double_backends) {
  const cz::shape dims{3, 5, 4, 2};
  values y = random_values(dims.size(), 1);
  const values target = random_values(dims.size(), 2);
  const cz::mean_squared_error mse;
  const cz::const_tensor<B> view(target.data(), dims);
  const double scale = mse.scale(dims);
  const values numeric = finite_differences(y, [&] { return evaluate<B>(mse, dims, y, view, scale).total; });
  const double off = relative_error(evaluate<B>(mse, dims, y, view, scale).gradient, numeric);
  BOOST_TEST(off < 1e-7, "off by " << off);
  BOOST_TEST_MESSAGE("worst gradient error " << off);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(squared_error_values, B, backends) {
  using real = cz::real_t<B>;
  const std::vector<real> target{0, 0, 1, 1, 2, 2, 3, 3};
  const cz::shape dims{2, 2, 1, 2};
  const values y{1, 2, 1, 3, 2, 2, 3, 5};
  const cz::mean_squared_error mse;
  const outcome result = evaluate<B>(mse, dims, y, cz::const_tensor<B>(target.data(), dims), mse.scale(dims));
  BOOST_TEST(result.per_image == (values{9.0 / 8, 4.0 / 8}));
  BOOST_TEST(result.total == 13.0 / 8);
  BOOST_TEST(result.gradient == (values{0.25, 0.5, 0, 0.5, 0, 0, 0, 0.5}));

  // The same pictures with the channels last.
  const std::vector<real> last{0, 1, 0, 1, 2, 3, 2, 3};
  BOOST_TEST((evaluate<B>(mse, dims, y, cz::const_tensor<B>(last.data(), dims, 4, 1, 4, 2),
                          mse.scale(dims)) == result));
  // A batch that knows its value range is a tensor too.
  BOOST_TEST((evaluate<B>(mse, dims, y,
                          cz::image_batch<cz::centred, const real>(cz::const_tensor<B>(target.data(), dims)),
                          mse.scale(dims)) == result));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(squared_error_of_micro_batches, B, backends) {
  const cz::shape dims{5, 3, 4, 4};
  const values y = random_values(dims.size(), 1);
  const auto target = typed<cz::real_t<B>>(random_values(dims.size(), 2));
  const cz::const_tensor<B> view(target.data(), dims);
  const cz::mean_squared_error mse;
  const outcome whole = evaluate<B>(mse, dims, y, view, mse.scale(dims));
  BOOST_TEST((evaluate<B>(mse, dims, y, view, mse.scale(dims), 1e30) == whole));
  outcome parts;
  for (index_t first = 0; first < 5; first += 2) {
    const index_t count = std::min<index_t>(2, 5 - first);
    const values some(y.begin() + first * dims.image(), y.begin() + (first + count) * dims.image());
    const outcome part =
        evaluate<B>(mse, dims.with_n(count), some, view.images(first, count), mse.scale(dims));
    parts.per_image.insert(parts.per_image.end(), part.per_image.begin(), part.per_image.end());
    parts.gradient.insert(parts.gradient.end(), part.gradient.begin(), part.gradient.end());
  }
  BOOST_TEST(parts.per_image == whole.per_image);
  BOOST_TEST(parts.gradient == whole.gradient);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cross_entropy_gradient, B, double_backends) {
  values y = random_values(scores.size(), 1);
  const cz::softmax_cross_entropy loss;
  const double scale = loss.scale(scores);
  const values numeric =
      finite_differences(y, [&] { return evaluate<B>(loss, scores, y, all_labels(), scale).total; });
  const double off = relative_error(evaluate<B>(loss, scores, y, all_labels(), scale).gradient, numeric);
  BOOST_TEST(off < 1e-7, "off by " << off);
  BOOST_TEST_MESSAGE("worst gradient error " << off);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cross_entropy_values, B, backends) {
  const double tolerance = 8 * static_cast<double>(std::numeric_limits<cz::real_t<B>>::epsilon());
  const cz::softmax_cross_entropy loss;
  const double scale = loss.scale(scores);
  BOOST_TEST(scale == 0.2);
  // Equal scores: every class has probability 1/5, so each image loses log 5, weighted by 1/5.
  const outcome even = evaluate<B>(loss, scores, values(25, 3.0), all_labels(), scale);
  for (std::size_t n = 0; n < 5; ++n) {
    BOOST_TEST(std::abs(even.per_image[n] - 0.2 * std::log(5.0)) < tolerance);
    for (std::size_t c = 0; c < 5; ++c) {
      const double hot = static_cast<std::int32_t>(c) == labels[n] ? 1 : 0;
      BOOST_TEST(std::abs(even.gradient[5 * n + c] - 0.2 * (0.2 - hot)) < tolerance);
    }
  }
  const values y = random_values(scores.size(), 1);
  const outcome plain = evaluate<B>(loss, scores, y, all_labels(), scale);
  BOOST_TEST((evaluate<B>(loss, scores, y, all_labels(), scale, 1e30) == plain), "padding has influence");
  const outcome one =
      evaluate<B>(loss, {1, 5, 1, 1}, {y.begin() + 5, y.begin() + 10}, all_labels().slice(1, 1), scale);
  BOOST_TEST(one.per_image[0] == plain.per_image[1]);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cross_entropy_of_extreme_scores, B, backends) {
  const cz::softmax_cross_entropy loss;
  const cz::shape dims{2, 3, 1, 1};
  const std::vector<std::int32_t> label{0, 1};
  const cz::vector_view<const std::int32_t> view{label.data(), 2};
  const outcome result = evaluate<B>(loss, dims, {1e4, 0, -1e4, 1e4, 0, -1e4}, view, 1);
  BOOST_TEST(result.per_image == (values{0, 1e4}));
  BOOST_TEST(result.gradient == (values{0, 0, 0, 1, -1, 0}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(labels_that_are_no_class, B, backends) {
  const std::vector<std::int32_t> label{-1, 3, 2};
  const outcome result = evaluate<B>(cz::softmax_cross_entropy(), {3, 3, 1, 1}, values(9, 1.0),
                                     cz::vector_view<const std::int32_t>{label.data(), 3}, 1.0);
  BOOST_TEST((std::isnan(result.per_image[0]) && std::isnan(result.per_image[1])));
  BOOST_TEST(std::isfinite(result.per_image[2]));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(right_answers, B, backends) {
  using real = cz::real_t<B>;
  B b;
  cz::activation_buffer<B> prediction(b, scores);
  write(prediction.view(5),
        {
            0,  0,  9,  1,  2,   // 2
            -3, -4, -5, -6, -7,  // 0
            1,  2,  3,  5,  4,   // 3
            0,  0,  0,  0,  1,   // 4
            0,  7,  0,  7,  7,   // 1, the first of three
        },
        1e30);
  std::vector<real> correct(5);
  cz::mark_correct(b, prediction.view(5), all_labels(), {correct.data(), 5});
  BOOST_TEST(correct == (std::vector<real>{1, 1, 0, 1, 1}));
  BOOST_TEST(b.sum(correct.data(), 5) == 4);
}

BOOST_AUTO_TEST_CASE(arguments_that_do_not_fit) {
  using backend = cz::reference_backend<float>;
  backend b;
  cz::activation_buffer<backend> y(b, {2, 3, 1, 1}), picture(b, {2, 3, 2, 1});
  const float target[6]{};
  float per_image[2];
  const std::int32_t label[2]{};
  const auto squared = [&](cz::shape wanted, cz::activation<backend> d, index_t places) {
    return message_of([&] {
      cz::mean_squared_error()(b, y.view(2), cz::const_tensor<backend>(target, wanted), 1.0, d,
                               {per_image, places});
    });
  };
  BOOST_TEST(squared({2, 3, 1, 2}, y.view(2), 2) ==
             "mean_squared_error: the target is 2 x 3 x 1 x 2, the prediction 2 x 3 x 1 x 1");
  BOOST_TEST(squared({2, 3, 1, 1}, y.view(1), 2) ==
             "mean_squared_error: the gradient is 1 x 3 x 1 x 1, the prediction 2 x 3 x 1 x 1");
  BOOST_TEST(squared({2, 3, 1, 1}, {}, 1) ==
             "mean_squared_error: there are 1 places for losses for 2 images");
  const auto entropy = [&](cz::activation<backend> prediction, index_t count) {
    return message_of([&] {
      cz::softmax_cross_entropy()(b, prediction, {label, count}, 1.0, cz::activation<backend>{},
                                  {per_image, 2});
    });
  };
  BOOST_TEST(entropy(picture.view(2), 2) ==
             "softmax_cross_entropy: the prediction is 2 x 3 x 2 x 1, wanted N x classes x 1 x 1");
  BOOST_TEST(entropy(y.view(2), 1) == "softmax_cross_entropy: there are 1 labels for 2 images");
  BOOST_TEST(message_of([&] {
               cz::mark_correct(b, y.view(2), {label, 2}, {per_image, 1});
             }) == "mark_correct: there are 1 places for results for 2 images");
}
