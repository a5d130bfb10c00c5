// The operations of the CPU backend one by one. Each is compared with its generic version before it is timed.
//
// GMAC/s are multiply-adds as the definition of a convolution counts them, three passes for training; of_peak
// is their share of what the machine can do, measured at the start. A transform may need a tenth of them.
#include <benchmark/benchmark.h>

#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/generic/convolution.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/bilinear.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/nn/conv_block.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/optim/adam.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "machine_peak.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

using backend = cz::cpu_backend<float>;
using reference = cz::reference_backend<float>;
constexpr index_t batch = cz::micro_batch_size;
double peak = 1;  // multiply-adds per second on one thread

void verify(bool right, const std::string& what) {
  if (right) return;
  std::fprintf(stderr, "bench_ops: %s: the fast version differs from the generic one; nothing was timed\n",
               what.c_str());
  std::exit(1);
}

std::vector<float> random_values(index_t count, std::uint64_t seed) {
  const cz::sample_key key{seed, cz::stream::shuffle, 0};
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * cz::random_uniform(key, i) - 1;
  return values;
}

/// The Euclidean norm of the difference of two equally large ranges, relative to that of the second.
double relative_error(const float* found, const float* wanted, index_t count) {
  double difference = 0, size = 0;
  for (index_t i = 0; i < count; ++i) {
    difference += std::pow(static_cast<double>(found[i]) - static_cast<double>(wanted[i]), 2);
    size += std::pow(static_cast<double>(wanted[i]), 2);
  }
  return std::sqrt(difference / size);
}

/// One training pass of a layer: output, gradients of input and parameters, as dense images.
struct pass_result {
  std::vector<float> y, dx, gradients;
};

/// Memory of a layer on a backend, filled with random numbers that do not depend on the backend.
template <class B, class Network> struct bench_of_layer {
  B b;
  Network network;
  cz::shape in, out;
  std::vector<float> parameters, gradients;
  typename Network::template workspace<B> workspace;
  cz::activation_buffer<B> x, y, dx, dy;
  std::vector<float> dy_values;

  bench_of_layer(B backend_, Network layer, cz::shape dims)
      : b(backend_),
        network(layer),
        in(dims),
        out(layer.output_shape(dims)),
        parameters(random_values(cz::parameter_count(layer), 1)),
        gradients(parameters.size()),
        workspace(layer.make_workspace(b, dims, cz::pass::train)),
        x(b, in),
        y(b, out),
        dx(b, in),
        dy(b, out),
        dy_values(random_values(out.size(), 3)) {
    const std::vector<float> values = random_values(in.size(), 2);
    cz::pack_images(b, cz::tensor_view<const float>(values.data(), in), x.view(in.n));
    fill_dy();
  }
  void fill_dy() { cz::pack_images(b, cz::tensor_view<const float>(dy_values.data(), out), dy.view(in.n)); }
  void forward() { network.forward(b, parameters.data(), x.view(in.n), {}, y.view(in.n), workspace); }
  void backward() {
    network.backward(b, parameters.data(), x.view(in.n), {}, dy.view(in.n), dx.view(in.n), gradients.data(),
                     workspace);
  }
  void train() {
    forward();
    backward();
  }
  pass_result result() {
    pass_result r{std::vector<float>(static_cast<std::size_t>(out.size())),
                  std::vector<float>(static_cast<std::size_t>(in.size())),
                  {}};
    network.pack_weights(b, parameters.data(), workspace);
    train();
    network.reduce_gradients(b, gradients.data(), workspace);
    r.gradients = gradients;
    cz::unpack_images<B>(b, y.view(in.n), cz::tensor_view<float>(r.y.data(), out));
    cz::unpack_images<B>(b, dx.view(in.n), cz::tensor_view<float>(r.dx.data(), in));
    return r;
  }
};

void verify_pass(const pass_result& found, const pass_result& wanted, const std::string& name) {
  const auto close = [](const std::vector<float>& a, const std::vector<float>& b) {
    return relative_error(a.data(), b.data(), static_cast<index_t>(b.size())) < 1e-4;
  };
  verify(close(found.y, wanted.y) && close(found.dx, wanted.dx) && close(found.gradients, wanted.gradients),
         name);
}

/// A convolution with its algorithm forced, in the form of a layer.
template <cz::convolution_algorithm Algorithm> struct forced_convolution : cz::conv2d {
  template <cz::Backend B> workspace<B> make_workspace(B& b, cz::shape in, cz::pass mode) const {
    return b.make_convolution(geometry(in), in.n, mode == cz::pass::train, Algorithm);
  }
};

template <cz::convolution_algorithm Algorithm>
void convolution(benchmark::State& state, index_t kernel, index_t size, index_t in, index_t out) {
  const cz::conv2d layer = cz::conv2d::same(in, out, kernel);
  const cz::convolution_geometry g = layer.geometry({1, in, size, size});
  const cz::shape few{2, in, size, size};
  verify_pass(bench_of_layer(backend(1), forced_convolution<Algorithm>{layer}, few).result(),
              bench_of_layer(reference(), layer, few).result(), "convolution");
  bench_of_layer bench(backend(1), forced_convolution<Algorithm>{layer}, few.with_n(batch));
  bench.network.pack_weights(bench.b, bench.parameters.data(), bench.workspace);
  for (auto _ : state) bench.train();
  const double done = static_cast<double>(state.iterations()) * batch;
  const double multiply_adds = done * 3 * static_cast<double>(g.weights() * size * size);
  state.SetItemsProcessed(static_cast<std::int64_t>(done));
  state.counters["GMAC/s"] = benchmark::Counter(multiply_adds * 1e-9, benchmark::Counter::kIsRate);
  state.counters["of_peak"] = benchmark::Counter(multiply_adds / peak, benchmark::Counter::kIsRate);
  state.SetLabel(cz::cpu_convolution<float>::choose(g) == Algorithm ? "chosen" : "");
}

/// Forward and backward of normalisation and activation, as a convolution's tasks run them: one image.
template <class Norm, class Activation, class Fast> void norm_activation(benchmark::State& state, Norm norm) {
  constexpr index_t channels = 32, size = 28;
  const cz::conv_block<Norm, Activation> block{cz::conv2d::same(channels, channels, 1), norm};
  const cz::shape few{2, channels, size, size};
  verify_pass(bench_of_layer(backend(1), block, few).result(),
              bench_of_layer(reference(), block, few).result(), "normalisation and activation");
  const auto g = norm.geometry(few);
  cz::norm_activation<float, Norm::affine, Fast> n{g.channels, g.pixels, g.groups,
                                                   norm.eps,   nullptr,  nullptr};
  const std::vector<float> affine = random_values(2 * n.affine_size(), 1);
  n.gamma = affine.data();
  n.beta = affine.data() + n.affine_size();
  const index_t image = cz::activation<backend>{nullptr, few.with_n(1)}.size();
  const std::vector<float> from = random_values(image, 2), slope = random_values(image, 3);
  std::vector<float> z = from, x_hat = from, dy = slope;
  std::vector<float> statistics(static_cast<std::size_t>(n.statistics_size())), gradients(affine.size());
  for (auto _ : state) {
    std::copy(from.begin(), from.end(), z.begin());  // each pass overwrites its input
    std::copy(slope.begin(), slope.end(), dy.begin());
    n.forward_image(z.data(), z.data(), statistics.data(), x_hat.data(), nullptr);
    n.backward_image(x_hat.data(), statistics.data(), dy.data(), dy.data(), gradients.data(),
                     gradients.data() + n.affine_size(), nullptr);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * few.with_n(1).size());
}

template <class Fast, class Generic> void activation_function(benchmark::State& state) {
  constexpr index_t lanes = cz::native_lanes<float>, count = 4096;
  const std::vector<float> x = random_values(count, 1);
  std::vector<float> y(x.size()), slope(x.size());
  const typename Fast::template on<float, lanes> function;
  const auto run = [&](float scale) {
    for (index_t i = 0; i < count; i += lanes) {
      const auto u = function(cz::load<lanes>(x.data() + i) * scale);
      cz::store<lanes>(y.data() + i, u.value);
      cz::store<lanes>(slope.data() + i, u.slope);
    }
  };
  run(6);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Generic exact;
    const double z = static_cast<double>(6 * x[i]);
    verify(std::abs(static_cast<double>(y[i]) - exact.value(z)) < 2e-6 &&
               std::abs(static_cast<double>(slope[i]) - exact.slope(z)) < 2e-6,
           "activation");
  }
  for (auto _ : state) {
    run(6);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * count);
}

void adam(benchmark::State& state) {
  const index_t count = state.range(0);
  const std::vector<float> gradients = random_values(count, 1);
  std::vector<float> parameters = random_values(count, 2), wanted = parameters;
  backend b(1);
  reference plain;
  const cz::adam optimizer;
  const cz::parameter_list list{{"weight", {count}}};
  auto fast = optimizer.make_state(b, list);
  auto oracle = optimizer.make_state(plain, list);
  index_t step = 0;
  while (step < 3) {
    ++step;
    optimizer.step(b, fast, gradients.data(), parameters.data(), 1e-3, step);
    optimizer.step(plain, oracle, gradients.data(), wanted.data(), 1e-3, step);
  }
  verify(relative_error(parameters.data(), wanted.data(), count) < 1e-6, "Adam");
  for (auto _ : state) optimizer.step(b, fast, gradients.data(), parameters.data(), 1e-6, ++step);
  state.SetItemsProcessed(state.iterations() * count);
}

template <class Interpolation> void zoom(benchmark::State& state) {
  constexpr index_t n = 128;
  const cz::shape dims{n, 1, state.range(0), state.range(0)};
  const cz::zoom<Interpolation> d;
  const std::vector<float> pixels = random_values(dims.size(), 1);
  std::vector<float> out(pixels.size()), level(n);
  for (std::size_t i = 0; i < level.size(); ++i) level[i] = static_cast<float>(i % 25) / 24;
  const cz::tensor_view<const float> x0(pixels.data(), dims);
  const cz::tensor_view<float> to(out.data(), dims);
  const cz::vector_view<const float> levels{level.data(), n};
  backend b(1);
  d.apply(b, x0, levels, to);
  for (index_t i = 0; i < n; ++i) {
    for (index_t row = 0; row < dims.h; ++row) {
      for (index_t column = 0; column < dims.w; ++column)
        verify(std::abs(to(i, 0, row, column) - d(x0.image(i), 0, row, column, levels[i])) < 1e-5f, "zoom");
    }
  }
  for (auto _ : state) d.apply(b, x0, levels, to);
  state.SetItemsProcessed(state.iterations() * n);
}

void register_templates() {
  struct {
    index_t kernel, size, in, out;
  } const shapes[] = {{7, 28, 1, 16},   {7, 28, 16, 32}, {7, 28, 32, 32}, {7, 14, 32, 32},
                      {5, 28, 32, 32},  {3, 28, 16, 1},  {3, 28, 32, 32}, {3, 28, 96, 32},
                      {3, 14, 160, 64}, {3, 14, 64, 64}, {3, 7, 96, 96},  {3, 56, 32, 32}};
  const auto add = [](const char* name, auto function, const auto& s) {
    const std::string text = std::string("convolution/") + name + "/" + std::to_string(s.kernel) + "x" +
                             std::to_string(s.kernel) + "/size:" + std::to_string(s.size) + "/" +
                             std::to_string(s.in) + "to" + std::to_string(s.out);
    benchmark::RegisterBenchmark(text.c_str(), function, s.kernel, s.size, s.in, s.out)
        ->Unit(benchmark::kMillisecond);
  };
  for (const auto& s : shapes) {
    add("direct", convolution<cz::convolution_algorithm::direct>, s);
    add("transformed", convolution<cz::convolution_algorithm::transformed>, s);
  }
  benchmark::RegisterBenchmark("layer_norm_gelu/32x28x28",
                               norm_activation<cz::layer_norm_pixels, cz::gelu, cz::vector_gelu>,
                               cz::layer_norm_pixels(28, 28));
  benchmark::RegisterBenchmark("group_norm_silu/32x28x28",
                               norm_activation<cz::group_norm, cz::silu, cz::vector_silu>,
                               cz::group_norm(8, 32));
}

BENCHMARK(activation_function<cz::vector_gelu, cz::generic::gelu_function>)->Name("gelu_and_slope");
BENCHMARK(activation_function<cz::vector_silu, cz::generic::silu_function>)->Name("silu_and_slope");
BENCHMARK(adam)->Arg(146'961);
BENCHMARK(zoom<cz::nearest>)->Name("zoom/nearest")->Arg(28)->Arg(64);
BENCHMARK(zoom<cz::bilinear>)->Name("zoom/bilinear")->Arg(28)->Arg(64);

}  // namespace

int main(int count, char** arguments) {
  cz::thread_pool one(1);
  peak = peak_multiply_adds(one);
  benchmark::AddCustomContext("peak of one thread", std::to_string(peak * 1e-9) + " G multiply-adds/s");
  register_templates();
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
