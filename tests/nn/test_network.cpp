#define BOOST_TEST_MODULE network
#include <boost/test/unit_test.hpp>
#include <coldzoom/nn/combine.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <coldzoom/nn/upsample.hpp>
#include <thread>

#include "common/errors.hpp"
#include "common/layer_laws.hpp"

namespace cz = coldzoom;

namespace {

template <class L> std::vector<std::string> names_of(const L& layer, const std::string& prefix) {
  cz::parameter_list list;
  layer.describe(list, prefix);
  std::vector<std::string> names;
  for (const auto& tensor : list) names.push_back(tensor.name);
  return names;
}

using strings = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_CASE(sequence_of_layers) {
  // Three convolutions, so that both gradient buffers are used again, of sizes that grow and shrink.
  const cz::sequence chain(cz::conv2d::same(2, 9, 3), cz::gelu{}, cz::conv2d{9, 3, 2, 2, 0, 0, 2, 2},
                           cz::silu{}, cz::conv2d::same(3, 4, 1));
  check_layer(chain, {3, 2, 4, 6});
  BOOST_TEST(names_of(chain, "net") == (strings{"net.0.weight", "net.0.bias", "net.2.weight", "net.2.bias",
                                                "net.4.weight", "net.4.bias"}));
  BOOST_TEST(names_of(cz::sequence(cz::linear{}), "") == (strings{"0.weight", "0.bias"}));
}

BOOST_AUTO_TEST_CASE(repeat_of_one_layer) {
  using block = cz::sequence<cz::linear, cz::gelu>;
  for (std::size_t count = 1; count <= 4; ++count)
    check_layer(cz::repeat<block>(std::vector(count, block(cz::linear{5, 5}, {}))), {3, 5, 1, 1});
  BOOST_TEST(message_of([] { cz::repeat<cz::gelu>({}); }) ==
             "repeat: there are no layers; it needs at least one");
}

BOOST_AUTO_TEST_CASE(residual_connection) {
  check_layer(cz::residual(cz::conv2d::same(5, 5, 3)), {3, 5, 4, 3});
  BOOST_TEST(message_of([] {
               cz::residual(cz::conv2d::same(2, 3, 1)).output_shape({1, 2, 4, 4});
             }) == "residual: the inner layer makes 1 x 3 x 4 x 4 of 1 x 2 x 4 x 4; it must keep the shape");
  BOOST_TEST(names_of(cz::residual(cz::linear{}), "up") == (strings{"up.weight", "up.bias"}));
}

BOOST_AUTO_TEST_CASE(skip_connection) {
  check_layer(cz::skip_concat(cz::conv2d::same(5, 6, 3)), {3, 5, 4, 3});  // split inside a vector
  check_layer(cz::skip_concat(cz::conv2d::same(16, 1, 1)), {2, 16, 2, 2});
  layer_probe<cz::reference_backend<double>, cz::skip_concat<cz::average_pool>> probe(
      {}, cz::skip_concat(cz::average_pool(1)), {2, 1, 1, 2});
  probe.input = {1, 2, 3, 4};
  BOOST_TEST(probe.forward(2) == (values{1, 2, 1, 2, 3, 4, 3, 4}));
  BOOST_TEST(
      message_of([] {
        cz::skip_concat(cz::max_pool(2)).output_shape({1, 2, 4, 4});
      }) ==
      "skip_concat: the inner layer makes 1 x 2 x 2 x 2 of 1 x 2 x 4 x 4; it must keep height and width");
}

BOOST_AUTO_TEST_CASE(small_u_net) {
  check_layer(
      cz::sequence(cz::conv2d::same(1, 5, 3), cz::gelu{},
                   cz::skip_concat(cz::sequence(cz::max_pool(2), cz::residual(cz::conv2d::same(5, 5, 3)),
                                                cz::gelu{}, cz::upsample_nearest(2))),
                   cz::conv2d::same(10, 1, 3)),
      {2, 1, 4, 4});
}

BOOST_AUTO_TEST_CASE(flatten_and_classifier) {
  check_layer(cz::flatten{}, {3, 5, 2, 3});
  check_layer(cz::flatten{}, {2, 16, 3, 1});
  check_layer(cz::sequence(cz::conv2d::same(1, 5, 3), cz::silu{}, cz::average_pool(2), cz::flatten{},
                           cz::linear{5 * 2 * 3, 10}),
              {3, 1, 4, 6});
  // Dense NCHW values keep their order, whatever the lanes.
  layer_probe<cz::cpu_backend<float>, cz::flatten> probe(cz::cpu_backend<float>(1), {}, {2, 19, 3, 2});
  BOOST_TEST(probe.forward(2) == probe.input);
}

BOOST_AUTO_TEST_CASE(block_with_and_without_time) {
  check_layer(
      cz::conv_block<cz::group_norm, cz::silu>{cz::conv2d{2, 4, 2, 3, 1, 0, 2, 1}, cz::group_norm(2, 4)},
      {3, 2, 4, 5});
  check_layer(
      cz::conv_block<cz::layer_norm_pixels, cz::gelu, cz::time_condition>{
          cz::conv2d::same(2, 9, 3), cz::layer_norm_pixels(4, 5), cz::time_condition(9, 3, 6)},
      {3, 2, 4, 5});
}

BOOST_AUTO_TEST_CASE(block_equals_its_layers) {
  const cz::conv2d conv = cz::conv2d::same(3, 20, 5);
  const cz::layer_norm_pixels norm(8, 8);
  const cz::shape in{3, 3, 8, 8};
  using block = cz::conv_block<cz::layer_norm_pixels, cz::gelu>;
  using chain = cz::sequence<cz::conv2d, cz::layer_norm_pixels, cz::gelu>;
  const cz::cpu_backend<float> b(2);
  check_agreement(layer_probe<cz::cpu_backend<float>, block>(b, {conv, norm}, in).run(),
                  layer_probe<cz::cpu_backend<float>, chain>(b, chain(conv, norm, {}), in).run());
}

BOOST_AUTO_TEST_CASE(stack_of_blocks) {
  using stack = cz::conv_stack<cz::group_norm, cz::silu, cz::time_condition>;
  const stack::block first{cz::conv2d::same(2, 9, 3), cz::group_norm(3, 9), cz::time_condition(9, 3, 4)};
  const stack::block second{cz::conv2d{9, 4, 2, 2, 0, 0, 1, 2}, cz::group_norm(1, 4)};
  check_layer(stack({first}), {2, 2, 3, 4});
  check_layer(stack({first, second}, cz::conv2d::same(4, 2, 1)), {3, 2, 3, 4});
  BOOST_TEST(names_of(stack({second, second}, cz::conv2d::same(4, 2, 1)), "up") ==
             (strings{"up.0.net.0.weight", "up.0.net.0.bias", "up.0.net.1.weight", "up.0.net.1.bias",
                      "up.1.net.0.weight", "up.1.net.0.bias", "up.1.net.1.weight", "up.1.net.1.bias",
                      "up.2.weight", "up.2.bias"}));
  BOOST_TEST(names_of(stack({first}), "")[4] == "0.condition.0.weight");
  BOOST_TEST(message_of([] { stack({}); }) == "conv_stack: there are no blocks; it needs at least one");
}

BOOST_AUTO_TEST_CASE(images_handed_on_one_by_one) {
  using backend = cz::cpu_backend<float>;
  using stack = cz::conv_stack<cz::layer_norm_pixels, cz::gelu>;
  using block = stack::block;
  const cz::layer_norm_pixels norm(28, 28);
  const cz::shape in{5, 1, 28, 28};
  const block first{cz::conv2d::same(1, 16, 7), norm}, second{cz::conv2d::same(16, 32, 7), norm},
      third{cz::conv2d::same(32, 32, 5), norm};

  // Fourier transforms take images, direct convolutions do not.
  const auto check = [&](const cz::conv2d& last, bool taken) {
    const stack handing({first, second, third}, last);
    const auto storing = cz::sequence(first, second, third, last);
    backend b(2);
    auto ws = handing.make_workspace(b, in, cz::pass::train);
    const bool wanted[] = {true, true, taken};
    for (std::size_t i = 0; i < 3; ++i) {
      BOOST_TEST(bool(ws.input_of_next(i)) == wanted[i]);
      BOOST_TEST(bool(ws.gradient_of_previous(i + 1)) == (i > 0));
    }
    for (const auto mode : {cz::pass::train, cz::pass::predict}) {
      for (const int threads : {1, 3}) {
        layer_probe<backend, stack> a(backend(threads), handing, in, mode);
        layer_probe<backend, std::remove_const_t<decltype(storing)>> z(backend(threads), storing, in, mode);
        if (mode == cz::pass::train) {
          BOOST_TEST((a.run() == z.run()), threads << " threads");
        } else {
          BOOST_TEST((a.forward(in.n) == z.forward(in.n)), threads << " threads");
        }
      }
    }
  };
  check(cz::conv2d::same(32, 32, 5), true);
  check(cz::conv2d::same(32, 1, 3), false);
}

BOOST_AUTO_TEST_CASE(time_is_added_to_every_pixel_of_a_channel) {
  using block = cz::conv_block<cz::layer_norm_pixels, cz::gelu, cz::time_condition>;
  const block layer{cz::conv2d::same(1, 3, 3), cz::layer_norm_pixels(4, 4), cz::time_condition(3, 4, 5)};
  layer_probe<cz::reference_backend<double>, block> p({}, layer, {1, 1, 4, 4});
  p.time = {0.25};
  const values early = p.forward(1);
  p.time = {0.75};
  const values late = p.forward(1);
  for (std::size_t c = 0; c < 3; ++c) {
    const double shift = late[16 * c] - early[16 * c];
    BOOST_TEST(std::abs(shift) > 1e-3);
    for (std::size_t i = 0; i < 16; ++i)
      BOOST_TEST(std::abs(late[16 * c + i] - early[16 * c + i] - shift) < 1e-14);
  }
}

BOOST_AUTO_TEST_CASE(missing_time) {
  using backend = cz::reference_backend<float>;
  backend b;
  const cz::reconstructor net({1, 1, 4, 4}, {2, 2}, 3);
  const cz::shape in{2, 1, 4, 4};
  const std::vector<float> parameters = cz::initial_parameters(net, 1);
  auto ws = net.make_workspace(b, in, cz::pass::predict);
  net.pack_weights(b, parameters.data(), ws);
  cz::activation_buffer<backend> x(b, in), y(b, in);
  const auto message = [&](const cz::side_inputs<backend>& side) {
    return message_of([&] { net.forward(b, parameters.data(), x.view(2), side, y.view(2), ws); });
  };
  const float times[] = {0, 1};
  BOOST_TEST(message({}) == "time_condition: the batch has 2 images and 0 times; each image needs one");
  BOOST_TEST(message({{times, 1}, {}}) ==
             "time_condition: the batch has 2 images and 1 times; each image needs one");
  BOOST_TEST(message({{times, 2}, {}}) == "no error");
}

BOOST_AUTO_TEST_CASE(original_reconstructor_names_and_shapes) {
  const cz::reconstructor net = cz::reconstructor::original({1, 1, 28, 28});
  BOOST_TEST(parameter_count(net) == 146961);
  BOOST_TEST((net.output_shape({7, 1, 28, 28}) == cz::shape{7, 1, 28, 28}));

  using dims = std::vector<index_t>;
  const std::vector<std::pair<std::string, dims>> wanted{
      {"gt.blocks.0.net.0.weight", {16, 1, 7, 7}},  {"gt.blocks.0.net.0.bias", {16}},
      {"gt.blocks.0.net.1.weight", {28, 28}},       {"gt.blocks.0.net.1.bias", {28, 28}},
      {"gt.time_embed.0.weight", {128, 32}},        {"gt.time_embed.0.bias", {128}},
      {"gt.time_embed.2.weight", {128, 128}},       {"gt.time_embed.2.bias", {128}},
      {"gt.time_embed.4.weight", {128, 128}},       {"gt.time_embed.4.bias", {128}},
      {"gt.time_embed.6.weight", {16, 128}},        {"gt.time_embed.6.bias", {16}},
      {"gt.blocks.1.net.0.weight", {32, 16, 7, 7}}, {"gt.blocks.1.net.0.bias", {32}},
      {"gt.blocks.1.net.1.weight", {28, 28}},       {"gt.blocks.1.net.1.bias", {28, 28}},
      {"gt.blocks.2.net.0.weight", {32, 32, 7, 7}}, {"gt.blocks.2.net.0.bias", {32}},
      {"gt.blocks.2.net.1.weight", {28, 28}},       {"gt.blocks.2.net.1.bias", {28, 28}},
      {"gt.blocks.3.net.0.weight", {16, 32, 7, 7}}, {"gt.blocks.3.net.0.bias", {16}},
      {"gt.blocks.3.net.1.weight", {28, 28}},       {"gt.blocks.3.net.1.bias", {28, 28}},
      {"gt.blocks.4.weight", {1, 16, 3, 3}},        {"gt.blocks.4.bias", {1}},
  };
  cz::parameter_list list;
  net.describe(list, "");
  BOOST_REQUIRE(list.size() == wanted.size());
  index_t total = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    BOOST_TEST(list[i].name == wanted[i].first);
    BOOST_TEST(list[i].dims == wanted[i].second);
    total += list[i].size();
  }
  BOOST_TEST(total == parameter_count(net));
}

BOOST_AUTO_TEST_CASE(frequencies) {
  const std::vector<float> table = cz::reconstructor::original({1, 1, 28, 28}).frequency_table();
  BOOST_REQUIRE(table.size() == 16u);
  BOOST_TEST(table[0] == 0.0f);
  for (int i = 0; i < 15; ++i) {
    const double w = 2 * std::acos(-1.0) * std::pow(1.5, i);
    // Rounded once, after products whose error in double is far below half a unit of float.
    BOOST_TEST(std::abs(static_cast<double>(table[static_cast<std::size_t>(i) + 1]) - w) <= w * 0x1p-24);
  }
}

BOOST_AUTO_TEST_CASE(initial_values) {
  const cz::sequence net(cz::linear{64, 50}, cz::group_norm(2, 50));
  const std::vector<float> first = cz::initial_parameters(net, 1);
  BOOST_TEST((first == cz::initial_parameters(net, 1)));
  BOOST_TEST((first != cz::initial_parameters(net, 2)));
  // Uniform in (-1/8, 1/8): 3200 weights come within 1 % of both ends but with probability 2 (1 -
  // 0.005)^3200.
  const auto [low, high] = std::minmax_element(first.begin(), first.begin() + 3250);
  BOOST_TEST((*low >= -0.125f && *low < -0.12375f && *high <= 0.125f && *high > 0.12375f));
  for (std::size_t i = 3250; i < 3350; ++i) BOOST_TEST(first[i] == (i < 3300 ? 1.0f : 0.0f));
}

BOOST_AUTO_TEST_CASE(reconstructor_gradient_along_random_directions) {
  using backend = cz::cpu_backend<double>;
  const cz::reconstructor net({1, 2, 5, 6}, {4, 9, 3}, 3);
  layer_probe<backend, cz::reconstructor> p(backend(2), net, {3, 2, 5, 6});
  const passes analytic = p.run();
  const values centre = p.parameters;
  for (std::uint64_t seed = 10; seed < 14; ++seed) {
    values direction = random_values(parameter_count(net), seed);
    for (double& component : direction) component /= std::sqrt(static_cast<double>(direction.size()));
    values t{0};
    const double slope = finite_differences(t, [&] {
      for (std::size_t i = 0; i < centre.size(); ++i) p.parameters[i] = centre[i] + t[0] * direction[i];
      return p.value();
    })[0];
    double wanted = 0;
    for (std::size_t i = 0; i < centre.size(); ++i) wanted += direction[i] * analytic.gradients[i];
    BOOST_TEST(std::abs(slope - wanted) < 1e-6 * std::abs(wanted), slope << " against " << wanted);
  }
}

BOOST_AUTO_TEST_CASE(reconstructor_bits) {
  // Large enough that every kernel is cut into several tasks.
  const cz::reconstructor net({1, 1, 28, 28}, {20, 6}, 5);
  const cz::shape in{4, 1, 28, 28};
  using backend = cz::cpu_backend<float>;
  using net_probe = layer_probe<backend, cz::reconstructor>;
  net_probe two(backend(2), net, in), one(backend(1), net, in), five(backend(5), net, in);
  net_probe predicting(backend(2), net, in, cz::pass::predict);
  layer_probe<cz::reference_backend<double>, cz::reconstructor> plain({}, net, in);
  // Short times: the highest frequency is 1834, and the rounding of a large angle is no fault of a backend.
  for (probe* p : std::initializer_list<probe*>{&two, &one, &five, &predicting, &plain})
    p->time = {0, 0x1p-13, 0x1p-12, 0x1p-11};

  check_independence(two);
  const passes result = two.run();
  BOOST_TEST((one.run() == result), "1 and 2 threads differ");
  BOOST_TEST((five.run() == result), "5 and 2 threads differ");
  BOOST_TEST((predicting.forward(in.n) == result.y), "a workspace for prediction gives another y");
  check_agreement(result, plain.run());
}

BOOST_AUTO_TEST_CASE(one_network_predicts_on_two_threads) {
  const cz::reconstructor net({1, 1, 8, 8}, {4, 4}, 3);
  using net_probe = layer_probe<cz::cpu_backend<float>, cz::reconstructor>;
  values y[2];
  const auto predict = [&](values& out) {
    net_probe p(cz::cpu_backend<float>(2), net, {2, 1, 8, 8}, cz::pass::predict);
    for (int i = 0; i < 20; ++i) out = p.forward(2);
  };
  std::thread other(predict, std::ref(y[1]));
  predict(y[0]);
  other.join();
  BOOST_TEST(y[0] == y[1]);
}

BOOST_AUTO_TEST_CASE(reconstructors_that_cannot_be) {
  const auto message = [](cz::shape image, std::vector<index_t> widths, index_t kernel) {
    return message_of([&] { cz::reconstructor(image, widths, kernel); });
  };
  BOOST_TEST(message({1, 1, 8, 8}, {4}, 3) ==
             "reconstructor: there are 1 hidden widths; it needs at least two");
  BOOST_TEST(message({1, 1, 8, 8}, {4, 4}, 4) ==
             "reconstructor: the kernel size is 4; it must be odd and positive");
  BOOST_TEST(message({1, 1, 8, 8}, {4, 0}, 3) == "reconstructor: a hidden width is 0; it must be positive");
  BOOST_TEST(message({1, 1, 0, 8}, {4, 4}, 3) ==
             "reconstructor: the image shape is 1 x 1 x 0 x 8; every extent must be positive");
  const cz::reconstructor net({1, 1, 8, 8}, {4, 4}, 3);
  BOOST_TEST(message_of([&] {
               net.output_shape({1, 3, 8, 8});
             }) == "conv2d: the input has 3 channels, the weights want 1");
  BOOST_TEST(message_of([&] {
               net.output_shape({1, 1, 8, 9});
             }) == "layer_norm_pixels: the input is 1 x 4 x 8 x 9, the affine is 8 x 8");
}
