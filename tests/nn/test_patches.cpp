// Patches, and the transposed convolution, which computes with them.
#define BOOST_TEST_MODULE patches
#include <boost/test/unit_test.hpp>
#include <coldzoom/nn/conv_transpose2d.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <coldzoom/testing/block_backend.hpp>

#include "common/errors.hpp"
#include "common/layer_laws.hpp"

namespace cz = coldzoom;
using cz::index_t;
using reference = cz::reference_backend<double>;

BOOST_AUTO_TEST_CASE(laws_of_patches) {
  check_layer(cz::patchify(2), {3, 5, 4, 6});
  check_layer(cz::patchify(3), {2, 2, 3, 6});
  check_layer(cz::unpatchify(2), {3, 20, 2, 3});
  check_layer(cz::unpatchify(3), {2, 18, 1, 2});
  check_layer(cz::unpatchify(1), {2, 3, 1, 2});
}

BOOST_AUTO_TEST_CASE(order_of_channels) {
  // Two channels of 2 x 4: the elements of each square become neighbouring channels, as PyTorch's
  // pixel_unshuffle(torch.arange(16.).view(1, 2, 2, 4), 2) has them.
  layer_probe<reference, cz::patchify> probe({}, cz::patchify(2), {1, 2, 2, 4});
  for (std::size_t i = 0; i < 16; ++i) probe.input[i] = static_cast<double>(i);
  BOOST_TEST(probe.forward(1) == (values{0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15}));
}

BOOST_AUTO_TEST_CASE(there_and_back) {
  const cz::sequence both(cz::patchify(2), cz::unpatchify(2));
  using both_type = std::remove_const_t<decltype(both)>;
  layer_probe<cz::cpu_backend<float>, both_type> probe(cz::cpu_backend<float>(2), both, {2, 19, 6, 4});
  const passes found = probe.run();
  BOOST_TEST((found.y == probe.input));
  BOOST_TEST((found.dx == probe.objective));
}

BOOST_AUTO_TEST_CASE(laws_of_transposed_convolutions) {
  check_layer(cz::conv_transpose2d(3, 2), {2, 3, 3, 4});
  check_layer(cz::conv_transpose2d(2, 5, 2, 2), {2, 2, 3, 2});
  check_layer(cz::conv_transpose2d(1, 2, 7, 3), {1, 1, 2, 3});
  check_layer(cz::conv_transpose2d(2, 1, 3, 1), {2, 2, 3, 3});
}

// It is the input gradient of the convolution with the same weights.
BOOST_AUTO_TEST_CASE(a_transposed_convolution_is_an_input_gradient) {
  for (const auto& [kernel, stride] :
       {std::pair<index_t, index_t>(4, 2), {2, 2}, {6, 2}, {5, 3}, {3, 3}, {1, 1}}) {
    BOOST_TEST_CONTEXT("kernel " << kernel << ", stride " << stride) {
      const index_t in = 3, out = 2, pad = (kernel - stride) / 2;
      const cz::shape small{2, in, 3, 4}, large{2, out, 3 * stride, 4 * stride};
      layer_probe<reference, cz::conv_transpose2d> probe({}, cz::conv_transpose2d(in, out, kernel, stride),
                                                         small);
      const cz::convolution_geometry g{out, in, kernel, kernel, stride, stride, pad, pad, large.h, large.w};
      BOOST_REQUIRE((g.out_h() == small.h && g.out_w() == small.w));
      using in_view = cz::const_activation<reference>;
      using out_view = cz::activation<reference>;
      values wanted(static_cast<std::size_t>(large.size()));
      const cz::generic::convolution_backward_data<in_view, out_view, double> gradient{
          g, {probe.input.data(), small}, probe.parameters.data(), {wanted.data(), large}};
      for (index_t i = 0; i < large.size(); ++i) gradient(i);
      const double* const bias = probe.parameters.data() + in * out * kernel * kernel;
      for (index_t i = 0; i < large.size(); ++i)
        wanted[static_cast<std::size_t>(i)] += bias[i / large.pixels() % out];
      BOOST_TEST(relative_error(probe.forward(2), wanted) < 1e-14);
    }
  }
}

BOOST_AUTO_TEST_CASE(on_block_kernels) {
  using device = cz::testing::block_backend<float>;
  const cz::conv_transpose2d layer(5, 3);
  const cz::shape in{2, 5, 6, 7};
  check_agreement(layer_probe<device, cz::conv_transpose2d>(device(1), layer, in).run(),
                  layer_probe<reference, cz::conv_transpose2d>({}, layer, in).run());
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_said) {
  BOOST_TEST(message_of([] { cz::patchify(0); }) ==
             "patchify: the patches are of 0 pixels; wanted at least 1");
  BOOST_TEST(message_of([] {
               cz::patchify(2).output_shape({1, 1, 4, 5});
             }) == "patchify: the input 1 x 1 x 4 x 5 does not divide into patches of 2 x 2");
  BOOST_TEST(message_of([] {
               cz::unpatchify(2).output_shape({1, 6, 4, 5});
             }) == "unpatchify: the input has 6 channels, wanted a multiple of 4");
  BOOST_TEST(
      message_of([] { cz::conv_transpose2d(1, 1, 3, 2); }) ==
      "conv_transpose2d: found kernel 3 and stride 2, wanted a stride of at least 1 and a kernel that is "
      "larger by an even number, or as large");
  BOOST_TEST(message_of([] {
               cz::conv_transpose2d(3, 1).output_shape({1, 2, 4, 4});
             }) == "conv_transpose2d: the input has 2 channels, the weights want 3");
}
