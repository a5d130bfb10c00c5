#include "common/degradation_check.hpp"

#include <coldzoom/testing/examine_degradation.hpp>

#include "common/host_backend.hpp"

namespace programs {

namespace {

using namespace coldzoom;

/// A method at work as a degradation of images in host memory, whose level is the step.
struct step_of_method {
  method_at_work* method;

  void apply(host_backend&, const_image_tensor<host_backend> x0, const_levels<host_backend> level,
             key_sequence keys, image_tensor<host_backend> out) const {
    method->degrade(x0, static_cast<int>(level[0]), keys, host_images(out));
  }
};
struct numbered_steps {
  int total;
  int steps() const { return total; }
  float level(int t) const { return static_cast<float>(t); }
};

}  // namespace

testing::degradation_report examine(machine& m, const model_method& method, const labelled_images& images) {
  std::vector<float> pixels;
  pixels.reserve(images.pixels.size());
  for (const std::uint8_t byte : images.pixels) pixels.push_back(from_byte<value_range>(byte));
  const std::unique_ptr<method_at_work> work = method.on(m);
  return testing::examine_degradation(
      m.host(), step_of_method{work.get()}, numbered_steps{method.steps},
      image_batch<value_range, const float>(tensor_view<const float>(pixels.data(), images.dims)));
}

}  // namespace programs
