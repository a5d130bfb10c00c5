/// What the tests of the backends on a device share. Each is the whole of a program.
#pragma once

#include <boost/test/unit_test.hpp>
#include <coldzoom/cuda.cuh>
#include <coldzoom/testing/transfer.hpp>
#include <cstdio>

#include "common/convolution_problem.hpp"
#include "common/every_layer.hpp"

namespace cz = coldzoom;
using cz::index_t;
using cz::testing::to_backend;
using cz::testing::to_host;

namespace {

// Sums of some thousand floats run in other orders on the two sides, and exp and erfc differ in the last
// bits.
constexpr double tolerance = 1e-5;

/// Output, loss and gradients of one pass.
struct results {
  std::vector<float> y, loss, dx, gradients;
};
template <class Loss, cz::Backend B, class Network, class Targets>
results pass_on(B& b, const Network& network, cz::shape in, const Targets& make_target) {
  const cz::shape out = network.output_shape(in);
  const auto parameters = to_backend(b, cz::initial_parameters(network, 1));
  const auto time = to_backend(b, cz::testing::random_values(in.n, 2, 0, 1));
  const auto target_memory = to_backend(b, make_target());
  auto gradients = b.template allocate<float>(parameters.size());
  auto loss = b.template allocate<float>(in.n);
  auto images = to_backend(b, cz::testing::random_values(in.size(), 3, -0.5f, 0.5f));
  cz::activation_buffer<B> x(b, in), dx(b, in), y(b, out), dy(b, out);
  auto ws = network.make_workspace(b, in, cz::pass::train);

  cz::pack_images(b, {images.data(), in}, x.view(in.n));
  network.prepare(b, parameters.data(), ws);
  const cz::side_inputs<B> side{{time.data(), in.n}, {}};
  network.forward(b, parameters.data(), x.view(in.n), side, y.view(in.n), ws);
  const cz::vector_view<float, typename B::space> losses{loss.data(), in.n};
  const double scale = Loss{}.scale(out);
  if constexpr (std::is_same_v<Loss, cz::mean_squared_error>) {
    Loss{}(b, cz::const_activation<B>(y.view(in.n)), cz::const_tensor<B>(target_memory.data(), out), scale,
           dy.view(in.n), losses);
  } else {
    Loss{}(b, cz::const_activation<B>(y.view(in.n)), {target_memory.data(), in.n}, scale, dy.view(in.n),
           losses);
  }
  network.backward(b, parameters.data(), x.view(in.n), side, dy.view(in.n), dx.view(in.n), gradients.data(),
                   ws);
  network.finish(b, gradients.data(), ws);
  auto y_images = b.template allocate<float>(out.size()), dx_images = b.template allocate<float>(in.size());
  cz::unpack_images(b, cz::const_activation<B>(y.view(in.n)), cz::tensor<B>(y_images.data(), out));
  cz::unpack_images(b, cz::const_activation<B>(dx.view(in.n)), cz::tensor<B>(dx_images.data(), in));
  const auto host = [&](const auto& memory) { return to_host<float>(b, memory.data(), memory.size()); };
  return {host(y_images), host(loss), host(dx_images), host(gradients)};
}

template <class Loss, cz::Backend B, class Network, class Targets>
void check_network(B& device, const Network& network, cz::shape in, const Targets& make_target) {
  cz::reference_backend<float> host;
  const results found = pass_on<Loss>(device, network, in, make_target),
                wanted = pass_on<Loss>(host, network, in, make_target);
  BOOST_TEST(relative_error(found.y, wanted.y) < tolerance);
  BOOST_TEST(relative_error(found.loss, wanted.loss) < tolerance);
  BOOST_TEST(relative_error(found.dx, wanted.dx) < tolerance);
  BOOST_TEST(relative_error(found.gradients, wanted.gradients) < tolerance);
}

/// Networks that together have every layer, against the reference backend.
template <cz::Backend B> void check_networks(B& device) {
  const auto pictures = [](cz::shape in) {
    return [in] { return cz::testing::random_values(in.size(), 4, -0.5f, 0.5f); };
  };
  const cz::shape small{3, 2, 9, 11}, original{40, 1, 28, 28};
  check_network<cz::mean_squared_error>(device, cz::reconstructor(small, {4, 5, 3}, 5), small,
                                        pictures(small));
  check_network<cz::mean_squared_error>(device, cz::reconstructor::original(original), original,
                                        pictures(original));
  check_network<cz::mean_squared_error>(device, small_u_net(), every_layer_image,
                                        pictures(every_layer_image));
  check_network<cz::softmax_cross_entropy>(device, small_classifier(), every_layer_image, [] {
    return std::vector<std::int32_t>{2, 0, 9};
  });
}

}  // namespace

int main(int argc, char* argv[]) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("skipped: no CUDA device");
    return 77;  // ctest's SKIP_RETURN_CODE
  }
  return boost::unit_test::unit_test_main([] { return true; }, argc, argv);
}
