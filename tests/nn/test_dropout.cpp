#define BOOST_TEST_MODULE dropout
#include <boost/test/unit_test.hpp>
#include <coldzoom/nn/dropout.hpp>
#include <coldzoom/nn/embedding.hpp>
#include <coldzoom/nn/residual_block.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <set>

#include "common/errors.hpp"
#include "common/layer_laws.hpp"

namespace cz = coldzoom;
using cz::index_t;
using reference = cz::reference_backend<float>;

namespace {

constexpr cz::shape image{3, 19, 4, 5};

/// What becomes of ones.
template <class B> values of_ones(B b, const cz::dropout& layer, std::uint64_t seed = 1, bool keys = true) {
  layer_probe<B, cz::dropout> probe(b, layer, image);
  probe.input.assign(probe.input.size(), 1);
  for (cz::sample_key& key : probe.keys) key.seed = seed;
  if (!keys) probe.keys.clear();
  return probe.forward(image.n);
}
double shared(const values& a, const values& b) {
  double equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += (a[i] == b[i]) / static_cast<double>(a.size());
  return equal;
}

}  // namespace

// The keys of the probe are on, so finite differences and bits are those of training.
BOOST_AUTO_TEST_CASE(laws) {
  check_layer(cz::dropout(0.25f), {3, 5, 4, 3});
  check_layer(cz::dropout(0.75f, 7), {2, 17, 2, 3});
}

BOOST_AUTO_TEST_CASE(laws_in_residual_blocks) {
  for (const bool film : {false, true}) {
    const cz::embedded net(
        cz::time_label_embedding(4, 3),
        cz::residual_block(
            {.in = 4, .out = 6, .embedding = 4, .groups = 2, .film = film, .dropout = 0.5f, .layer = 3}));
    check_layer(net, {2, 4, 4, 3}, 128);
    layer_probe<reference, std::remove_const_t<decltype(net)>> probe({}, net, {2, 4, 4, 3});
    const values dropped = probe.forward(2);
    probe.keys.clear();
    BOOST_TEST((probe.forward(2) != dropped));
  }
}

BOOST_AUTO_TEST_CASE(shares_and_scales) {
  layer_probe<reference, cz::dropout> probe({}, cz::dropout(0.2f), {1, 32, 25, 25});
  probe.input.assign(probe.input.size(), 1);
  double zeros = 0;
  for (const double y : probe.forward(1)) {
    // The share is a multiple of 2^-16, and float rounds the quotient.
    BOOST_REQUIRE((y == 0 || std::abs(y - 1 / 0.8) < 0x1p-16 + 0x1p-23));
    zeros += y == 0;
  }
  // Five standard deviations of a binomial law.
  BOOST_TEST(std::abs(zeros - 0.2 * 20000) < 5 * std::sqrt(20000 * 0.2 * 0.8));
}

BOOST_AUTO_TEST_CASE(the_same_values_on_every_backend) {
  const values wanted = of_ones(reference(), cz::dropout(0.5f, 2));
  BOOST_TEST((of_ones(cz::cpu_backend<float>(2), cz::dropout(0.5f, 2)) == wanted));
  BOOST_TEST((of_ones(cz::cpu_backend<double>(1), cz::dropout(0.5f, 2)) == wanted));
  BOOST_TEST((of_ones(cz::testing::block_backend<float>(), cz::dropout(0.5f, 2)) == wanted));
}

BOOST_AUTO_TEST_CASE(other_keys_and_layers_drop_other_values) {
  const values found = of_ones(reference(), cz::dropout(0.5f, 2));
  // Half of 1140 values agree by chance; five standard deviations are 0.07.
  BOOST_TEST(std::abs(shared(found, of_ones(reference(), cz::dropout(0.5f, 2), 2)) - 0.5) < 0.07);
  BOOST_TEST(std::abs(shared(found, of_ones(reference(), cz::dropout(0.5f, 3))) - 0.5) < 0.07);
  const auto third = static_cast<std::ptrdiff_t>(image.image());
  const values first(found.begin(), found.begin() + third),
      second(found.begin() + third, found.end() - third);
  BOOST_TEST(std::abs(shared(first, second) - 0.5) < 5 * 0.5 / std::sqrt(380.0));
  // No two channels of an image have the same fate, and no two pixels.
  std::set<values> channels, pixels;
  for (index_t c = 0; c < image.c; ++c)
    channels.insert({first.begin() + c * 20, first.begin() + (c + 1) * 20});
  for (index_t p = 0; p < 20; ++p) {
    values column;
    for (index_t c = 0; c < image.c; ++c) column.push_back(first[static_cast<std::size_t>(c * 20 + p)]);
    pixels.insert(column);
  }
  BOOST_TEST(channels.size() == 19u);
  BOOST_TEST(pixels.size() == 20u);
}

BOOST_AUTO_TEST_CASE(without_keys_nothing_is_dropped) {
  BOOST_TEST((of_ones(reference(), cz::dropout(0.5f), 1, false) == values(image.size(), 1.0)));
  BOOST_TEST((of_ones(reference(), cz::dropout(0)) == values(image.size(), 1.0)));
}

BOOST_AUTO_TEST_CASE(shares_out_of_range) {
  for (const float share : {-0.1f, 1.0f, std::nanf("")}) {
    BOOST_TEST(message_of([&] { cz::dropout{share}; }) ==
               "dropout: found the share " + std::to_string(share) + ", wanted at least 0 and below 1");
  }
  // A share that rounds to 1 leaves out all but 2^-16.
  for (const double y : of_ones(reference(), cz::dropout(std::nextafter(1.0f, 0.0f))))
    BOOST_TEST((y == 0 || y == 0x1p16));
}
