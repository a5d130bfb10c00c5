// The paths that layers take on a device, on the host: finite differences, the generic versions, and the same
// bits whatever the order of the threads.
#define BOOST_TEST_MODULE block_layers
#include <boost/test/unit_test.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/testing/block_backend.hpp>

#include "common/layer_laws.hpp"

namespace cz = coldzoom;

namespace {

template <class Real> using device = cz::testing::block_backend<Real>;

/// Agreement with the generic versions, and the same bits for every order of threads and for prediction.
/// `time` replaces the random times, unless empty.
template <class L> void check_values(const L& layer, cz::shape in, const values& time = {}) {
  BOOST_TEST_CONTEXT("input " << to_string(in)) {
    const auto on = [&]<class B>(B b, cz::pass mode = cz::pass::train) {
      layer_probe<B, L> probe(b, layer, in, mode);
      if (!time.empty()) probe.time = time;
      return probe;
    };
    const passes found = on(device<float>(1)).run();
    check_agreement(found, on(cz::reference_backend<double>()).run());
    BOOST_TEST((on(device<float>(0)).run() == found && on(device<float>(2)).run() == found),
               "the order of the threads has influence");
    BOOST_TEST((on(device<float>(1), cz::pass::predict).forward(in.n) == found.y),
               "a workspace for prediction gives another y");
  }
}

/// All of it, and finite differences: for small shapes.
template <class L> void check_all(const L& layer, cz::shape in) {
  static_assert(cz::Layer<L, device<float>> && cz::Layer<L, device<double>>);
  cz::parameter_list tensors;
  layer.describe(tensors, "");
  layer_probe<device<double>, L> exact(device<double>(1), layer, in);
  check_gradients(exact, tensors);
  check_independence(exact);
  check_values(layer, in);
}

}  // namespace

BOOST_AUTO_TEST_CASE(normalisations) {
  check_all(cz::layer_norm_pixels(4, 3), {3, 5, 4, 3});
  check_all(cz::layer_norm_image(2, 3, 3), {3, 2, 3, 3});
  check_all(cz::group_norm(2, 6), {2, 6, 3, 2});
  check_all(cz::group_norm(1, 3), {2, 3, 2, 2});
  check_all(cz::group_norm(5, 5), {1, 5, 1, 3});
}

BOOST_AUTO_TEST_CASE(normalisations_of_many_parts) {
  check_values(cz::layer_norm_pixels(7, 9), {5, 53, 7, 9});     // more rows than a block takes, two tiles
  check_values(cz::layer_norm_pixels(28, 28), {3, 2, 28, 28});  // more pixels than threads
  check_values(cz::layer_norm_image(11, 9, 10), {131, 11, 9, 10});
  check_values(cz::group_norm(3, 12), {4, 12, 17, 16});
}

BOOST_AUTO_TEST_CASE(blocks_of_convolution_normalisation_activation) {
  check_all(
      cz::conv_block<cz::layer_norm_pixels, cz::gelu, cz::time_condition>{
          cz::conv2d::same(2, 3, 3), {4, 3}, cz::time_condition(3, 4, 5)},
      {3, 2, 4, 3});
  check_all(cz::conv_block<cz::layer_norm_image, cz::silu>{cz::conv2d::same(2, 3, 3), {3, 3, 3}},
            {2, 2, 3, 3});
  check_all(
      cz::conv_block<cz::group_norm, cz::silu, cz::time_condition>{
          cz::conv2d::same(1, 6, 3), {3, 6}, cz::time_condition(6, 4, 5)},
      {2, 1, 3, 3});
}

BOOST_AUTO_TEST_CASE(reconstructor) {
  const cz::shape in{5, 1, 13, 12};
  // Short times: the highest frequency is 1834, and the rounding of a large angle is no fault of a backend.
  check_values(cz::reconstructor(in, {16, 20, 7}, 5), in, {0, 0x1p-14, 0x1p-13, 0x1p-12, 0x1p-11});
}
