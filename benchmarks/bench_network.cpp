// Our side of compare_pytorch.py: reads commands from stdin, one a line, and answers each with one line.
//
//   train K, forward K, zoom K, unet_train K   do it K times; the answer is milliseconds for one
//   cores                                      the answer is how many cores the threads have at this moment
//   check FILE                                 writes zoomed images, outputs, losses and gradients; the
//   answer is "done"
//
// DATA is a safetensors file with x0 (N x 1 x 28 x 28), step (N, whole numbers 1 .. 24) and the parameters of
// both networks.
#include <chrono>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/io/safetensors.hpp>
#include <coldzoom/nn/loss.hpp>
#include <coldzoom/nn/predictor.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/optim/adam.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <sstream>

#include "machine_peak.hpp"
#include "small_unet.hpp"

namespace cz = coldzoom;

namespace {

using backend = cz::cpu_backend<float>;
constexpr int steps = 24;
constexpr double rate = 2e-4;

template <class Network>
std::vector<float> read_parameters(const cz::safetensors_file& data, const Network& network) {
  cz::parameter_list list;
  network.describe(list, "");
  std::vector<float> parameters;
  for (const cz::parameter_info& tensor : list) {
    const std::vector<float>& values = data.values<float>(tensor.name, tensor.dims);
    parameters.insert(parameters.end(), values.begin(), values.end());
  }
  return parameters;
}

/// The update that cz::trainer makes of a batch, with weights and inputs from outside.
template <class Network> class training_step {
 public:
  training_step(backend& b, Network network, cz::shape images, const std::vector<float>& parameters)
      : b_(b),
        network_(std::move(network)),
        images_(images),
        parameters_(b.allocate<float>(network_.parameter_count())),
        gradients_(b.allocate<float>(network_.parameter_count())),
        loss_(b.allocate<float>(images.n)),
        optimizer_(b, network_.parameter_count()),
        workspace_(network_.make_workspace(b, micro_batch(), cz::pass::train)),
        x_(b, micro_batch()),
        y_(b, micro_batch()),
        dy_(b, micro_batch()) {
    b.upload(parameters.data(), parameters_.data(), parameters_.size());
  }

  /// Returns the loss. `seen(first, y)` is called with the output of each micro-batch.
  template <class Seen>
  double gradients(cz::tensor_view<const float> x, cz::vector_view<const float> time,
                   cz::tensor_view<const float> target, Seen&& seen) {
    const cz::mean_squared_error loss;
    const cz::side_inputs<backend> side{time, {}};
    network_.prepare(b_, parameters_.data(), workspace_);
    b_.for_each_index(gradients_.size(), cz::generic::fill<float>{0.0f, gradients_.data()});
    for (cz::index_t first = 0; first < images_.n; first += cz::micro_batch_size) {
      const cz::index_t n = std::min(cz::micro_batch_size, images_.n - first);
      cz::pack_images(b_, x.images(first, n), x_.view(n));
      network_.forward(b_, parameters_.data(), x_.view(n), side.images(first, n), y_.view(n), workspace_);
      seen(first, y_.view(n));
      loss(b_, cz::const_activation<backend>(y_.view(n)), target.images(first, n), loss.scale(images_),
           dy_.view(n), cz::vector_view<float>{loss_.data() + first, n});
      network_.backward(b_, parameters_.data(), x_.view(n), side.images(first, n), dy_.view(n), {},
                        gradients_.data(), workspace_);
    }
    network_.finish(b_, gradients_.data(), workspace_);
    return b_.sum(loss_.data(), images_.n);
  }
  void update() { optimizer_.step(b_, gradients_.data(), parameters_.data(), rate); }

  /// Adds to `file` the output, the loss and the gradients, each name after `prefix`.
  void dump(cz::safetensors_file& file, const std::string& prefix, cz::tensor_view<const float> x,
            cz::vector_view<const float> time, cz::tensor_view<const float> target) {
    std::vector<float> y(static_cast<std::size_t>(images_.size()));
    const cz::tensor_view<float> out(y.data(), images_);
    const double loss =
        gradients(x, time, target, [&](cz::index_t first, cz::const_activation<backend> part) {
          cz::unpack_images(b_, part, out.images(first, part.dims.n));
        });
    file.add(prefix + "y", {images_.n, images_.c, images_.h, images_.w}, y);
    file.add(prefix + "loss", {}, std::vector<double>{loss});
    cz::parameter_list list;
    network_.describe(list, "");
    const float* from = gradients_.data();
    for (const cz::parameter_info& tensor : list) {
      file.add(prefix + "grad." + tensor.name, tensor.dims, std::vector<float>(from, from + tensor.size()));
      from += tensor.size();
    }
  }

 private:
  cz::shape micro_batch() const { return images_.with_n(cz::micro_batch_size); }

  backend& b_;
  Network network_;
  cz::shape images_;
  cz::buffer_t<backend> parameters_, gradients_, loss_;
  cz::adam<backend> optimizer_;
  typename Network::template workspace<backend> workspace_;
  cz::activation_buffer<backend> x_, y_, dy_;
};

class benchmark {
 public:
  benchmark(const std::string& data, int threads)
      : b_(threads),
        data_(cz::load_safetensors(data)),
        x0_(data_.values<float>("x0")) {
    for (const float s : data_.values<float>("step")) time_.push_back(s / static_cast<float>(steps));
    images_ = {static_cast<cz::index_t>(time_.size()), 1, 28, 28};
    x_t_.resize(x0_.size());
    y_.resize(x0_.size());
  }

  double run(const std::string& task, int count) {
    if (task == "train") {
      auto& step = reconstructor();
      return milliseconds(count, [&] {
        zoom();
        step.gradients(batch(x_t_), times(), batch(x0_), [](cz::index_t, const auto&) {});
        step.update();
      });
    }
    if (task == "unet_train") {
      auto& step = unet();
      return milliseconds(count, [&] {
        step.gradients(batch(x_t_), times(), batch(x0_), [](cz::index_t, const auto&) {});
        step.update();
      });
    }
    if (task == "forward") {
      const auto network = cz::reconstructor::original(images_);
      if (!predict_) predict_.emplace(b_, network, images_, read_parameters(data_, network));
      return milliseconds(count, [&] {
        (*predict_)(batch(x_t_), {times(), {}}, cz::tensor_view<float>(y_.data(), images_));
      });
    }
    cz::require(task == "zoom", "bench_network", [&] { return "there is no task '" + task + "'"; });
    return milliseconds(count, [&] { zoom(); });
  }

  double cores() { return cores_at_hand(b_.pool()); }

  void check(const std::string& path) {
    cz::safetensors_file file;
    zoom();
    file.add("x_t", {images_.n, images_.c, images_.h, images_.w}, x_t_);
    reconstructor().dump(file, "reconstructor.", batch(x_t_), times(), batch(x0_));
    unet().dump(file, "unet.", batch(x_t_), times(), batch(x0_));
    cz::save_safetensors(path, file);
  }

 private:
  using unet_type = decltype(small_unet());

  cz::tensor_view<const float> batch(const std::vector<float>& pixels) const {
    return {pixels.data(), images_};
  }
  // The level of a step is step / 24, as its time.
  cz::vector_view<const float> times() const { return {time_.data(), images_.n}; }

  void zoom() {
    using images = cz::image_batch<cz::centred, const float>;
    degrade(b_, cz::zoom<cz::nearest>{{}, steps}, images(batch(x0_)), times(), {},
            cz::image_batch<cz::centred, float>(cz::tensor_view<float>(x_t_.data(), images_)));
  }

  // Built where first used, so that the memory of one network is not counted for the other.
  training_step<cz::reconstructor>& reconstructor() {
    const auto network = cz::reconstructor::original(images_);
    if (!reconstructor_) reconstructor_.emplace(b_, network, images_, read_parameters(data_, network));
    return *reconstructor_;
  }
  training_step<unet_type>& unet() {
    if (!unet_) unet_.emplace(b_, small_unet(), images_, read_parameters(data_, small_unet()));
    return *unet_;
  }

  template <class F> static double milliseconds(int count, F&& f) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) f();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() /
           count;
  }

  backend b_;
  cz::safetensors_file data_;
  std::vector<float> x0_, x_t_, y_, time_;
  cz::shape images_;
  std::optional<training_step<cz::reconstructor>> reconstructor_;
  std::optional<training_step<unet_type>> unet_;
  std::optional<cz::predictor<backend, cz::reconstructor>> predict_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: bench_network DATA THREADS   (driven by compare_pytorch.py)\n");
    return 2;
  }
  try {
    benchmark bench(arguments[1], std::atoi(arguments[2]));
    for (std::string line; std::getline(std::cin, line);) {
      std::istringstream words(line);
      std::string task, path;
      int times = 0;
      words >> task;
      if (task == "check" && words >> path) {
        bench.check(path);
        std::cout << "done" << std::endl;
      } else if (task == "cores") {
        std::cout << bench.cores() << std::endl;
      } else if (words >> times && times > 0) {
        std::cout << bench.run(task, times) << std::endl;
      } else {
        throw cz::error("bench_network",
                        "found the command '" + line + "', wanted TASK COUNT, cores or check FILE");
      }
    }
  } catch (const cz::error& failure) {
    std::fprintf(stderr, "bench_network: %s\n", failure.what());
    return 1;
  }
}
