#define BOOST_TEST_MODULE attention_unet
#include <boost/test/unit_test.hpp>
#include <coldzoom/nn/attention_unet.hpp>

#include "common/errors.hpp"
#include "common/layer_laws.hpp"

namespace cz = coldzoom;
using cz::index_t;

// Heads narrower and wider than the vectors, more pixels than a block of queries, channels that do not fill
// the lanes.
BOOST_AUTO_TEST_CASE(laws_of_one_head) { check_layer(cz::self_attention(4, 1, 2), {2, 4, 3, 5}); }
BOOST_AUTO_TEST_CASE(laws_of_three_heads) { check_layer(cz::self_attention(6, 3, 1), {2, 6, 7, 5}); }
BOOST_AUTO_TEST_CASE(laws_of_wide_heads) { check_layer(cz::self_attention(20, 1, 4), {1, 20, 2, 3}); }
BOOST_AUTO_TEST_CASE(laws_without_a_norm) { check_layer(cz::self_attention(4, 2, 0), {2, 4, 3, 3}); }

BOOST_AUTO_TEST_CASE(a_head_equals_softmax_written_out) {
  // One channel, one head, two pixels: y_i = x_i + w_o sum_j softmax_j(q_i k_j) v_j + b_o, by hand.
  const cz::self_attention layer(1, 1, 1);
  layer_probe<cz::reference_backend<double>, cz::self_attention> probe({}, layer, {1, 1, 1, 2});
  probe.input = {0.5, -1.5};
  probe.parameters = {1.25, 0.25, 0.5, -1, 2, 0.125, 0.25, -0.5, 1.5, -0.75};
  const double rstd = 1 / std::sqrt(1 + static_cast<double>(1e-5f));
  const double n[2] = {1.25 * rstd + 0.25, -1.25 * rstd + 0.25};
  const values y = probe.forward(1);
  for (int i = 0; i < 2; ++i) {
    const double q = 0.5 * n[i] + 0.125;
    double total = 0, mixed = 0;
    for (const double other : n) {
      const double e = std::exp(q * (-other + 0.25));
      total += e;
      mixed += e * (2 * other - 0.5);
    }
    BOOST_TEST(std::abs(y[static_cast<std::size_t>(i)] -
                        (probe.input[static_cast<std::size_t>(i)] + 1.5 * mixed / total - 0.75)) < 1e-12);
  }
}

BOOST_AUTO_TEST_CASE(scores_far_apart_do_not_overflow) {
  layer_probe<cz::cpu_backend<float>, cz::self_attention> probe(cz::cpu_backend<float>(1),
                                                                cz::self_attention(2, 1, 1), {1, 2, 4, 4});
  for (double& p : probe.parameters) p *= 100;
  for (const double value : probe.run().dx) BOOST_TEST(std::isfinite(value));
}

BOOST_AUTO_TEST_CASE(laws_of_residual_blocks) {
  const auto with_embedding = [](cz::residual_block::numbers numbers) {
    numbers.embedding = 4;
    return cz::embedded(cz::time_label_embedding(4, 3), cz::residual_block(numbers));
  };
  check_layer(with_embedding({.in = 4, .out = 4, .groups = 2}), {2, 4, 4, 3}, 128);
  check_layer(with_embedding({.in = 4, .out = 6, .groups = 2}), {2, 4, 4, 3}, 128);
  check_layer(with_embedding({.in = 6, .out = 4, .groups = 2, .film = true}), {2, 6, 3, 4}, 128);
}

BOOST_AUTO_TEST_CASE(laws_of_a_norm_with_activation) {
  check_layer(cz::activated<cz::group_norm, cz::silu>(cz::group_norm(3, 6)), {3, 6, 4, 5});
  check_layer(cz::activated<cz::layer_norm_pixels, cz::gelu>(cz::layer_norm_pixels(3, 5)), {3, 18, 3, 5});
  check_layer(cz::activated<cz::layer_norm_image, cz::silu>(cz::layer_norm_image(5, 3, 2)), {3, 5, 3, 2});
}

namespace {
using link_layer = cz::choice<cz::conv2d, cz::silu>;
using chain = cz::skip_chain<link_layer>;
chain::link link(const char* name, index_t in, index_t out, std::size_t skip = 0) {
  return {name, link_layer(cz::conv2d::same(in, out, 3)), skip};
}
}  // namespace

// Skips beside one another, around one link, and from an activation that the next link reads as well.
BOOST_AUTO_TEST_CASE(laws_of_a_skip_chain) {
  check_layer(chain({link("a", 2, 3),
                     {"b", link_layer(cz::silu{})},
                     link("c", 3, 5),
                     link("d", 8, 4, 2),
                     link("e", 7, 2, 1)}),
              {2, 2, 3, 4});
}

BOOST_AUTO_TEST_CASE(a_skip_chain_equals_skip_concat) {
  const chain skipping({link("a", 2, 3), link("b", 3, 5), link("c", 8, 2, 1)});
  const cz::sequence nested(cz::conv2d::same(2, 3, 3), cz::skip_concat(cz::conv2d::same(3, 5, 3)),
                            cz::conv2d::same(8, 2, 3));
  // [inner(x), x] there and [x, inner(x)] here: the weights of the last layer change places.
  using reference = cz::reference_backend<double>;
  const cz::shape in{2, 2, 4, 3};
  layer_probe<reference, chain> found({}, skipping, in);
  layer_probe<reference, std::remove_const_t<decltype(nested)>> wanted({}, nested, in);
  wanted.parameters = found.parameters;
  const std::size_t begin = 2 * 3 * 9 + 3 + 3 * 5 * 9 + 5;
  for (std::size_t out = 0; out < 2; ++out) {
    double* const row = wanted.parameters.data() + begin + out * 72;
    std::rotate(row, row + 45, row + 72);
  }
  const passes a = found.run(), b = wanted.run();
  BOOST_TEST(relative_error(a.y, b.y) < 1e-13);
  BOOST_TEST(relative_error(a.dx, b.dx) < 1e-13);
}

BOOST_AUTO_TEST_CASE(laws_of_an_attention_unet) {
  // Two levels, attention at the lower one, labels; and the other way in which the embedding enters. Few
  // steps: the rounding of a large angle is no fault of a backend. That of float goes through some twenty
  // norms in a row.
  const cz::attention_unet_options small{.widths = {4, 6},
                                         .blocks = 1,
                                         .attention = {1},
                                         .head_channels = 3,
                                         .groups = 2,
                                         .classes = 3,
                                         .steps = 4};
  check_layer(cz::attention_unet(2, 1, small), {2, 2, 4, 6}, 3 * 64);
  cz::attention_unet_options scaling = small;
  scaling.film = true;
  scaling.middle_attention = false;
  scaling.pooled = scaling.transposed = true;
  scaling.dropout = 0.25f;
  check_layer(cz::attention_unet(1, 2, scaling), {1, 1, 4, 4}, 3 * 64);
}

BOOST_AUTO_TEST_CASE(head_channels_of_0_are_one_head) {
  const auto heads_of = [](index_t head_channels) {
    const cz::attention_unet net(1, 1,
                                 {.widths = {4},
                                  .blocks = 1,
                                  .attention = {0},
                                  .head_channels = head_channels,
                                  .groups = 2,
                                  .steps = 4});
    return layer_probe<cz::reference_backend<float>, cz::attention_unet>({}, net, {1, 1, 3, 3}).forward(1);
  };
  BOOST_TEST((heads_of(0) == heads_of(4)));
  BOOST_TEST((heads_of(0) != heads_of(2)));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_said) {
  BOOST_TEST(message_of([] { cz::self_attention(6, 4, 1); }) ==
             "self_attention: 6 channels do not divide into 4 heads");
  BOOST_TEST(message_of([] { cz::self_attention(6, 2, 4); }) ==
             "group_norm: 6 channels do not divide into 4 groups");
  BOOST_TEST(message_of([] { cz::residual_block({.in = 6, .out = 8, .groups = 4}); }) ==
             "group_norm: 6 channels do not divide into 4 groups");
  BOOST_TEST(message_of([] {
               cz::attention_unet(1, 1, {.widths = {32, 48}, .groups = 32});
             }) == "attention_unet: found attention at level 2, wanted 0 to 1");
  BOOST_TEST(message_of([] {
               cz::attention_unet(1, 1, {.widths = {32, 48}, .attention = {}, .groups = 32});
             }) ==
             "attention_unet: found width 48 at level 1, wanted a multiple of groups = 32 and of "
             "head_channels = 8");
  BOOST_TEST(message_of([] {
               cz::attention_unet(1, 1, {.widths = {32, 64}, .attention = {}}).output_shape({1, 1, 5, 4});
             }) ==
             "attention_unet: the images are 1 x 1 x 5 x 4; with 2 levels, height and width must divide "
             "by 2");
  BOOST_TEST(message_of([] { chain({}); }) == "skip_chain: there are no links; it needs at least one");
  BOOST_TEST(message_of([] {
               chain({link("a", 1, 1), link("b", 2, 1, 1)});
             }) ==
             "skip_chain: link 'b' skips from activation 1, wanted one before its input, which is activation "
             "1, and which no other link skips from");
  BOOST_TEST(
      message_of([] {
        chain({link("a", 1, 1), {"b", link_layer(cz::conv2d{1, 1, 3, 3, 1, 1, 2, 2})}, link("c", 2, 1, 1)})
            .output_shape({1, 1, 4, 4});
      }) ==
      "skip_chain: link 'c' has the input 1 x 1 x 2 x 2 and skips from 1 x 1 x 4 x 4; height and width "
      "must be equal");
}
