#define BOOST_TEST_MODULE linear_attention
#include <boost/test/unit_test.hpp>
#include <coldzoom/nn/linear_attention.hpp>
#include <coldzoom/testing/block_backend.hpp>

#include "common/errors.hpp"
#include "common/layer_laws.hpp"

namespace cz = coldzoom;
using cz::index_t;
using reference = cz::reference_backend<double>;

namespace {

/// The parameters one behind another, and products of matrices with columns of numbers.
struct reader {
  const double* next;

  const double* take(index_t count) { return std::exchange(next, next + count); }
  /// weights[out][in] x + bias of each pixel; x is [in][pixel].
  values affine(const values& x, index_t in, index_t out, index_t pixels) {
    const double *const weights = take(in * out), *const bias = take(out);
    values y(static_cast<std::size_t>(out * pixels));
    for (index_t o = 0; o < out; ++o) {
      for (index_t p = 0; p < pixels; ++p) {
        double total = bias[o];
        for (index_t i = 0; i < in; ++i)
          total += weights[o * in + i] * x[static_cast<std::size_t>(i * pixels + p)];
        y[static_cast<std::size_t>(o * pixels + p)] = total;
      }
    }
    return y;
  }
  values normed(const values& x, index_t c, index_t pixels) {
    const double* const gain = take(c);
    values y = x;
    for (index_t p = 0; p < pixels; ++p) {
      double squares = 0;
      for (index_t i = 0; i < c; ++i) squares += std::pow(x[static_cast<std::size_t>(i * pixels + p)], 2);
      for (index_t i = 0; i < c; ++i)
        y[static_cast<std::size_t>(i * pixels + p)] *=
            gain[i] * std::sqrt(static_cast<double>(c)) / std::max(std::sqrt(squares), 1e-12);
    }
    return y;
  }
};

/// One image through linear_attention, from the definition.
values brute_force(const values& x, const values& parameters, index_t c, index_t heads, index_t width,
                   index_t pixels) {
  reader from{parameters.data()};
  const index_t inner = heads * width;
  const values qkv = from.affine(from.normed(x, c, pixels), c, 3 * inner, pixels);
  const auto at = [&](index_t part, index_t h, index_t d, index_t p) {
    return qkv[static_cast<std::size_t>((part * inner + h * width + d) * pixels + p)];
  };
  values mixed(static_cast<std::size_t>(inner * pixels));
  for (index_t h = 0; h < heads; ++h) {
    for (index_t p = 0; p < pixels; ++p) {
      for (index_t e = 0; e < width; ++e) {
        double y = 0;
        for (index_t d = 0; d < width; ++d) {
          double over_channels = 0, over_pixels = 0, context = 0;
          for (index_t k = 0; k < width; ++k) over_channels += std::exp(at(0, h, k, p));
          for (index_t k = 0; k < pixels; ++k) over_pixels += std::exp(at(1, h, d, k));
          for (index_t k = 0; k < pixels; ++k)
            context += std::exp(at(1, h, d, k)) / over_pixels * at(2, h, e, k);
          y += std::exp(at(0, h, d, p)) / over_channels / std::sqrt(static_cast<double>(width)) * context;
        }
        mixed[static_cast<std::size_t>((h * width + e) * pixels + p)] = y;
      }
    }
  }
  values y = from.normed(from.affine(mixed, inner, c, pixels), c, pixels);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += x[i];
  return y;
}

}  // namespace

BOOST_AUTO_TEST_CASE(laws_of_rms_norm) {
  check_layer(cz::rms_norm(5), {3, 5, 4, 3});
  check_layer(cz::rms_norm(16), {2, 16, 2, 2});
  check_layer(cz::rms_norm(19), {2, 19, 3, 1});
}

BOOST_AUTO_TEST_CASE(rms_norm_values) {
  layer_probe<reference, cz::rms_norm> probe({}, cz::rms_norm(2), {1, 2, 1, 3});
  probe.input = {3, 0, 1, 4, 0, -1};
  probe.parameters = {1, 10};
  probe.objective = {1, 1, 1, 1, 1, 1};
  const double root = std::sqrt(2);
  const passes found = probe.run();
  BOOST_TEST(relative_error(found.y, {0.6 * root, 0, 1, 8 * root, 0, -10}) < 1e-15);
  // A pixel of zeros stays zero, and its gradient finite.
  BOOST_TEST(std::isfinite(found.dx[1]));
}

// Heads narrower than the vectors, beside them and across them; more heads than one; one pixel.
BOOST_AUTO_TEST_CASE(laws) {
  check_layer(cz::linear_attention(3, 1, 2), {2, 3, 2, 3});
  check_layer(cz::linear_attention(2, 3, 6), {2, 2, 2, 2});
  check_layer(cz::linear_attention(2, 1, 17), {1, 2, 1, 3});
  check_layer(cz::linear_attention(2, 2, 4), {2, 2, 1, 1});
}

BOOST_AUTO_TEST_CASE(equals_the_definition) {
  const index_t c = 5, heads = 3, width = 4;
  const cz::shape in{2, c, 3, 4};
  layer_probe<reference, cz::linear_attention> probe({}, cz::linear_attention(c, heads, width), in);
  const values found = probe.forward(2);
  values wanted;
  for (index_t n = 0; n < 2; ++n) {
    const auto begin = probe.input.begin() + n * in.image();
    const values one = brute_force({begin, begin + in.image()}, probe.parameters, c, heads, width, 12);
    wanted.insert(wanted.end(), one.begin(), one.end());
  }
  BOOST_TEST(relative_error(found, wanted) < 1e-14);
}

BOOST_AUTO_TEST_CASE(scores_far_apart_do_not_overflow) {
  layer_probe<cz::cpu_backend<float>, cz::linear_attention> probe(
      cz::cpu_backend<float>(1), cz::linear_attention(2, 1, 3), {1, 2, 4, 4});
  for (double& p : probe.parameters) p *= 100;
  for (const double value : probe.run().dx) BOOST_TEST(std::isfinite(value));
}

BOOST_AUTO_TEST_CASE(on_block_kernels) {
  using device = cz::testing::block_backend<float>;
  const cz::linear_attention layer(5, 2, 6);
  const cz::shape in{2, 5, 6, 7};
  check_agreement(layer_probe<device, cz::linear_attention>(device(1), layer, in).run(),
                  layer_probe<reference, cz::linear_attention>({}, layer, in).run());
}

BOOST_AUTO_TEST_CASE(names_of_parameters) {
  std::string names;
  cz::parameter_list list;
  cz::linear_attention(8, 2, 4).describe(list, "a");
  for (const cz::parameter_info& tensor : list) names += tensor.name + " ";
  BOOST_TEST(
      names ==
      "a.norm.weight a.to_qkv.weight a.to_qkv.bias a.to_out.0.weight a.to_out.0.bias a.to_out.1.weight ");
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_said) {
  BOOST_TEST(message_of([] { cz::rms_norm(0); }) == "rms_norm: found 0 channels, wanted at least 1");
  BOOST_TEST(message_of([] {
               cz::rms_norm(3).output_shape({1, 2, 1, 1});
             }) == "rms_norm: the input has 2 channels, the gain 3");
  BOOST_TEST(message_of([] { cz::linear_attention(3, 0, 4); }) ==
             "linear_attention: found 0 heads of 4 channels, wanted at least 1");
}
