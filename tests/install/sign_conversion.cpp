// Much of what a user instantiates, for warnings that templates give only then; see test_sign_conversion.sh.
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/interop/eigen.hpp>
#include <coldzoom/interop/xtensor.hpp>
#include <coldzoom/io/npy.hpp>
#include <coldzoom/io/png.hpp>
#include <coldzoom/io/safetensors.hpp>
#include <coldzoom/metrics/frechet.hpp>
#include <coldzoom/testing/backend_laws.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <coldzoom/testing/degradation_laws.hpp>
#include <coldzoom/testing/initial_state_laws.hpp>
#include <coldzoom/testing/interpolation_laws.hpp>
#include <coldzoom/testing/schedule_laws.hpp>
#include <xtensor/xtensor.hpp>

using namespace coldzoom;
using cpu = cpu_backend<float>;

struct dimmed {
  static constexpr int channels = 1;
  float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level) const {
    return x0(c, y, x) * (1 - level);
  }
};

void laws(cpu& b) {
  const shape dims{5, 1, 9, 7};
  testing::backend_laws(b);
  testing::degradation_laws<unit>(dimmed{}, {}, dims, b, b);
  testing::degradation_laws<unit>(zoom<nearest>{}, {.levels_beyond = true}, dims, b);
  testing::degradation_laws<unit>(any_degradation<cpu, unit>(gaussian_noise{}), {.random = true}, dims, b);
  testing::initial_state_laws(pixel_histogram<unit>({1}, 4, 4), {}, dims, b, b);
  testing::initial_state_laws(patch_bank<unit, bilinear, cpu>(b, {1, 1, 3, 3}, {}), {}, dims, b);
  testing::initial_state_laws(gaussian_state<centred>{}, {.within_range = false}, dims, b);
  testing::interpolation_laws(bilinear{});
  testing::schedule_laws(linear_schedule(10));
  testing::schedule_laws(ddpm_schedule::cosine(10));
  testing::block_backend<float> blocks;
  testing::degradation_laws<unit>(dimmed{}, {}, dims, blocks);
}

void data(cpu& b, const std::string& path, image_batch<unit, float> out) {
  const split_pair sets = load_mnist_folder(path);
  const dataset<cpu, unit> bytes(b, sets.train.dims, sets.train.pixels.data());
  bytes.gather(b, {natural_order(bytes.size()).data(), bytes.size()}, out);
  const auto floats = dataset<cpu, unit, float>::from_view(b, out);
  random_shift{}(b, image_batch<unit, const float>(out), {}, out);
  pixel_histogram<unit>::count(out);
  save_npy(path, load_npy<float>(path).data, {out.dims.size()});
  save_png(path, image_grid(out, 3));
  load_png(path);
  nearest_images(b, image_batch<unit, const float>(out), floats);
}

void metrics(cpu& b, image_batch<unit, const float> x, feature_view features) {
  ssim(b, x, x);
  psnr(b, x, x);
  rmse(b, x, x);
  duplicate_share(b, x);
  copy_share(nearest_images(b, x, x), {});
  frechet_infinity(b, features, features);
  kernel_distance(b, features, features);
  compare_manifolds(b, features, features);
  classifier_score(class_probabilities(features));
}

void interop(image_batch<unit, float> x, Eigen::MatrixXf& matrix, xt::xtensor<float, 4>& array) {
  as_tensor_view(array);
  as_xtensor(tensor_view<float>(x));
  as_eigen(tensor_view<float>(x));
  as_image_view(matrix);
  as_tensor_view(matrix, x.dims);
}
