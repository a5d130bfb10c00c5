/// What compare_pytorch times of ours, on any backend: training steps, network calls, samples, the zoom. And
/// the commands by which it asks for them.
#pragma once

#include <coldzoom/backend/graph_capture.hpp>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/io/safetensors.hpp>
#include <coldzoom/nn/model.hpp>
#include <coldzoom/nn/pixel_losses.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/optim/updater.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "small_unet.hpp"

namespace cz = coldzoom;

/// The parameters of a network, in its order, by their names in a file.
template <class Network>
std::vector<float> read_parameters(const cz::safetensors_file& data, const Network& network) {
  std::vector<float> parameters;
  for (const cz::parameter_info& tensor : cz::parameters_of(network)) {
    const std::vector<float>& values = data.values<float>(tensor.name, tensor.dims);
    parameters.insert(parameters.end(), values.begin(), values.end());
  }
  return parameters;
}

/// The update that cz::trainer makes of a batch, with weights and inputs from outside.
template <cz::Backend B, class Network> class training_step {
  using images_view = cz::tensor_view<const float, typename B::space>;
  using time_view = cz::vector_view<const float, typename B::space>;

 public:
  training_step(B& b, Network network, cz::shape images, const std::vector<float>& parameters)
      : b_(b),
        network_(std::move(network)),
        images_(images),
        parameters_(cz::to_backend(b, parameters)),
        gradients_(b.template allocate<float>(cz::parameter_count(network_))),
        loss_(b.template allocate<float>(images.n)),
        updater_(b, cz::parameters_of(network_)),
        workspace_(network_.make_workspace(b, images.with_n(most), cz::pass::train)),
        x_(b, images.with_n(most)),
        y_(b, images.with_n(most)),
        dy_(b, images.with_n(most)) {}

  /// An update. Its loss is read as the trainer reads it: one update late where the backend sums without
  /// waiting.
  void operator()(images_view x, time_view time, images_view target) {
    find_gradients(x, time, target);
    if constexpr (cz::SumsLater<B>) {
      cz::pending_sum_t<B> loss = b_.sum_later(loss_.data(), images_.n);
      update();
      if (before_) before_->get();
      before_ = std::move(loss);
    } else {
      b_.sum(loss_.data(), images_.n);
      update();
    }
  }

  /// Adds to `file` the output, the loss and the gradients, each name after `prefix`. The gradients are those
  /// of a third pass, which a backend that records replays.
  void dump(cz::safetensors_file& file, const std::string& prefix, images_view x, time_view time,
            images_view target) {
    auto y = b_.template allocate<float>(images_.size());
    const cz::tensor_view<float, typename B::space> out(y.data(), images_);
    pass(x, time, target, [&](cz::index_t first, cz::const_activation<B> part) {
      cz::unpack_images(b_, part, out.images(first, part.dims.n));
    });
    for (int i = 0; i < 3; ++i) find_gradients(x, time, target);
    file.add(prefix + "y", {images_.n, images_.c, images_.h, images_.w}, cz::to_host(b_, y));
    file.add(prefix + "loss", {}, std::vector<double>{b_.sum(loss_.data(), images_.n)});
    const float* from = gradients_.data();
    for (const cz::parameter_info& tensor : cz::parameters_of(network_)) {
      file.add(prefix + "grad." + tensor.name, tensor.dims, cz::to_host<float>(b_, from, tensor.size()));
      from += tensor.size();
    }
  }

 private:
  static constexpr cz::index_t most = cz::micro_batch_of<B>;  // images at a time
  static constexpr double rate = 2e-4;

  void find_gradients(images_view x, time_view time, images_view target) {
    recorded_(b_, x.data, [&] { pass(x, time, target, [](cz::index_t, const auto&) {}); });
  }
  void update() { updater_.update(b_, gradients_, parameters_, rate); }

  /// The losses and the gradients. `seen(first, y)` is called with the output of each micro-batch.
  template <class Seen> void pass(images_view x, time_view time, images_view target, Seen&& seen) {
    const cz::mean_squared_error loss;
    const cz::side_inputs<B> side{time, {}};
    network_.pack_weights(b_, parameters_.data(), workspace_);
    b_.for_each_index(gradients_.size(), cz::generic::fill<float>{0.0f, gradients_.data()});
    for (cz::index_t first = 0; first < images_.n; first += most) {
      const cz::index_t n = std::min(most, images_.n - first);
      cz::pack_images(b_, x.images(first, n), x_.view(n));
      network_.forward(b_, parameters_.data(), x_.view(n), side.images(first, n), y_.view(n), workspace_);
      seen(first, cz::const_activation<B>(y_.view(n)));
      loss(b_, cz::const_activation<B>(y_.view(n)), target.images(first, n), {}, loss.scale(images_),
           dy_.view(n), cz::vector_view<float, typename B::space>{loss_.data() + first, n});
      network_.backward(b_, parameters_.data(), x_.view(n), side.images(first, n), dy_.view(n), {},
                        gradients_.data(), workspace_);
    }
    network_.reduce_gradients(b_, gradients_.data(), workspace_);
  }

  B& b_;
  Network network_;
  cz::shape images_;
  cz::buffer_t<B> parameters_, gradients_, loss_;
  cz::updater<B> updater_;
  typename Network::template workspace<B> workspace_;
  cz::activation_buffer<B> x_, y_, dy_;
  cz::graph_capture<B, const float*> recorded_;
  std::optional<cz::pending_sum_t<B>> before_;
};

/// The tasks of the benchmark on the data of a safetensors file: x0 (N x 1 x 28 x 28), step (N, whole numbers
/// 1 .. 24) and the parameters of both networks. All data lie on the backend from the start.
template <cz::Backend B> class network_tasks {
 public:
  network_tasks(B& b, const std::string& data)
      : b_(b),
        data_(cz::load_safetensors(data)),
        x0_(cz::to_backend(b, data_.values<float>("x0"))),
        x_t_(b.template allocate<float>(x0_.size())),
        y_(b.template allocate<float>(x0_.size())) {
    std::vector<float> time;
    for (const float s : data_.values<float>("step")) time.push_back(s / static_cast<float>(steps));
    time_ = cz::to_backend(b, time);
    zoom(time_.size());
  }

  /// One repetition of a task on the first `batch` images; its memory is made at the first call and kept
  /// until the task is asked for with another batch. Throws `error` for what is not there.
  const std::function<void()>& repetition(const std::string& task, cz::index_t batch) {
    cz::require(batch >= 1 && batch <= time_.size(), "bench_network", [&] {
      return "the batch is " + std::to_string(batch) + "; the data have " + std::to_string(time_.size()) +
             " images";
    });
    prepared& kept = prepared_[task];
    if (kept.batch != batch) {
      kept = {};  // before the new one takes its memory
      kept.repetition = make(task, batch);
      kept.batch = batch;
    }
    return kept.repetition;
  }

  /// Writes zoomed images, outputs, losses, gradients, and of the sampler each state and what the network
  /// makes of it, of the first `batch` images.
  void check(const std::string& path, cz::index_t batch) {
    cz::safetensors_file file;
    const cz::shape dims = images(batch);
    const auto add_images = [&](const char* name, const cz::buffer_t<B>& pixels) {
      file.add(name, {dims.n, dims.c, dims.h, dims.w}, cz::to_host<float>(b_, pixels.data(), dims.size()));
    };
    zoom(batch);
    add_images("x_t", x_t_);
    const auto dump = [&](const char* prefix, const auto& step) {
      step->dump(file, prefix, view(x_t_, batch), times(batch), view(x0_, batch));
    };
    dump("reconstructor.", make_step(reconstructor(), batch));
    dump("unet.", make_step(small_unet(), batch));
    for (const char* task : {"forward", "sample"}) {
      const auto& once = repetition(task, batch);
      for (int i = 0; i < 3; ++i) once();  // the third is a replay where the backend records
      add_images(task, y_);
    }
    std::vector<float> z, x0_hat;
    const auto append = [&](std::vector<float>& all, const auto& part) {
      const std::vector<float> values = cz::to_host<float>(b_, part.data, dims.size());
      all.insert(all.end(), values.begin(), values.end());
    };
    sample(*make_model(), batch, [&](int, const auto& state, const auto& answer) {
      append(z, state);
      append(x0_hat, answer);
    });
    file.add("sample.z", {steps, dims.n, dims.c, dims.h, dims.w}, z);
    file.add("sample.x0_hat", {steps, dims.n, dims.c, dims.h, dims.w}, x0_hat);
    cz::save_safetensors(path, file);
  }

 private:
  static constexpr int steps = 24;
  static constexpr cz::zoom<cz::nearest> degradation{{}, steps};
  using range = cz::centred;
  using space = typename B::space;
  using predictor = cz::predictor<B, cz::reconstructor>;
  using model = cz::model<B, cz::predict_x0, cz::reconstructor>;

  struct prepared {
    cz::index_t batch = 0;
    std::function<void()> repetition;
  };

  static cz::shape images(cz::index_t n) { return {n, 1, 28, 28}; }
  static cz::reconstructor reconstructor() { return cz::reconstructor::original(images(1)); }
  cz::tensor_view<float, space> view(cz::buffer_t<B>& pixels, cz::index_t n) {
    return {pixels.data(), images(n)};
  }
  // The level of a step is step / 24, as its time.
  cz::vector_view<const float, space> times(cz::index_t n) const { return {time_.data(), n}; }

  void zoom(cz::index_t n) {
    degrade(b_, degradation, cz::image_batch<range, const float, space>(view(x0_, n)), times(n), {},
            cz::image_batch<range, float, space>(view(x_t_, n)));
  }

  /// The naive sampler from the zoomed images, into y.
  template <class Observer> void sample(model& predict, cz::index_t n, Observer&& observer) {
    b_.copy(x_t_.data(), y_.data(), images(n).size());
    cz::naive_sampler{}(b_, predict, degradation, cz::linear_schedule(steps), steps, {},
                        cz::image_batch<range, float, space>(view(y_, n)), observer);
  }

  auto make_model() {
    return std::make_shared<model>(b_, cz::predict_x0{}, reconstructor(), images(1),
                                   read_parameters(data_, reconstructor()));
  }
  template <class Network> auto make_step(const Network& network, cz::index_t batch) {
    return std::make_shared<training_step<B, Network>>(b_, network, images(batch),
                                                       read_parameters(data_, network));
  }

  // Memory is made here and not before, so that the memory of one network is not counted for the other.
  std::function<void()> make(const std::string& task, cz::index_t n) {
    if (task == "zoom") return [this, n] { zoom(n); };
    if (task == "train") {
      return [this, n, step = make_step(reconstructor(), n)] {
        zoom(n);
        (*step)(view(x_t_, n), times(n), view(x0_, n));
      };
    }
    if (task == "unet_train") {
      return [this, n, step = make_step(small_unet(), n)] { (*step)(view(x_t_, n), times(n), view(x0_, n)); };
    }
    cz::require(task == "forward" || task == "sample", "bench_network",
                [&] { return "there is no task '" + task + "'"; });
    if (task == "sample") {
      return [this, n, predict = make_model()] { sample(*predict, n, cz::no_observer{}); };
    }
    const auto predict =
        std::make_shared<predictor>(b_, reconstructor(), images(n), read_parameters(data_, reconstructor()));
    return [this, n, predict] { (*predict)(view(x_t_, n), {times(n), {}}, view(y_, n)); };
  }

  B& b_;
  cz::safetensors_file data_;
  cz::buffer_t<B> x0_, x_t_, y_, time_;
  std::map<std::string, prepared> prepared_;
};

/// Reads commands from stdin, one a line, and answers each with one line:
///
///   TASK BATCH COUNT    do it COUNT times; the answer is milliseconds for one, as milliseconds(COUNT, f)
///   finds check FILE BATCH    see network_tasks::check; the answer is "done"
///
/// Others go to answer(command, tasks), which is false where it does not know one either. A command that
/// fails is answered with "error: " and why.
template <class B, class Clock, class Answer>
void serve(network_tasks<B>& tasks, const Clock& milliseconds, const Answer& answer) {
  const auto obey = [&](const std::string& line) {
    std::istringstream words(line);
    std::string command, path;
    cz::index_t batch = 0;
    int count = 0;
    words >> command;
    if (answer(command)) return;
    if (command == "check" && words >> path >> batch) {
      tasks.check(path, batch);
      std::cout << "done\n";
    } else if (words >> batch >> count && count > 0) {
      std::cout << milliseconds(count, tasks.repetition(command, batch)) << '\n';
    } else {
      throw cz::error("bench_network",
                      "found the command '" + line + "', wanted TASK BATCH COUNT or check FILE BATCH");
    }
  };
  for (std::string line; std::getline(std::cin, line);) {
    try {
      obey(line);
    } catch (const cz::error& failure) {
      std::cout << "error: " << failure.what() << '\n';
    }
    std::cout.flush();
  }
}
