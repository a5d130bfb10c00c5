#define BOOST_TEST_MODULE layers
#include <boost/test/unit_test.hpp>
#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/linear.hpp>
#include <coldzoom/nn/normalisation.hpp>
#include <coldzoom/nn/pooling.hpp>
#include <coldzoom/nn/upsample.hpp>

#include "common/errors.hpp"
#include "common/layer_laws.hpp"

namespace cz = coldzoom;

namespace {

/// y of one layer on the plain backend, for inputs given in full.
template <class L>
values apply(const L& layer, cz::shape in, const values& x, const values& parameters = {}) {
  layer_probe<cz::reference_backend<double>, L> probe({}, layer, in);
  probe.input = x;
  if (!parameters.empty()) probe.parameters = parameters;
  return probe.forward(in.n);
}

}  // namespace

// Channel counts below lie under, at and above the lanes of every instruction set.

BOOST_AUTO_TEST_CASE(conv2d_same) {
  check_layer(cz::conv2d::same(3, 5, 3), {3, 3, 6, 5});
  check_layer(cz::conv2d::same(1, 9, 7), {2, 1, 8, 8});
  check_layer(cz::conv2d::same(16, 1, 3), {2, 16, 4, 4});
}

BOOST_AUTO_TEST_CASE(conv2d_of_any_shape) {
  check_layer(cz::conv2d{2, 3, 1, 5, 0, 2, 1, 1}, {2, 2, 4, 6});   // rectangular
  check_layer(cz::conv2d{3, 4, 4, 2, 1, 0, 1, 1}, {2, 3, 6, 5});   // even
  check_layer(cz::conv2d{3, 10, 3, 3, 1, 1, 2, 2}, {2, 3, 7, 6});  // stride 2; the last column is not met
  check_layer(cz::conv2d{2, 2, 2, 3, 3, 1, 3, 1}, {2, 2, 5, 4});   // more padding than kernel
  check_layer(cz::conv2d{17, 3, 1, 1, 0, 0, 1, 1}, {2, 17, 3, 3});
}

BOOST_AUTO_TEST_CASE(conv2d_values) {
  // One 2 x 2 kernel [1 2; 3 4] and bias 10 over the picture [1 2 3; 4 5 6].
  const values y = apply(cz::conv2d{1, 1, 2, 2}, {1, 1, 2, 3}, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 10});
  BOOST_TEST(y == (values{10 + 1 + 4 + 12 + 20, 10 + 2 + 6 + 15 + 24}));
}

BOOST_AUTO_TEST_CASE(linear_layer) {
  check_layer(cz::linear{3, 5}, {4, 3, 1, 1});
  check_layer(cz::linear{17, 19}, {5, 17, 1, 1});
  check_layer(cz::linear{16, 32}, {3, 16, 1, 1});
  const values y = apply(cz::linear{2, 2}, {1, 2, 1, 1}, {1, 2}, {1, 2, 3, 4, 10, 20});
  BOOST_TEST(y == (values{15, 31}));
}

BOOST_AUTO_TEST_CASE(normalisations) {
  check_layer(cz::layer_norm_pixels(4, 3), {3, 5, 4, 3});
  check_layer(cz::layer_norm_pixels(3, 3), {2, 16, 3, 3});
  check_layer(cz::layer_norm_image(5, 4, 3), {3, 5, 4, 3});
  check_layer(cz::layer_norm_image(16, 2, 2), {2, 16, 2, 2});
  check_layer(cz::group_norm(3, 9), {3, 9, 3, 2});  // groups that straddle vectors
  check_layer(cz::group_norm(1, 5), {2, 5, 3, 3});
  check_layer(cz::group_norm(5, 5), {2, 5, 3, 3});
}

BOOST_AUTO_TEST_CASE(normalisation_values) {
  // Mean 2 and variance 1 in the first channel, 5 and 4 in the second.
  const double eps = 1e-5f, a = 1 / std::sqrt(1 + eps), b = 2 / std::sqrt(4 + eps);
  const values y = apply(cz::layer_norm_pixels(1, 2), {1, 2, 1, 2}, {1, 3, 3, 7}, {1, 2, 10, 20});
  const values wanted{10 - a, 20 + 2 * a, 10 - b, 20 + 2 * b};
  BOOST_TEST(relative_error(y, wanted) < 1e-12);
}

BOOST_AUTO_TEST_CASE(activation_functions) {
  check_layer(cz::gelu{}, {3, 5, 4, 3});
  check_layer(cz::silu{}, {3, 5, 4, 3});
  // z Phi(z) and z / (1 + exp(-z)) from tables of Phi and exp.
  const values x{0, 1, -1, 3};
  BOOST_TEST(relative_error(apply(cz::gelu{}, {1, 4, 1, 1}, x),
                            {0, 0.8413447460685429, -0.1586552539314571, 2.99595030590511}) < 1e-14);
  BOOST_TEST(relative_error(apply(cz::silu{}, {1, 4, 1, 1}, x),
                            {0, 0.7310585786300049, -0.2689414213699951, 2.8577223804673}) < 1e-14);
}

BOOST_AUTO_TEST_CASE(pooling) {
  check_layer(cz::average_pool(2), {3, 5, 4, 6});
  check_layer(cz::average_pool(3, 1), {2, 16, 6, 2});
  check_layer(cz::average_pool(4, 5), {2, 3, 4, 5});  // the whole picture
  check_layer(cz::max_pool(2), {3, 5, 4, 6});
  check_layer(cz::max_pool(1, 3), {2, 16, 2, 6});
  const values x{1, 2, 8, 3, 4, -5, 6, 7};  // 2 x 4
  BOOST_TEST(apply(cz::average_pool(2), {1, 1, 2, 4}, x) == (values{0.5, 6}));
  BOOST_TEST(apply(cz::max_pool(2), {1, 1, 2, 4}, x) == (values{4, 8}));
}

BOOST_AUTO_TEST_CASE(max_pool_gives_ties_to_the_first) {
  layer_probe<cz::reference_backend<double>, cz::max_pool> probe({}, cz::max_pool(2), {1, 1, 2, 2});
  probe.input = {1, 7, 7, 7};
  probe.objective = {3};
  BOOST_TEST(probe.run().dx == (values{0, 3, 0, 0}));
}

BOOST_AUTO_TEST_CASE(upsampling) {
  check_layer(cz::upsample_nearest(2), {3, 5, 2, 3});
  check_layer(cz::upsample_nearest(3), {2, 16, 2, 1});
  BOOST_TEST(apply(cz::upsample_nearest(2), {1, 1, 1, 2}, {1, 2}) == (values{1, 1, 2, 2, 1, 1, 2, 2}));
}

BOOST_AUTO_TEST_CASE(inputs_that_do_not_fit) {
  const auto message = [](const auto& layer, cz::shape in) {
    return message_of([&] { layer.output_shape(in); });
  };
  BOOST_TEST(message(cz::conv2d::same(3, 4, 3), {1, 2, 8, 8}) ==
             "conv2d: the input has 2 channels, the weights want 3");
  BOOST_TEST(message(cz::conv2d{1, 1, 7, 7, 1, 1}, {1, 1, 4, 9}) ==
             "conv2d: the kernel 7 x 7 is larger than the padded input 1 x 1 x 4 x 9");
  BOOST_TEST(message(cz::conv2d{1, 1, 3, 3, 0, 0, 0, 1}, {1, 1, 4, 4}) ==
             "conv2d: kernel and stride must be at least 1, padding at least 0");
  BOOST_TEST(message(cz::linear{4, 2}, {1, 4, 2, 1}) ==
             "linear: the input is 1 x 4 x 2 x 1, the weights want N x 4 x 1 x 1");
  BOOST_TEST(message(cz::layer_norm_pixels(4, 4), {1, 1, 4, 5}) ==
             "layer_norm_pixels: the input is 1 x 1 x 4 x 5, the affine is 4 x 4");
  BOOST_TEST(message(cz::layer_norm_image(2, 4, 4), {1, 3, 4, 4}) ==
             "layer_norm_image: the input is 1 x 3 x 4 x 4, the affine is 1 x 2 x 4 x 4");
  BOOST_TEST(message(cz::group_norm(2, 4), {1, 6, 4, 4}) ==
             "group_norm: the input has 6 channels, the affine 4");
  BOOST_TEST(message_of([] { cz::group_norm(3, 4); }) ==
             "group_norm: 4 channels do not divide into 3 groups");
  BOOST_TEST(message(cz::average_pool(2), {1, 1, 4, 5}) ==
             "average_pool: the input 1 x 1 x 4 x 5 does not divide into windows of 2 x 2");
  BOOST_TEST(message(cz::max_pool(3, 1), {1, 1, 4, 5}) ==
             "max_pool: the input 1 x 1 x 4 x 5 does not divide into windows of 3 x 1");
  BOOST_TEST(message_of([] { cz::max_pool(0); }) ==
             "max_pool: the window is 0 x 0; it must be at least 1 x 1");
  BOOST_TEST(message_of([] { cz::upsample_nearest(0); }) ==
             "upsample_nearest: the factor is 0; it must be at least 1");
}
