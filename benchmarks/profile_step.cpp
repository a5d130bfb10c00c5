// Where the time of a training step goes: the passes of each part of the reconstructor as they run, and how near
// they come to what the machine can do. docs/how_to/profile.md explains the table.
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/nn/pixel_losses.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/nn/timed.hpp>
#include <coldzoom/optim/adam.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "machine_peak.hpp"

namespace cz = coldzoom;

namespace {

using backend = cz::cpu_backend<float>;
using convolution = backend::convolution;

struct machine {
  double multiply_adds, bandwidth;
};

/// One row: milliseconds of each pass of a step, and the shares of the peaks. Three passes, so three times
/// the multiply-adds of the definition; at least x and y are read or written forward, and x, dy, dx and the
/// kept output of the convolution backward.
void print_row(const cz::conv2d& conv, const cz::layer_times& times, int steps, cz::shape in,
               const machine& peak) {
  const cz::convolution_geometry g = conv.geometry(in);
  const auto image_bytes = [&](cz::index_t channels) {
    return static_cast<double>(cz::activation<backend>{nullptr, {1, channels, in.h, in.w}}.size() *
                               static_cast<cz::index_t>(sizeof(float)));
  };
  const double images = static_cast<double>(times.images), seconds = times.forward + times.backward;
  const double definition = 3 * static_cast<double>(g.weights() * in.pixels()) * images;
  const double bytes = (3 * image_bytes(g.in_channels) + 3 * image_bytes(g.out_channels)) * images;
  const bool transformed = convolution::choose(g) == cz::convolution_algorithm::transformed;
  const double done =
      3 * images *
      (transformed ? cz::transformed_convolution<float>::cost(g) : cz::direct_convolution<float>::cost(g));
  std::printf("%td -> %-3td %tdx%td %-7s %8.2f %8.2f %8.2f %8.2f %10.0f %% %8.0f %% %8.0f %%\n",
              g.in_channels, g.out_channels, g.kernel_h, g.kernel_w,
              transformed ? cz::transformed_convolution<float>::name(g) : "direct",
              1e3 * times.pack_weights / steps, 1e3 * times.forward / steps, 1e3 * times.backward / steps,
              1e3 * times.reduce_gradients / steps, 100 * definition / seconds / peak.multiply_adds,
              100 * done / seconds / peak.multiply_adds, 100 * bytes / seconds / peak.bandwidth);
}

void profile(int threads, cz::index_t batch, int steps) {
  backend b(threads);
  const cz::shape image{1, 1, 28, 28}, micro_batch = image.with_n(cz::micro_batch_size);
  const machine peak{peak_multiply_adds(b.pool()), peak_bandwidth(b.pool())};
  std::printf("%d threads; peak %.1f G multiply-adds/s, %.1f GB/s\n", b.threads(), peak.multiply_adds * 1e-9,
              peak.bandwidth * 1e-9);

  const cz::timed network(cz::reconstructor::original(image).stack());
  std::vector<float> parameters = cz::initial_parameters(network, 1), gradients(parameters.size());
  const cz::adam optimizer;
  auto state = optimizer.make_state(b, cz::parameters_of(network));
  cz::index_t updates = 0;
  auto workspace = network.make_workspace(b, micro_batch, cz::pass::train);
  cz::activation_buffer<backend> x(b, micro_batch), y(b, micro_batch), dy(b, micro_batch);
  const cz::sample_key key{1, cz::stream::shuffle, 0};
  std::vector<float> pixels(static_cast<std::size_t>(image.with_n(batch).size()));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = cz::random_uniform(key, i) - 0.5f;
  const cz::tensor_view<const float> images(pixels.data(), image.with_n(batch));
  const std::vector<float> time(static_cast<std::size_t>(batch), 0.5f);
  std::vector<float> losses(static_cast<std::size_t>(batch));
  const cz::mean_squared_error loss;

  const auto step = [&] {
    network.pack_weights(b, parameters.data(), workspace);
    std::fill(gradients.begin(), gradients.end(), 0.0f);
    for (cz::index_t first = 0; first < batch; first += cz::micro_batch_size) {
      const cz::index_t n = std::min(cz::micro_batch_size, batch - first);
      const cz::side_inputs<backend> side{{time.data() + first, n}, {}};
      cz::pack_images(b, images.images(first, n), x.view(n));
      network.forward(b, parameters.data(), x.view(n), side, y.view(n), workspace);
      loss(b, cz::const_activation<backend>(y.view(n)), images.images(first, n), {}, loss.scale(images.dims),
           dy.view(n), cz::vector_view<float>{losses.data() + first, n});
      network.backward(b, parameters.data(), x.view(n), side, dy.view(n), {}, gradients.data(), workspace);
    }
    network.reduce_gradients(b, gradients.data(), workspace);
    optimizer.step(b, state, gradients.data(), parameters.data(), 2e-4, ++updates);
  };
  step();  // warms up
  *network.times = {};
  for (cz::layer_times& part : *network.parts) part = {};
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < steps; ++i) step();
  const double total = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  std::printf(
      "\nlayer              ms: weights  forward backward gradients  of the peak: as defined  as done  "
      "memory\n");
  const auto& [blocks, last] = network.inner;
  for (std::size_t i = 0; i < network.parts->size(); ++i)
    print_row(i < blocks.size() ? blocks[i].conv : *last, (*network.parts)[i], steps, image, peak);
  const cz::layer_times& t = *network.times;
  const double in_layers = t.pack_weights + t.forward + t.backward + t.reduce_gradients;
  std::printf(
      "in no layer (loss, Adam, copies)  %8.2f\none step                          %8.2f ms, %.0f images/s\n",
      1e3 * (total - in_layers) / steps, 1e3 * total / steps, static_cast<double>(batch) * steps / total);
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 4 || (count > 1 && std::string(arguments[1]).starts_with("-"))) {
    std::printf("usage: profile_step [THREADS [BATCH [STEPS]]]   (all CPUs, 128 images, 20 steps)\n");
    return count > 4 ? 2 : 0;
  }
  const auto argument = [&](int i, int otherwise) { return count > i ? std::atoi(arguments[i]) : otherwise; };
  try {
    profile(argument(1, 0), std::max(1, argument(2, 128)), std::max(1, argument(3, 20)));
  } catch (const cz::error& failure) {
    std::fprintf(stderr, "profile_step: %s\n", failure.what());
    return 1;
  }
}
