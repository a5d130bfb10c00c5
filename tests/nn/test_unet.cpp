#define BOOST_TEST_MODULE unet
#include <boost/test/unit_test.hpp>
#include <coldzoom/nn/unet.hpp>

#include "common/errors.hpp"
#include "common/layer_laws.hpp"

namespace cz = coldzoom;

namespace {

cz::unet small(index_t levels, index_t classes) {
  const std::vector<index_t> widths{3, 4, 6};
  return {2,
          1,
          {.widths = {widths.begin(), widths.begin() + levels},
           .kernels = {5, 3},
           .bottom_blocks = 1,
           .groups = 2,
           .classes = classes,
           .embedding = 4}};
}

}  // namespace

// Finite differences in double, independence of batch, padding and threads, both backends. The rounding of
// float goes through seventeen norms in a row.
BOOST_AUTO_TEST_CASE(laws_of_three_levels) { check_layer(small(3, 3), {2, 2, 8, 4}, 3 * 64); }
BOOST_AUTO_TEST_CASE(laws_of_one_level) { check_layer(small(1, 0), {2, 2, 3, 5}); }

BOOST_AUTO_TEST_CASE(two_levels_equal_the_same_layers_nested) {
  // The same network by sequence and skip_concat, whose parameters lie in another order.
  using stack = cz::conv_stack<cz::group_norm, cz::silu, cz::embedding_addition>;
  const auto block = [](index_t kernel, index_t in, index_t out, bool reads) {
    stack::block made{cz::conv2d::same(in, out, kernel), cz::group_norm(out % 2 == 0 ? 2 : 1, out)};
    if (reads) made.condition.emplace(4, out);
    return made;
  };
  const auto part = [&](index_t kernel, index_t in, index_t out) {
    return cz::sequence(stack({block(kernel, in, out, true)}),
                        cz::residual(stack({block(kernel, out, out, true), block(kernel, out, out, false)})));
  };
  const cz::embedded nested(
      cz::time_label_embedding(4, 3),
      cz::sequence(part(5, 2, 3),
                   cz::skip_concat(cz::sequence(cz::average_pool(2), part(3, 3, 4),
                                                stack({block(3, 4, 3, false)}), cz::upsample_nearest(2))),
                   part(5, 6, 3), cz::conv2d::same(3, 1, 3)));
  const cz::unet unet = small(2, 3);
  const cz::shape in{3, 2, 6, 4};
  using reference = cz::reference_backend<double>;
  layer_probe<reference, cz::unet> found({}, unet, in);
  layer_probe<reference, std::remove_const_t<decltype(nested)>> wanted({}, nested, in);
  // down.0, down.1, rise.0, up.0, end: they stand in the order of the nested ones.
  BOOST_REQUIRE(found.parameters.size() == wanted.parameters.size());
  wanted.parameters = found.parameters;
  const passes a = found.run(), b = wanted.run();
  BOOST_TEST(relative_error(a.y, b.y) < 1e-13);
  BOOST_TEST(relative_error(a.dx, b.dx) < 1e-12);
  BOOST_TEST(relative_error(a.gradients, b.gradients) < 1e-12);
}

BOOST_AUTO_TEST_CASE(names_and_sizes) {
  const cz::unet network(4, 1, {.classes = 10});
  const cz::parameter_list list = cz::parameters_of(network);
  BOOST_TEST(list.front().name == "embedding.time.0.weight");
  BOOST_TEST(list.back().name == "end.bias");
  std::vector<std::string> names;
  for (const cz::parameter_info& tensor : list) names.push_back(tensor.name);
  for (const char* name : {"embedding.label.weight", "down.0.0.0.net.0.weight", "down.2.1.1.0.net.1.bias",
                           "rise.1.0.net.0.weight", "up.0.1.0.0.condition.weight"}) {
    BOOST_TEST((std::find(names.begin(), names.end(), name) != names.end()), name);
  }
  BOOST_TEST((network.output_shape({3, 4, 28, 28}) == cz::shape{3, 1, 28, 28}));
  // The label of none has a row of its own.
  for (const cz::parameter_info& tensor : list)
    if (tensor.name == "embedding.label.weight") BOOST_TEST(tensor.dims[0] == 11);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_said) {
  BOOST_TEST(message_of([] {
               small(3, 0).output_shape({1, 2, 10, 8});
             }) == "unet: the images are 1 x 2 x 10 x 8; with 3 levels, height and width must divide by 4");
  BOOST_TEST(message_of([] { cz::unet(1, 1, {.widths = {}}); }) ==
             "unet: found 0 widths and 3 kernels, wanted 1 to 10 and at least 1");
  BOOST_TEST(message_of([] { cz::unet(1, 1, {.kernels = {4}}); }) ==
             "unet: found kernel 4, wanted an odd number");
  BOOST_TEST(message_of([] { cz::unet(1, 1, {.blocks = 0}); }) == "unet: found blocks 0, wanted at least 1");
}
