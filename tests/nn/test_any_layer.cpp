#define BOOST_TEST_MODULE any_layer
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/nn/any_layer.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/nn/reconstructor.hpp>

#include "common/engine.hpp"
#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using any = cz::any_layer<backend>;
using cz::index_t;

namespace {

static_assert(cz::Layer<any, backend>);
static_assert(!std::constructible_from<any, int>);
static_assert(std::constructible_from<any, cz::conv2d> && std::constructible_from<any, cz::reconstructor>);

constexpr cz::shape image{1, 2, 12, 10};
const cz::reconstructor net(image, {5, 4}, 5);

/// Everything that two passes on different images make: answers, gradients of the input and the parameters.
template <class Network> std::vector<std::vector<float>> passes(const Network& network) {
  constexpr cz::shape dims = image.with_n(9);
  backend b(2);
  const std::vector<float> parameters = cz::initial_parameters(network, 3);
  std::vector<float> time(9, 0.25f), gradients(parameters.size()), dx_host, y_host;
  auto ws = network.make_workspace(b, dims, cz::pass::train);
  cz::activation_buffer<backend> x(b, dims), y(b, dims), dy(b, dims), dx(b, dims);
  network.pack_weights(b, parameters.data(), ws);
  for (const std::uint64_t seed : {1u, 2u}) {
    const host_images in = random_images(dims, seed), above = random_images(dims, seed + 10);
    cz::pack_images(b, in.view(), x.view(9));
    cz::pack_images(b, above.view(), dy.view(9));
    cz::side_inputs<backend> side;
    side.time = {time.data(), 9};
    network.forward(b, parameters.data(), x.view(9), side, y.view(9), ws);
    host_images out(dims);
    cz::unpack_images(b, y.view(9), out.view());
    y_host.insert(y_host.end(), out.pixels.begin(), out.pixels.end());
    network.backward(b, parameters.data(), x.view(9), side, dy.view(9), dx.view(9), gradients.data(), ws);
    cz::unpack_images(b, dx.view(9), out.view());
    dx_host.insert(dx_host.end(), out.pixels.begin(), out.pixels.end());
  }
  network.reduce_gradients(b, gradients.data(), ws);
  return {y_host, dx_host, gradients};
}

}  // namespace

BOOST_AUTO_TEST_CASE(passes_equal_those_of_the_layer_itself) {
  const any held(net), copy = held;  // NOLINT: the copy is what is tested
  const auto wanted = passes(net);
  BOOST_TEST((passes(held) == wanted));
  BOOST_TEST((passes(copy) == wanted));
  for (const std::vector<float>& values : wanted) {
    BOOST_TEST(std::any_of(values.begin(), values.end(), [](float v) { return v != 0; }));
  }
}

BOOST_AUTO_TEST_CASE(describes_the_layer) {
  const any held(net);
  cz::parameter_list wanted, found;
  net.describe(wanted, "");
  held.describe(found, "");
  BOOST_REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    BOOST_TEST(found[i].name == wanted[i].name);
    BOOST_TEST((found[i].dims == wanted[i].dims));
  }
  BOOST_TEST((held.output_shape(image) == net.output_shape(image)));
  BOOST_TEST((cz::initial_parameters(held, 1) == cz::initial_parameters(net, 1)));
  BOOST_TEST(message_of([&] {
               held.output_shape({1, 3, 12, 10});
             }) == message_of([&] {
               net.output_shape({1, 3, 12, 10});
             }));
}

BOOST_AUTO_TEST_CASE(a_predictor_takes_one) {
  const std::vector<float> parameters = cz::initial_parameters(net, 1);
  const host_images x = random_images(image.with_n(40), 2);
  host_images wanted(x.dims), found(x.dims);
  backend b(2);
  const std::vector<float> time(40, 0.5f);
  cz::side_inputs<backend> side;
  side.time = {time.data(), 40};
  cz::predictor(b, net, image, parameters)(x.view(), side, wanted.view());
  cz::predictor(b, any(net), image, parameters)(x.view(), side, found.view());
  BOOST_TEST((found == wanted));
}
