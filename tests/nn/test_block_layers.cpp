// The paths that layers take on a device, on the host: finite differences, the generic versions, and the same
// bits whatever the order of the threads.
#define BOOST_TEST_MODULE block_layers
#include <array>
#include <boost/test/unit_test.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/testing/block_backend.hpp>

#include "common/every_layer.hpp"
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

BOOST_AUTO_TEST_CASE(convolutions) {
  check_all(cz::conv2d::same(3, 5, 3), {3, 3, 6, 5});
  check_all(cz::conv2d::same(1, 9, 7), {2, 1, 8, 8});
  check_all(cz::conv2d::same(9, 1, 3), {2, 9, 4, 4});
  check_all(cz::conv2d{2, 3, 1, 5, 0, 2, 1, 1}, {2, 2, 4, 6});   // rectangular
  check_all(cz::conv2d{3, 4, 4, 2, 1, 0, 1, 1}, {2, 3, 6, 5});   // even
  check_all(cz::conv2d{3, 10, 3, 3, 1, 1, 2, 2}, {2, 3, 7, 6});  // stride 2; the last column is not met
  check_all(cz::conv2d{2, 2, 2, 3, 3, 1, 3, 1}, {2, 2, 5, 4});   // more padding than kernel
  check_all(cz::conv2d{7, 3, 1, 1, 0, 0, 1, 1}, {2, 7, 3, 3});
}

BOOST_AUTO_TEST_CASE(convolutions_of_many_tiles) {
  check_values(cz::conv2d::same(16, 32, 7), {2, 16, 28, 28});  // as in the reconstructor
  check_values(cz::conv2d::same(1, 16, 7), {2, 1, 28, 28});
  check_values(cz::conv2d::same(16, 1, 3), {2, 16, 28, 28});
  check_values(cz::conv2d::same(3, 3, 3), {1, 3, 45, 75});   // tiles beside each other
  check_values(cz::conv2d::same(4, 70, 3), {3, 4, 9, 9});    // groups of outputs
  check_values(cz::conv2d::same(2, 33, 9), {2, 2, 11, 10});  // more taps than a block takes at once
}

BOOST_AUTO_TEST_CASE(kernels_too_large_for_a_block) {
  // 783 taps of 16 outputs and one input each take 68 bytes a tap: more than the 48 KiB of a block.
  check_values(cz::conv2d{1, 9, 29, 27, 14, 13, 1, 1}, {1, 1, 30, 28});  // forward
  check_values(cz::conv2d{9, 1, 29, 27, 14, 13, 1, 1}, {1, 9, 30, 28});  // data gradient
  check_values(cz::conv2d{1, 1, 57, 56, 28, 28, 1, 1}, {1, 1, 8, 9});    // weights too
}

BOOST_AUTO_TEST_CASE(convolutions_of_random_shapes) {
  for (std::uint64_t i = 0; i < 40; ++i) {
    const auto draw = [&](std::uint64_t what, index_t low, index_t high) {
      return low + cz::random_below({9, cz::stream::user, i}, what, high - low + 1);
    };
    const cz::conv2d layer{draw(0, 1, 11), draw(1, 1, 21), draw(2, 1, 5), draw(3, 1, 5),
                           draw(4, 0, 4),  draw(5, 0, 4),  draw(6, 1, 3), draw(7, 1, 3)};
    check_values(layer, {draw(8, 1, 4), layer.in_channels, draw(9, 5, 19), draw(10, 5, 40)});
  }
}

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

namespace {

/// Norms of single planes between convolutions: they run in the sweeps between spectra. `points`: of the
/// tiles that each convolution should work on, 0 for a direct one.
struct spectral_stack {
  using network = cz::conv_stack<cz::layer_norm_pixels, cz::gelu, cz::time_condition>;

  static network make(index_t side, std::array<index_t, 4> channels, std::array<index_t, 3> kernels) {
    const cz::layer_norm_pixels norm(side, side);
    return network({{cz::conv2d::same(channels[0], channels[1], kernels[0]), norm,
                     cz::time_condition(channels[1], 4, 5)},
                    {cz::conv2d::same(channels[1], channels[2], kernels[1]), norm}},
                   cz::conv2d::same(channels[2], channels[3], kernels[2]));
  }
  static void check_points(const network& stack, cz::shape in, std::array<int, 3> points) {
    device<float> b;
    auto ws = stack.make_workspace(b, in, cz::pass::train);
    for (std::size_t i = 0; i < 3; ++i) {
      BOOST_TEST(ws.op(i).input().points == points[i]);
      if (i > 0) BOOST_TEST(bool(ws.input_of_next(i - 1)) == (points[i] > 0));
      if (i > 0) BOOST_TEST(bool(ws.gradient_of_previous(i)) == (points[i] > 0));
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(spectra_are_handed_on) {
  const auto check = [](index_t side, std::array<index_t, 4> channels, std::array<index_t, 3> kernels,
                        std::array<int, 3> points) {
    const auto stack = spectral_stack::make(side, channels, kernels);
    const cz::shape in{3, channels[0], side, side};
    spectral_stack::check_points(stack, in, points);
    check_values(stack, in);
    // In double, where rounding hides nothing.
    using network = spectral_stack::network;
    const passes found = layer_probe<device<double>, network>(device<double>(1), stack, in).run();
    const passes wanted =
        layer_probe<cz::reference_backend<double>, network>(cz::reference_backend<double>(), stack, in).run();
    BOOST_TEST(relative_error(found.y, wanted.y) < 1e-12);
    BOOST_TEST(relative_error(found.dx, wanted.dx) < 1e-12);
    BOOST_TEST(relative_error(found.gradients, wanted.gradients) < 1e-12);
  };
  check(6, {16, 16, 16, 16}, {5, 5, 5}, {8, 8, 8});
  check(6, {1, 19, 21, 1}, {5, 5, 3}, {0, 8, 0});  // between direct ones
  check(13, {20, 33, 17, 20}, {5, 7, 5}, {16, 16, 16});
  check(14, {32, 32, 32, 32}, {5, 7, 5}, {16, 32, 16});  // tiles of other sizes
  check(28, {1, 16, 32, 16}, {7, 7, 7}, {0, 32, 32});    // as in the reconstructor
  check(30, {16, 16, 16, 16}, {7, 7, 7}, {0, 0, 0});     // more than a tile
}

BOOST_AUTO_TEST_CASE(networks_of_every_layer) {
  check_values(small_u_net(), every_layer_image);
  check_values(small_patch_network(), every_layer_image);
  check_values(small_classifier(), every_layer_image);
}

BOOST_AUTO_TEST_CASE(reconstructor) {
  const cz::shape in{5, 1, 13, 12};
  // Short times: the highest frequency is 1834, and the rounding of a large angle is no fault of a backend.
  const values times{0, 0x1p-14, 0x1p-13, 0x1p-12, 0x1p-11};
  check_values(cz::reconstructor(in, {16, 20, 7}, 5), in, times);
  const cz::shape original{2, 1, 28, 28};
  check_values(cz::reconstructor::original(original), original, {times[1], times[4]});
}
