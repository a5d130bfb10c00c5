// The backend with cuDNN's convolutions on a device. Without a device it is skipped, but everything has been
// compiled and linked.
#include <coldzoom/backend/cuda/cudnn_backend.cuh>
// The backend first, to see that it includes what it needs.
#include <coldzoom/testing/backend_laws.hpp>

#include "cuda/device_checks.cuh"

BOOST_AUTO_TEST_CASE(laws) {
  cz::cudnn_backend<float> b;
  cz::testing::backend_laws(b);
}

BOOST_AUTO_TEST_CASE(networks) {
  cz::cudnn_backend<float> device;
  check_networks(device, 1e-4);  // Winograd's transforms round more than sums do
}

BOOST_AUTO_TEST_CASE(captured_passes) {
  cz::cudnn_backend<float> device;
  check_recordings(device);
}

BOOST_AUTO_TEST_CASE(training_and_sampling) {
  cz::cudnn_backend<float> device;
  // Through layers for 128 images pass 128 and then 72.
  check_training(device, zoom_method, 200);
}

BOOST_AUTO_TEST_CASE(convolutions_in_tf32) {
  cz::cudnn_backend<float> exact, fast(0, cz::cuda_precision::tf32);
  const cz::shape in{4, 16, 28, 28};
  const cz::conv2d layer = cz::conv2d::same(16, 32, 7);
  const auto run = [&](auto& b) {
    return pass_on<cz::mean_squared_error>(b, layer, in, pictures(layer.output_shape(in)));
  };
  const results wanted = run(exact), found = run(fast);
  // Factors of 11 significant bits; where the others are cut off, the errors of two factors add up.
  BOOST_TEST(relative_error(found.y, wanted.y) < 0x1p-9);
  BOOST_TEST(relative_error(found.dx, wanted.dx) < 0x1p-9);
  BOOST_TEST(relative_error(found.gradients, wanted.gradients) < 0x1p-9);
}
