#define BOOST_TEST_MODULE timed
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/nn/conv_stack.hpp>
#include <coldzoom/nn/timed.hpp>
#include <type_traits>

namespace cz = coldzoom;

namespace {

using backend = cz::cpu_backend<float>;
constexpr cz::shape dims{3, 2, 8, 8};

/// dx and the gradients of one step, one after the other.
template <class L> std::vector<float> run(const L& layer) {
  backend b(1);
  const std::vector<float> parameters = cz::initial_parameters(layer, 1);
  std::vector<float> gradients(parameters.size());
  const cz::shape out = layer.output_shape(dims);
  auto ws = layer.make_workspace(b, dims, cz::pass::train);
  cz::activation_buffer<backend> x(b, dims), dx(b, dims), y(b, out);
  for (cz::index_t i = 0; i < x.view(3).size(); ++i) x.view(3).data[i] = static_cast<float>(i % 7);
  layer.pack_weights(b, parameters.data(), ws);
  layer.forward(b, parameters.data(), x.view(3), {}, y.view(3), ws);
  layer.backward(b, parameters.data(), x.view(3), {}, y.view(3), dx.view(3), gradients.data(), ws);
  layer.reduce_gradients(b, gradients.data(), ws);
  gradients.insert(gradients.end(), dx.view(3).data, dx.view(3).data + dx.view(3).size());
  return gradients;
}

using stack = cz::conv_stack<cz::layer_norm_pixels, cz::gelu>;
stack::block make_block(cz::index_t in, cz::index_t out) {
  return {cz::conv2d::same(in, out, 5), cz::layer_norm_pixels(8, 8)};
}

}  // namespace

BOOST_AUTO_TEST_CASE(timed_layer_computes_what_the_layer_computes_and_counts_its_passes) {
  const stack::block block = make_block(2, 5);
  const cz::timed timed(block);
  static_assert(cz::Layer<std::remove_const_t<decltype(timed)>, backend>);
  BOOST_TEST(run(timed) == run(block), boost::test_tools::per_element());
  const cz::layer_times& t = *timed.times;
  BOOST_TEST(t.images == 3);
  BOOST_TEST((t.pack_weights > 0 && t.forward > 0 && t.backward > 0 && t.reduce_gradients > 0));
  BOOST_TEST(timed.parts->empty());
}

BOOST_AUTO_TEST_CASE(parts_of_a_stack_are_measured_as_they_run) {
  const stack plain({make_block(2, 33), make_block(33, 40)}, cz::conv2d::same(40, 2, 3));
  const cz::timed timed(plain);
  {
    backend b(1);
    auto ws = timed.make_workspace(b, dims, cz::pass::train);
    BOOST_TEST(bool(ws.input_of_next(0)));  // the clock between two blocks does not part them
  }
  BOOST_TEST(run(timed) == run(plain), boost::test_tools::per_element());
  const std::vector<cz::layer_times>& parts = *timed.parts;
  BOOST_REQUIRE(parts.size() == 3u);
  cz::layer_times sum;
  for (const cz::layer_times& t : parts) {
    BOOST_TEST(t.images == 3);
    BOOST_TEST((t.pack_weights > 0 && t.forward > 0 && t.backward > 0 && t.reduce_gradients > 0));
    sum.forward += t.forward;
    sum.backward += t.backward;
  }
  BOOST_TEST((sum.forward < timed.times->forward && sum.backward < timed.times->backward));
}
