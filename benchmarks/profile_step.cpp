// Where the time of a training step goes: the operations of a network as they run, and how near they come to what
// the machine can do. docs/how_to/profile.md explains the table.
#include <coldzoom/backend/cpu/profiled_backend.hpp>
#include <coldzoom/nn/attention_unet.hpp>
#include <coldzoom/nn/pixel_losses.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/optim/adam.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "machine_peak.hpp"
#include "small_unet.hpp"

namespace cz = coldzoom;

namespace {

using backend = cz::profiled_backend<float>;

struct settings {
  int threads = 0;
  cz::index_t batch = 128;
  int steps = 20;
  cz::cpu_precision precision = cz::cpu_precision::float32;
};

struct machine {
  double multiply_adds, bandwidth;
};

const char* name_of(const cz::profiled_operation& row) {
  switch (row.algorithm) {
    case cz::convolution_algorithm::direct:
      return "direct";
    case cz::convolution_algorithm::transformed:
      return cz::transformed_convolution<float>::name(*row.convolution);
    case cz::convolution_algorithm::bf16:
      return "bf16";
    case cz::convolution_algorithm::automatic:
      break;
  }
  return "";
}

/// Milliseconds of each pass of a step and, for convolutions, the shares of the peaks. Three passes, so three
/// times the multiply-adds of the definition; at least x and y are read or written forward, and x, dy, dx and the
/// kept output of the convolution backward.
void print_row(const cz::profiled_operation& row, int steps, const machine& peak) {
  std::printf("%-46s %-8s %8.2f %8.2f %8.2f %8.2f", row.name.c_str(), name_of(row),
              1e3 * row.pack_weights / steps, 1e3 * row.forward / steps, 1e3 * row.backward / steps,
              1e3 * row.reduce_gradients / steps);
  if (row.convolution) {
    const cz::convolution_geometry& g = *row.convolution;
    const double images = static_cast<double>(row.images), seconds = row.forward + row.backward;
    const double definition = 3 * static_cast<double>(g.weights() * g.out_h() * g.out_w()) * images;
    const double done = row.algorithm == cz::convolution_algorithm::bf16 ? definition
                        : row.algorithm == cz::convolution_algorithm::direct
                            ? 3 * images * cz::direct_convolution<float>::cost(g)
                            : 3 * images * cz::transformed_convolution<float>::cost(g);
    const auto bytes = [](cz::index_t c, cz::index_t h, cz::index_t w) {
      return static_cast<double>(cz::activation<backend>{nullptr, {1, c, h, w}}.size() *
                                 static_cast<cz::index_t>(sizeof(float)));
    };
    const double moved =
        3 * images * (bytes(g.in_channels, g.in_h, g.in_w) + bytes(g.out_channels, g.out_h(), g.out_w()));
    std::printf(" %8.0f %% %7.0f %% %7.0f %%", 100 * definition / seconds / peak.multiply_adds,
                100 * done / seconds / peak.multiply_adds, 100 * moved / seconds / peak.bandwidth);
  }
  std::printf("\n");
}

/// Prints the profile of training steps of any network that answers images of the size it takes.
template <class Network> void profile(const Network& network, cz::shape image, const settings& s) {
  backend b(cz::cpu_backend<float>(s.threads, s.precision));
  const cz::shape micro_batch = image.with_n(std::min(s.batch, cz::micro_batch_size));
  const machine peak{peak_multiply_adds(b.pool()), peak_bandwidth(b.pool())};
  std::printf("%d threads; peak %.1f G multiply-adds/s of floats, %.1f GB/s; %td parameters\n", b.threads(),
              peak.multiply_adds * 1e-9, peak.bandwidth * 1e-9, cz::parameter_count(network));

  std::vector<float> parameters = cz::initial_parameters(network, 1), gradients(parameters.size());
  const cz::adam optimizer;
  auto state = optimizer.make_state(b, cz::parameters_of(network));
  cz::index_t updates = 0;
  auto workspace = network.make_workspace(b, micro_batch, cz::pass::train);
  cz::activation_buffer<backend> x(b, micro_batch), y(b, micro_batch), dy(b, micro_batch);
  const cz::sample_key key{1, cz::stream::shuffle, 0};
  std::vector<float> pixels(static_cast<std::size_t>(image.with_n(s.batch).size()));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = cz::random_uniform(key, i) - 0.5f;
  const cz::tensor_view<const float> images(pixels.data(), image.with_n(s.batch));
  const std::vector<float> time(static_cast<std::size_t>(s.batch), 0.5f);
  std::vector<float> losses(static_cast<std::size_t>(s.batch));
  const cz::mean_squared_error loss;

  const auto step = [&] {
    network.pack_weights(b, parameters.data(), workspace);
    std::fill(gradients.begin(), gradients.end(), 0.0f);
    for (cz::index_t first = 0; first < s.batch; first += micro_batch.n) {
      const cz::index_t n = std::min(micro_batch.n, s.batch - first);
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
  b.restart();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < s.steps; ++i) step();
  const double total = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  std::printf("\n%-55s ms: weights  forward backward gradients   peak: as defined  as done  memory\n",
              "operation");
  double in_rows = 0;
  for (const cz::profiled_operation& row : b.rows()) {
    if (row.seconds() > 0) print_row(row, s.steps, peak);
    in_rows += row.seconds();
  }
  std::printf("in no row %8.2f ms\none step  %8.2f ms, %.0f images/s\n", 1e3 * (total - in_rows) / s.steps,
              1e3 * total / s.steps, static_cast<double>(s.batch) * s.steps / total);
}

void profile(const std::string& network, const settings& s) {
  if (network == "reconstructor")
    return profile(cz::reconstructor::original({1, 1, 28, 28}), {1, 1, 28, 28}, s);
  if (network == "unet") return profile(small_unet(), {1, 1, 28, 28}, s);
  if (network == "unet2d")
    return profile(cz::attention_unet(3, 3, {.widths = {64, 128, 128}, .attention = {1, 2}}), {1, 3, 32, 32},
                   s);
  throw cz::error("network", "found '" + network + "', wanted reconstructor, unet or unet2d");
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> given(arguments + 1, arguments + count);
  if (given.size() > 5 || (!given.empty() && given[0].starts_with("-"))) {
    std::printf(
        "usage: profile_step [NETWORK [THREADS [BATCH [STEPS [PRECISION]]]]]\n"
        "NETWORK is reconstructor, unet or unet2d, PRECISION float32 or bf16;\n"
        "the reconstructor, all CPUs, 128 images, 20 steps, float32 if absent\n");
    return given.size() > 5 ? 2 : 0;
  }
  const auto argument = [&](std::size_t i, int otherwise) {
    return given.size() > i ? std::atoi(given[i].c_str()) : otherwise;
  };
  try {
    const bool rounds = given.size() > 4 && given[4] == "bf16";
    profile(given.empty() ? "reconstructor" : given[0],
            {argument(1, 0), std::max(1, argument(2, 128)), std::max(1, argument(3, 20)),
             rounds ? cz::cpu_precision::bf16 : cz::cpu_precision::float32});
  } catch (const cz::error& failure) {
    std::fprintf(stderr, "profile_step: %s\n", failure.what());
    return 1;
  }
}
