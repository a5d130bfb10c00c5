#define BOOST_TEST_MODULE embedding
#include <boost/test/unit_test.hpp>
#include <coldzoom/nn/conditioned.hpp>
#include <coldzoom/nn/conv_block.hpp>
#include <coldzoom/nn/sequence.hpp>

#include "common/errors.hpp"
#include "common/layer_laws.hpp"

namespace cz = coldzoom;
using reference = cz::reference_backend<double>;
using addition_block = cz::conv_block<cz::group_norm, cz::silu, cz::embedding_addition>;
static_assert(cz::Condition<cz::embedding_addition, reference>);

namespace {

/// An embedding of width 3 with two classes, or none, and four readers of it.
auto make_network(index_t classes) {
  return cz::embedded(
      cz::time_label_embedding(3, classes, cz::time_features::geometric(2)),
      cz::sequence(
          addition_block{cz::conv2d::same(2, 4, 3), cz::group_norm(2, 4), cz::embedding_addition(3, 4)},
          cz::film(3, 4), cz::conv2d::same(4, 5, 1), cz::film(3, 5), cz::film(3, 5)));
}

double silu(double x) { return x / (1 + std::exp(-x)); }

/// weights[out][in] x + bias, which stand one behind the other.
values affine(const double*& parameters, const values& x, std::size_t out) {
  values y(out);
  for (std::size_t o = 0; o < out; ++o) {
    for (std::size_t i = 0; i < x.size(); ++i) y[o] += parameters[o * x.size() + i] * x[i];
    y[o] += parameters[out * x.size() + o];
  }
  parameters += out * (x.size() + 1);
  return y;
}

}  // namespace

// Finite differences of the parameters of the embedding sum up what flows back from all readers.
BOOST_AUTO_TEST_CASE(laws) { check_layer(make_network(2), {4, 2, 5, 3}); }

BOOST_AUTO_TEST_CASE(gradients_without_labels) {
  const auto network = make_network(0);
  cz::parameter_list tensors;
  network.describe(tensors, "");
  for (const cz::parameter_info& tensor : tensors) BOOST_TEST(tensor.name.find("label") == std::string::npos);
  layer_probe<reference, decltype(make_network(0))> probe({}, network, {4, 2, 5, 3});
  check_gradients(probe, tensors);
}

BOOST_AUTO_TEST_CASE(names_and_order_of_parameters) {
  cz::parameter_list tensors;
  make_network(2).describe(tensors, "");
  std::vector<std::string> names;
  for (const cz::parameter_info& tensor : tensors) names.push_back(tensor.name);
  BOOST_TEST(names[0] == "embedding.time.0.weight");
  BOOST_TEST((std::find(names.begin(), names.end(), "embedding.label.weight") != names.end()));
  BOOST_TEST((std::find(names.begin(), names.end(), "1.weight") != names.end()));
  std::sort(names.begin(), names.end());
  BOOST_TEST((std::adjacent_find(names.begin(), names.end()) == names.end()));
}

BOOST_AUTO_TEST_CASE(embedding_by_definition) {
  reference b;
  constexpr index_t width = 3, classes = 2, n = 6;
  const cz::time_label_embedding embed(width, classes, cz::time_features::geometric(2));
  const values parameters = random_values(cz::parameter_count(embed), 1);
  const values time{0, 0.25, 0.5, 0.5, 0.75, 1};
  const std::vector<std::int32_t> label{0, 1, 2, 0, 1, 2};
  auto ws = embed.make_workspace(b, n, cz::pass::predict);
  cz::activation_buffer<reference> e(b, {n, width, 1, 1});
  const auto forward = [&](const std::vector<std::int32_t>& labels) {
    embed.pack_weights(b, parameters.data(), ws);
    cz::side_inputs<reference> side;
    side.time = {time.data(), n};
    side.label = {labels.data(), static_cast<index_t>(labels.size())};
    embed.forward(b, parameters.data(), side, e.view(n), ws);
    return read(e.view(n));
  };
  const values found = forward(label);
  for (std::size_t i = 0; i < n; ++i) {
    const double angle = time[i] * static_cast<double>(static_cast<float>(2 * std::acos(-1.0)));
    const double* at = parameters.data();
    values hidden = affine(at, {0, std::sin(angle), 0, std::cos(angle) - 1}, width);
    for (double& h : hidden) h = silu(h);
    const values sum = affine(at, hidden, width);
    for (std::size_t k = 0; k < width; ++k) {
      const double wanted = silu(sum[k] + at[static_cast<std::size_t>(label[i]) * width + k]);
      BOOST_TEST(std::abs(found[i * width + k] - wanted) < 1e-13);
    }
  }
  BOOST_TEST(message_of([&] {
               forward({0, 1});
             }) ==
             "time_label_embedding: the batch has 6 images and 2 labels; each image needs one, 2 for none");
  // A label that does not exist shows at once, and reads no memory beyond the table.
  for (const std::int32_t wrong : {-1, 3, 1 << 30}) {
    std::vector<std::int32_t> labels = label;
    labels[1] = wrong;
    const values spoilt = forward(labels);
    for (std::size_t i = 0; i < spoilt.size(); ++i) {
      BOOST_TEST(std::isnan(spoilt[i]) == (i / width == 1));
      if (i / width != 1) BOOST_TEST(spoilt[i] == found[i]);
    }
  }
}

BOOST_AUTO_TEST_CASE(film_by_definition) {
  reference b;
  constexpr index_t width = 3, c = 2, n = 2, pixels = 6;
  const cz::film layer(width, c);
  const values parameters = random_values(cz::parameter_count(layer), 1),
               x = random_values(n * c * pixels, 2), e = random_values(n * width, 3);
  auto ws = layer.make_workspace(b, {n, c, 2, 3}, cz::pass::predict);
  cz::activation_buffer<reference> in(b, {n, c, 2, 3}), out(b, {n, c, 2, 3}), embedding(b, {n, width, 1, 1});
  write(in.view(n), x);
  write(embedding.view(n), e);
  cz::side_inputs<reference> side;
  const auto forward = [&] {
    layer.pack_weights(b, parameters.data(), ws);
    layer.forward(b, parameters.data(), in.view(n), side, out.view(n), ws);
  };
  BOOST_TEST(message_of(forward).starts_with("embedding_addition: found an embedding of"));
  side.embedding = embedding.view(n);
  forward();
  const values found = read(out.view(n));
  for (std::size_t i = 0; i < n; ++i) {
    const double* at = parameters.data();
    const values numbers =
        affine(at, {e.begin() + static_cast<long>(i * width), e.begin() + static_cast<long>((i + 1) * width)},
               2 * c);
    for (std::size_t k = 0; k < c * pixels; ++k) {
      const double wanted = x[i * c * pixels + k] * (1 + numbers[k / pixels]) + numbers[c + k / pixels];
      BOOST_TEST(std::abs(found[i * c * pixels + k] - wanted) < 1e-13);
    }
  }
  BOOST_TEST(message_of([&] {
               layer.output_shape({1, 3, 2, 3});
             }) == "film: the input has 3 channels, the modulation 2");
}

BOOST_AUTO_TEST_CASE(addition_by_definition) {
  // A block with the addition is the block without it and W embedding + bias.
  reference b;
  constexpr index_t width = 3, c = 4, n = 2;
  const cz::shape in{n, 2, 5, 3}, made{n, c, 5, 3};
  const addition_block with{cz::conv2d::same(2, c, 3), cz::group_norm(2, c),
                            cz::embedding_addition(width, c)};
  const cz::conv_block<cz::group_norm, cz::silu> without{cz::conv2d::same(2, c, 3), cz::group_norm(2, c)};
  const values parameters = random_values(cz::parameter_count(with), 1), x = random_values(in.size(), 2),
               e = random_values(n * width, 3);
  cz::activation_buffer<reference> memory(b, in), embedding(b, {n, width, 1, 1}), out(b, made);
  write(memory.view(n), x);
  write(embedding.view(n), e);
  cz::side_inputs<reference> side;
  side.embedding = embedding.view(n);
  const auto forward = [&](const auto& block) {
    auto ws = block.make_workspace(b, in, cz::pass::predict);
    block.pack_weights(b, parameters.data(), ws);
    block.forward(b, parameters.data(), memory.view(n), side, out.view(n), ws);
    return read(out.view(n));
  };
  const values found = forward(with), plain = forward(without);
  for (std::size_t i = 0; i < n; ++i) {
    const double* at = parameters.data() + cz::parameter_count(without);
    const values added = affine(
        at, {e.begin() + static_cast<long>(i * width), e.begin() + static_cast<long>((i + 1) * width)}, c);
    for (std::size_t k = 0; k < static_cast<std::size_t>(made.image()); ++k) {
      const std::size_t element = i * static_cast<std::size_t>(made.image()) + k;
      BOOST_TEST(std::abs(found[element] - (plain[element] + added[k / 15])) < 1e-13);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  BOOST_TEST(message_of([] { cz::time_label_embedding(0, 1); }) ==
             "time_label_embedding: found width 0 and 1 classes, wanted at least 1 and 0");
}
