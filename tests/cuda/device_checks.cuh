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

/// Output, loss and gradients of one pass.
struct results {
  std::vector<float> y, loss, dx, gradients;
  friend bool operator==(const results&, const results&) = default;
};

/// A pass of a network forward and back, in memory of its own so that it can be captured.
template <class Loss, cz::Backend B, class Network, class Target> class network_pass {
 public:
  network_pass(B& b, const Network& network, cz::shape in, const std::vector<Target>& target)
      : b_(b),
        network_(network),
        in_(in),
        out_(network.output_shape(in)),
        parameters_(to_backend(b, cz::initial_parameters(network, 1))),
        time_(to_backend(b, cz::testing::random_values(in.n, 2, 0, 1))),
        images_(to_backend(b, cz::testing::random_values(in.size(), 3, -0.5f, 0.5f))),
        target_(to_backend(b, target)),
        x_(b, in),
        dx_(b, in),
        y_(b, out_),
        dy_(b, out_),
        workspace_(network.make_workspace(b, in, cz::pass::train)),
        y_images_(b.template allocate<float>(out_.size())),
        loss_(b.template allocate<float>(in.n)),
        dx_images_(b.template allocate<float>(in.size())),
        gradients_(b.template allocate<float>(parameters_.size())) {}

  void operator()() {
    const index_t n = in_.n;
    const cz::const_activation<B> x = x_.view(n), y = y_.view(n);
    const cz::side_inputs<B> side{{time_.data(), n}, {}};
    fill(gradients_, 0);
    cz::pack_images(b_, {images_.data(), in_}, x_.view(n));
    network_.pack_weights(b_, parameters_.data(), workspace_);
    network_.forward(b_, parameters_.data(), x, side, y_.view(n), workspace_);
    const cz::vector_view<float, typename B::space> losses{loss_.data(), n};
    const double scale = Loss{}.scale(out_);
    if constexpr (std::is_same_v<Loss, cz::mean_squared_error>) {
      Loss{}(b_, y, cz::const_tensor<B>(target_.data(), out_), {}, scale, dy_.view(n), losses);
    } else {
      Loss{}(b_, y, {target_.data(), n}, {}, scale, dy_.view(n), losses);
    }
    network_.backward(b_, parameters_.data(), x, side, dy_.view(n), dx_.view(n), gradients_.data(),
                      workspace_);
    network_.reduce_gradients(b_, gradients_.data(), workspace_);
    cz::unpack_images(b_, y, cz::tensor<B>(y_images_.data(), out_));
    cz::unpack_images(b_, cz::const_activation<B>(dx_.view(n)), cz::tensor<B>(dx_images_.data(), in_));
  }

  results found() {
    return {to_host(b_, y_images_), to_host(b_, loss_), to_host(b_, dx_images_), to_host(b_, gradients_)};
  }
  void forget() {
    for (auto* memory : {&y_images_, &loss_, &dx_images_, &gradients_}) fill(*memory, -1);
  }

 private:
  using memory = cz::buffer_t<B>;

  void fill(memory& values, float value) {
    b_.for_each_index(values.size(), cz::generic::fill<float>{value, values.data()});
  }

  B& b_;
  Network network_;
  cz::shape in_, out_;
  memory parameters_, time_, images_;
  typename B::template buffer<Target> target_;
  cz::activation_buffer<B> x_, dx_, y_, dy_;
  typename Network::template workspace<B> workspace_;
  memory y_images_, loss_, dx_images_, gradients_;
};

template <class Loss, cz::Backend B, class Network, class Target>
results pass_on(B& b, const Network& network, cz::shape in, const std::vector<Target>& target) {
  network_pass<Loss, B, Network, Target> pass(b, network, in, target);
  pass();
  return pass.found();
}

inline std::vector<float> pictures(cz::shape dims) {
  return cz::testing::random_values(dims.size(), 4, -0.5f, 0.5f);
}

template <class Loss, cz::Backend B, class Network, class Target>
void check_network(B& device, double tolerance, const Network& network, cz::shape in,
                   const std::vector<Target>& target) {
  cz::reference_backend<float> host;
  const results found = pass_on<Loss>(device, network, in, target),
                wanted = pass_on<Loss>(host, network, in, target);
  BOOST_TEST(relative_error(found.y, wanted.y) < tolerance);
  BOOST_TEST(relative_error(found.loss, wanted.loss) < tolerance);
  BOOST_TEST(relative_error(found.dx, wanted.dx) < tolerance);
  BOOST_TEST(relative_error(found.gradients, wanted.gradients) < tolerance);
}

/// Networks that together have every layer, against the reference backend.
template <cz::Backend B> void check_networks(B& device, double tolerance) {
  const cz::shape small{3, 2, 9, 11}, original{40, 1, 28, 28};
  check_network<cz::mean_squared_error>(device, tolerance, cz::reconstructor(small, {4, 5, 3}, 5), small,
                                        pictures(small));
  check_network<cz::mean_squared_error>(device, tolerance, cz::reconstructor::original(original), original,
                                        pictures(original));
  check_network<cz::mean_squared_error>(device, tolerance, small_u_net(), every_layer_image,
                                        pictures(every_layer_image));
  check_network<cz::mean_squared_error>(device, tolerance, small_patch_network(), every_layer_image,
                                        pictures(every_layer_image));
  check_network<cz::softmax_cross_entropy>(device, tolerance, small_classifier(), every_layer_image,
                                           std::vector<std::int32_t>{2, 0, 9});
}

/// A pass is captured whole, and its replay leaves the bits of the pass itself.
template <cz::Backend B, class Network>
void check_recording(B& device, const Network& network, cz::shape in) {
  network_pass<cz::mean_squared_error, B, Network, float> pass(device, network, in, pictures(in));
  pass();  // so that what is made on first use is made
  const results wanted = pass.found();
  pass.forget();
  const auto captured = device.capture([&] { pass(); });
  BOOST_REQUIRE(static_cast<bool>(captured));
  BOOST_TEST((pass.found() != wanted), "what is captured runs at once");
  device.replay(captured);
  BOOST_TEST((pass.found() == wanted));
}
template <cz::Backend B> void check_recordings(B& device) {
  const cz::shape original{40, 1, 28, 28};
  check_recording(device, cz::reconstructor::original(original), original);
  check_recording(device, small_u_net(), every_layer_image);
}

const auto zoom_method =
    cz::make_method(cz::centred{}, cz::zoom<cz::nearest>{.last_step = 8}, cz::linear_schedule(8));

/// What two epochs of two batches and both samplers make of the same images on backend `b`.
struct training_results {
  double first_loss, second_loss, test_loss;
  std::vector<float> naive, tacos;
};
template <cz::Backend B, class Method> training_results train_on(B& b, const Method& method, index_t batch) {
  const cz::shape image{1, 1, 12, 12}, all = image.with_n(2 * batch);
  std::vector<std::uint8_t> pixels;
  for (index_t i = 0; i < all.size(); ++i)
    pixels.push_back(static_cast<std::uint8_t>(cz::random_below({1}, static_cast<std::uint64_t>(i), 256)));
  const cz::dataset<B, cz::centred> images(b, all, pixels.data());
  cz::trainer t(b, method, cz::reconstructor(image, {3, 4}, 3), image,
                cz::trainer_options{.batch_size = batch, .seed = 3, .average_decays = {0.9}});
  training_results r{};
  r.first_loss = t.train_epoch(images, 1, cz::constant_rate{1e-2});
  r.second_loss = t.train_epoch(images, 2, cz::constant_rate{1e-2});
  r.test_loss = t.test_loss(images);

  cz::model predict(b, method.predict, t.network(), image, cz::to_host(b, t.best()));
  const cz::shape dims = image.with_n(batch);
  using states = cz::image_batch<cz::centred, float, typename B::space>;
  const auto sample = [&](const auto& sampler) {
    auto z = to_backend(b, cz::testing::random_values(dims.size(), 4, -0.5f, 0.5f));
    sampler(b, predict, method.degradation, method.schedule, 3, {7}, states({z.data(), dims}));
    return to_host<float>(b, z.data(), dims.size());
  };
  r.naive = sample(cz::naive_sampler{});
  r.tacos = sample(cz::tacos_sampler{});
  return r;
}

template <cz::Backend B, class Method> void check_training(B& device, const Method& method, index_t batch) {
  cz::reference_backend<float> host;
  const auto found = train_on(device, method, batch), wanted = train_on(host, method, batch);
  // Adam divides by the size of the gradients, so small ones carry their rounding into the weights.
  const auto near = boost::test_tools::tolerance(1e-3);
  BOOST_TEST(found.first_loss == wanted.first_loss, near);
  BOOST_TEST(found.second_loss == wanted.second_loss, near);
  BOOST_TEST(found.test_loss == wanted.test_loss, near);
  BOOST_TEST(relative_error(found.naive, wanted.naive) < 1e-2);
  BOOST_TEST(relative_error(found.tacos, wanted.tacos) < 1e-2);
}

}  // namespace

int main(int argc, char* argv[]) {
  int driver = 0, devices = 0;
  cudaDriverGetVersion(&driver);  // 0 where there is none; the count would complain of an old one
  const cudaError_t status = cudaGetDeviceCount(&devices);
  if (driver == 0 || status == cudaErrorNoDevice) {
    std::puts("skipped: no CUDA device");
    return 77;  // ctest's SKIP_RETURN_CODE
  }
  if (status != cudaSuccess) {
    std::printf("the device cannot be used: %s\n", cudaGetErrorString(status));
    return 1;
  }
  return boost::unit_test::unit_test_main([] { return true; }, argc, argv);
}
