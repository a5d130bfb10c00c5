#define BOOST_TEST_MODULE loss
#include <boost/test/unit_test.hpp>
#include <coldzoom/core/range.hpp>
#include <coldzoom/nn/cross_entropy.hpp>
#include <coldzoom/nn/pixel_losses.hpp>

#include "common/errors.hpp"
#include "common/loss_laws.hpp"

namespace cz = coldzoom;

namespace {

using loops_in_float = std::tuple<cz::reference_backend<float>, cz::cpu_backend<float>>;

const std::vector<std::int32_t> labels{2, 0, 4, 4, 1};
const cz::shape scores{5, 5, 1, 1};

cz::vector_view<const std::int32_t> all_labels() { return {labels.data(), 5}; }

}  // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(gradients, B, double_backends) {
  check_loss_gradient<B>(cz::mean_squared_error());
  check_loss_gradient<B>(cz::mean_absolute_error());
  check_loss_gradient<B>(cz::huber{0.5});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(independence, B, all_backends) {
  check_loss_independence<B>(cz::mean_squared_error());
  check_loss_independence<B>(cz::mean_absolute_error());
  check_loss_independence<B>(cz::huber{0.5});
}

BOOST_AUTO_TEST_CASE(threads) {
  check_loss_threads(cz::mean_squared_error());
  check_loss_threads(cz::mean_absolute_error());
  check_loss_threads(cz::huber{0.5});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(squared_error_values, B, all_backends) {
  using real = cz::real_t<B>;
  const std::vector<real> target{0, 0, 1, 1, 2, 2, 3, 3};
  const cz::shape dims{2, 2, 1, 2};
  const values y{1, 2, 1, 3, 2, 2, 3, 5};
  const cz::mean_squared_error mse;
  const auto against = [&](auto targets) {
    return evaluate<B>(mse, dims, 2, y, targets, {}, mse.scale(dims));
  };
  const outcome result = against(cz::const_tensor<B>(target.data(), dims));
  BOOST_TEST(result.per_image == (values{9.0 / 8, 4.0 / 8}));
  BOOST_TEST(result.total == 13.0 / 8);
  BOOST_TEST(result.gradient == (values{0.25, 0.5, 0, 0.5, 0, 0, 0, 0.5}));

  // The same pictures with the channels last.
  const std::vector<real> last{0, 1, 0, 1, 2, 3, 2, 3};
  BOOST_TEST((against(cz::const_tensor<B>(last.data(), dims, 4, 1, 4, 2)) == result));
  // A batch that knows its value range is a tensor too.
  BOOST_TEST((against(cz::image_batch<cz::centred, const real>(cz::const_tensor<B>(target.data(), dims))) ==
              result));
}

// The squares of floats are exact in double, so that a plain loop has the bits of the library.
BOOST_AUTO_TEST_CASE_TEMPLATE(bits_of_the_squared_error, B, loops_in_float) {
  const image_problem<B> p({3, 1, 7, 5}, 1);
  const cz::mean_squared_error mse;
  const outcome found = p.whole(mse, {});
  const double scale = 1.0 / 105;
  for (std::size_t n = 0; n < 3; ++n) {
    double total = 0;
    for (std::size_t i = 35 * n; i < 35 * (n + 1); ++i) {
      const float difference = static_cast<float>(p.y[i]) - p.target[i];
      total += static_cast<double>(difference) * static_cast<double>(difference);
      BOOST_TEST(static_cast<float>(found.gradient[i]) == static_cast<float>(2 * scale) * difference);
    }
    BOOST_TEST(static_cast<float>(found.per_image[n]) == static_cast<float>(scale * total));
  }
}

// The formulas of PyTorch's L1Loss and HuberLoss, reduction "mean", written out; with weights.
BOOST_AUTO_TEST_CASE_TEMPLATE(absolute_error_and_huber_values, B, all_backends) {
  using real = cz::real_t<B>;
  const image_problem<B> p({3, 2, 4, 3}, 1);
  const double delta = 0.75, unit = static_cast<double>(std::numeric_limits<real>::epsilon());
  const auto check = [&](const auto& loss, auto value, auto slope) {
    const outcome found = p.whole(loss, p.weights());
    for (std::size_t n = 0; n < 3; ++n) {
      double total = 0;
      for (std::size_t i = 24 * n; i < 24 * (n + 1); ++i) {
        const double d = p.y[i] - static_cast<double>(p.target[i]);
        const double weight = static_cast<double>(p.image[n]) * static_cast<double>(p.pixel[i]) / 72;
        total += weight * value(d);
        // Roundings of the difference, which is below 8, and of three products.
        BOOST_TEST(std::abs(found.gradient[i] - weight * slope(d)) <= 8 * unit * weight);
      }
      BOOST_TEST(std::abs(found.per_image[n] - total) <= 8 * unit * total);
    }
  };
  check(
      cz::mean_absolute_error(), [](double d) { return std::abs(d); },
      [](double d) { return d > 0 ? 1.0 : -1.0; });
  check(
      cz::huber{delta},
      [&](double d) { return std::abs(d) <= delta ? 0.5 * d * d : delta * (std::abs(d) - 0.5 * delta); },
      [&](double d) { return std::abs(d) <= delta ? d : std::copysign(delta, d); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(no_difference, B, all_backends) {
  const std::vector<cz::real_t<B>> zeros(6);
  const cz::shape dims{1, 3, 2, 1};
  const cz::const_tensor<B> target(zeros.data(), dims);
  const outcome nothing{{0}, values(6), 0};
  BOOST_TEST((evaluate<B>(cz::mean_absolute_error(), dims, 1, values(6), target, {}, 1.0) == nothing));
  BOOST_TEST((evaluate<B>(cz::huber(), dims, 1, values(6), target, {}, 1.0) == nothing));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cross_entropy_gradient, B, double_backends) {
  values y = random_values(scores.size(), 1);
  const std::vector<cz::real_t<B>> image{1, 0.5, 2, 0, 1};
  const cz::loss_weights<B> weights{{image.data(), 5}, {}};
  const cz::softmax_cross_entropy loss;
  const double scale = loss.scale(scores);
  const values numeric = finite_differences(
      y, [&] { return evaluate<B>(loss, scores, 5, y, all_labels(), weights, scale).total; });
  const double off =
      relative_error(evaluate<B>(loss, scores, 5, y, all_labels(), weights, scale).gradient, numeric);
  BOOST_TEST(off < 1e-7, "off by " << off);
  BOOST_TEST_MESSAGE("worst gradient error " << off);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cross_entropy_values, B, all_backends) {
  const double tolerance = 8 * static_cast<double>(std::numeric_limits<cz::real_t<B>>::epsilon());
  const cz::softmax_cross_entropy loss;
  const double scale = loss.scale(scores);
  BOOST_TEST(scale == 0.2);
  // Equal scores: every class has probability 1/5, so each image loses log 5, weighted by 1/5.
  const outcome even = evaluate<B>(loss, scores, 5, values(25, 3.0), all_labels(), {}, scale);
  for (std::size_t n = 0; n < 5; ++n) {
    BOOST_TEST(std::abs(even.per_image[n] - 0.2 * std::log(5.0)) < tolerance);
    for (std::size_t c = 0; c < 5; ++c) {
      const double hot = static_cast<std::int32_t>(c) == labels[n] ? 1 : 0;
      BOOST_TEST(std::abs(even.gradient[5 * n + c] - 0.2 * (0.2 - hot)) < tolerance);
    }
  }
  const values y = random_values(scores.size(), 1);
  const outcome plain = evaluate<B>(loss, scores, 5, y, all_labels(), {}, scale);
  BOOST_TEST((evaluate<B>(loss, scores, 5, y, all_labels(), {}, scale, 1e30) == plain),
             "padding has influence");
  const outcome one = evaluate<B>(loss, {1, 5, 1, 1}, 1, {y.begin() + 5, y.begin() + 10},
                                  all_labels().slice(1, 1), {}, scale);
  BOOST_TEST(one.per_image[0] == plain.per_image[1]);

  const std::vector<cz::real_t<B>> ones(5, 1), weights{1, 0.5, 2, 0, 1};
  BOOST_TEST((evaluate<B>(loss, scores, 5, y, all_labels(), {{ones.data(), 5}, {}}, scale) == plain));
  const outcome weighted = evaluate<B>(loss, scores, 5, y, all_labels(), {{weights.data(), 5}, {}}, scale);
  for (std::size_t i = 0; i < 25; ++i) {  // powers of two are exact
    const double factor = static_cast<double>(weights[i / 5]);
    BOOST_TEST(weighted.gradient[i] == factor * plain.gradient[i]);
    BOOST_TEST(weighted.per_image[i / 5] == factor * plain.per_image[i / 5]);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cross_entropy_of_extreme_scores, B, all_backends) {
  const cz::softmax_cross_entropy loss;
  const cz::shape dims{2, 3, 1, 1};
  const std::vector<std::int32_t> label{0, 1};
  const cz::vector_view<const std::int32_t> view{label.data(), 2};
  const outcome result = evaluate<B>(loss, dims, 2, {1e4, 0, -1e4, 1e4, 0, -1e4}, view, {}, 1);
  BOOST_TEST(result.per_image == (values{0, 1e4}));
  BOOST_TEST(result.gradient == (values{0, 0, 0, 1, -1, 0}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(labels_that_are_no_class, B, all_backends) {
  const std::vector<std::int32_t> label{-1, 3, 2};
  const outcome result = evaluate<B>(cz::softmax_cross_entropy(), {3, 3, 1, 1}, 3, values(9, 1.0),
                                     cz::vector_view<const std::int32_t>{label.data(), 3}, {}, 1.0);
  BOOST_TEST((std::isnan(result.per_image[0]) && std::isnan(result.per_image[1])));
  BOOST_TEST(std::isfinite(result.per_image[2]));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(right_answers, B, all_backends) {
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

BOOST_AUTO_TEST_CASE(parts_of_weights) {
  using backend = cz::reference_backend<float>;
  const std::vector<float> image{1, 2, 3}, pixel(12);
  const cz::loss_weights<backend> all{{image.data(), 3},
                                      cz::const_tensor<backend>(pixel.data(), {3, 1, 2, 2})};
  const cz::loss_weights<backend> part = all.images(1, 2);
  BOOST_TEST((part.image.data == image.data() + 1 && part.image.size == 2));
  BOOST_TEST((part.pixel.data == pixel.data() + 4 && part.pixel.dims == cz::shape{2, 1, 2, 2}));
  const cz::loss_weights<backend> none = cz::loss_weights<backend>().images(1, 2);
  BOOST_TEST((!none.image.data && !none.pixel.data));
}

BOOST_AUTO_TEST_CASE(arguments_that_do_not_fit) {
  using backend = cz::reference_backend<float>;
  backend b;
  cz::activation_buffer<backend> y(b, {2, 3, 1, 1}), picture(b, {2, 3, 2, 1});
  const float target[6]{};
  float per_image[2];
  const std::int32_t label[2]{};
  const auto squared = [&](cz::shape wanted, cz::activation<backend> d, index_t places,
                           cz::loss_weights<backend> weights = {}) {
    return message_of([&] {
      cz::mean_squared_error()(b, y.view(2), cz::const_tensor<backend>(target, wanted), weights, 1.0, d,
                               {per_image, places});
    });
  };
  const cz::shape dims{2, 3, 1, 1};
  BOOST_TEST(squared({2, 3, 1, 2}, y.view(2), 2) ==
             "mean_squared_error: the target is 2 x 3 x 1 x 2, the prediction 2 x 3 x 1 x 1");
  BOOST_TEST(squared(dims, y.view(1), 2) ==
             "mean_squared_error: the gradient is 1 x 3 x 1 x 1, the prediction 2 x 3 x 1 x 1");
  BOOST_TEST(squared(dims, {}, 1) == "mean_squared_error: there are 1 places for losses for 2 images");
  BOOST_TEST(squared(dims, {}, 2, {{target, 1}, {}}) ==
             "mean_squared_error: there are 1 weights for 2 images");
  BOOST_TEST(squared(dims, {}, 2, {{}, cz::const_tensor<backend>(target, {1, 3, 1, 1})}) ==
             "mean_squared_error: the weights are 1 x 3 x 1 x 1, the target 2 x 3 x 1 x 1");
  const auto entropy = [&](cz::activation<backend> prediction, index_t count,
                           cz::loss_weights<backend> weights = {}) {
    return message_of([&] {
      cz::softmax_cross_entropy()(b, prediction, {label, count}, weights, 1.0, cz::activation<backend>{},
                                  {per_image, 2});
    });
  };
  BOOST_TEST(entropy(picture.view(2), 2) ==
             "softmax_cross_entropy: the prediction is 2 x 3 x 2 x 1, wanted N x classes x 1 x 1");
  BOOST_TEST(entropy(y.view(2), 1) == "softmax_cross_entropy: there are 1 labels for 2 images");
  BOOST_TEST(entropy(y.view(2), 2, {{target, 3}, {}}) ==
             "softmax_cross_entropy: there are 3 weights for 2 images");
  BOOST_TEST(entropy(y.view(2), 2, {{}, cz::const_tensor<backend>(target, dims)}) ==
             "softmax_cross_entropy: there are weights of pixels; labels take weights of images alone");
  BOOST_TEST(message_of([&] {
               cz::mark_correct(b, y.view(2), {label, 2}, {per_image, 1});
             }) == "mark_correct: there are 1 places for results for 2 images");
}
