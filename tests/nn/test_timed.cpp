#define BOOST_TEST_MODULE timed
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/nn/conv_block.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/nn/timed.hpp>
#include <type_traits>

#include "common/engine.hpp"

namespace cz = coldzoom;

BOOST_AUTO_TEST_CASE(timed_layer_computes_what_the_layer_computes_and_counts_its_passes) {
  using backend = cz::cpu_backend<float>;
  const cz::shape dims{3, 2, 8, 8}, out{3, 5, 8, 8};
  const cz::conv_block<cz::layer_norm_pixels, cz::gelu> block{cz::conv2d::same(2, 5, 3),
                                                              cz::layer_norm_pixels(8, 8)};
  const cz::timed timed(block);
  static_assert(cz::Layer<std::remove_const_t<decltype(timed)>, backend>);

  const auto run = [&](const auto& layer) {
    backend b(1);
    const std::vector<float> parameters = cz::initial_parameters(layer, 1);
    std::vector<float> gradients(parameters.size());
    auto ws = layer.make_workspace(b, dims, cz::pass::train);
    cz::activation_buffer<backend> x(b, dims), dx(b, dims), y(b, out);
    for (cz::index_t i = 0; i < x.view(3).size(); ++i) x.view(3).data[i] = static_cast<float>(i % 7);
    layer.pack_weights(b, parameters.data(), ws);
    layer.forward(b, parameters.data(), x.view(3), {}, y.view(3), ws);
    layer.backward(b, parameters.data(), x.view(3), {}, y.view(3), dx.view(3), gradients.data(), ws);
    layer.reduce_gradients(b, gradients.data(), ws);
    gradients.insert(gradients.end(), dx.view(3).data, dx.view(3).data + dx.view(3).size());
    return gradients;
  };
  BOOST_TEST(run(timed) == run(block), boost::test_tools::per_element());
  const cz::layer_times& t = *timed.times;
  BOOST_TEST(t.images == 3);
  BOOST_TEST((t.pack_weights > 0 && t.forward > 0 && t.backward > 0 && t.reduce_gradients > 0));
}
