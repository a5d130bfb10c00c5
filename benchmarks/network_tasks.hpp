/// What compare_pytorch times of ours, on any backend: training steps and calls of networks and, of the
/// reconstructor, samples and the zoom. And the commands by which it asks for them.
#pragma once

#include <algorithm>
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

namespace cz = coldzoom;

/// The update that cz::trainer makes of a batch, with weights and inputs from outside.
template <cz::Backend B, class Network> class training_step {
  using images_view = cz::tensor_view<const float, typename B::space>;
  using time_view = cz::vector_view<const float, typename B::space>;

 public:
  training_step(B& b, Network network, cz::shape images, const std::vector<float>& parameters)
      : b_(b),
        network_(std::move(network)),
        images_(images),
        most_(std::min(cz::micro_batch_of<B>, images.n)),
        parameters_(cz::to_backend(b, parameters)),
        gradients_(b.template allocate<float>(cz::parameter_count(network_))),
        loss_(b.template allocate<float>(images.n)),
        updater_(b, cz::parameters_of(network_)),
        workspace_(network_.make_workspace(b, images.with_n(most_), cz::pass::train)),
        x_(b, images.with_n(most_)),
        y_(b, images.with_n(most_)),
        dy_(b, images.with_n(most_)) {}

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

  /// Adds to `file` the output, the loss and the gradients. The gradients are those of a third pass, which a
  /// backend that records replays.
  void dump(cz::safetensors_file& file, images_view x, time_view time, images_view target) {
    auto y = b_.template allocate<float>(images_.size());
    const cz::tensor_view<float, typename B::space> out(y.data(), images_);
    pass(x, time, target, [&](cz::index_t first, cz::const_activation<B> part) {
      cz::unpack_images(b_, part, out.images(first, part.dims.n));
    });
    for (int i = 0; i < 3; ++i) find_gradients(x, time, target);
    file.add("y", {images_.n, images_.c, images_.h, images_.w}, cz::to_host(b_, y));
    file.add("loss", {}, std::vector<double>{b_.sum(loss_.data(), images_.n)});
    const float* from = gradients_.data();
    for (const cz::parameter_info& tensor : cz::parameters_of(network_)) {
      file.add("grad." + tensor.name, tensor.dims, cz::to_host<float>(b_, from, tensor.size()));
      from += tensor.size();
    }
  }

 private:
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
    for (cz::index_t first = 0; first < images_.n; first += most_) {
      const cz::index_t n = std::min(most_, images_.n - first);
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
  cz::index_t most_;  // images at a time
  cz::buffer_t<B> parameters_, gradients_, loss_;
  cz::updater<B> updater_;
  typename Network::template workspace<B> workspace_;
  cz::activation_buffer<B> x_, y_, dy_;
  cz::graph_capture<B, const float*> recorded_;
  std::optional<cz::pending_sum_t<B>> before_;
};

/// What is timed of a network.
struct timed_network {
  virtual ~timed_network() = default;
  /// One repetition of a task on the first `n` images, with memory of its own. Throws `error` where the network
  /// has no such task, or the data have fewer images.
  virtual std::function<void()> repetition(const std::string& task, cz::index_t n) = 0;
  /// Adds to `file` what the tasks compute of the first `n` images.
  virtual void check(cz::safetensors_file& file, cz::index_t n) = 0;
};

/// Tasks `train` and `forward` of a network on the data under its name in a safetensors file: NAME.x0 (N x C x
/// H x W, what it is to answer), NAME.x_t (the same shape, what it sees), NAME.time (N) and its parameters,
/// NAME. before each. All data lie on the backend from the start.
template <cz::Backend B, class Network> class network_tasks : public timed_network {
 public:
  network_tasks(B& b, const cz::safetensors_file& data, const std::string& name, Network network)
      : b_(b),
        network_(std::move(network)),
        x0_(cz::to_backend(b, data.values<float>(name + ".x0"))) {
    const std::vector<cz::index_t>& extents = data.find(name + ".x0")->shape;
    dims_ = {extents.at(0), extents.at(1), extents.at(2), extents.at(3)};
    time_ = cz::to_backend(b, data.values<float>(name + ".time", {dims_.n}));
    x_t_ = cz::to_backend(b, data.values<float>(name + ".x_t", extents));
    y_ = b.template allocate<float>(dims_.size());
    for (const cz::parameter_info& tensor : cz::parameters_of(network_)) {
      const std::vector<float>& values = data.values<float>(name + "." + tensor.name, tensor.dims);
      parameters_.insert(parameters_.end(), values.begin(), values.end());
    }
  }

  std::function<void()> repetition(const std::string& task, cz::index_t n) final {
    cz::require(n >= 1 && n <= dims_.n, "bench_network", [&] {
      return "the batch is " + std::to_string(n) + "; the data have " + std::to_string(dims_.n) + " images";
    });
    std::function<void()> made = make(task, n);
    cz::require(bool(made), "bench_network", [&] { return "there is no task '" + task + "'"; });
    return made;
  }

  void check(cz::safetensors_file& file, cz::index_t n) override {
    step(n)->dump(file, view(x_t_, n), times(n), view(x0_, n));
    add_answers(file, "forward", n);
  }

 protected:
  using space = typename B::space;

  /// Nothing where there is no such task. Memory is made here and not before, so that the memory of one task is
  /// not counted for another.
  virtual std::function<void()> make(const std::string& task, cz::index_t n) {
    if (task == "train") {
      return [this, n, update = step(n)] { (*update)(view(x_t_, n), times(n), view(x0_, n)); };
    }
    if (task != "forward") return {};
    const auto predict = std::make_shared<cz::predictor<B, Network>>(b_, network_, dims_, parameters_,
                                                                     std::min(cz::micro_batch_of<B>, n));
    return [this, n, predict] { (*predict)(view(x_t_, n), {times(n), {}}, view(y_, n)); };
  }

  cz::tensor_view<float, space> view(cz::buffer_t<B>& pixels, cz::index_t n) {
    return {pixels.data(), dims_.with_n(n)};
  }
  cz::vector_view<const float, space> times(cz::index_t n) const { return {time_.data(), n}; }
  std::shared_ptr<training_step<B, Network>> step(cz::index_t n) {
    return std::make_shared<training_step<B, Network>>(b_, network_, dims_.with_n(n), parameters_);
  }
  void add_images(cz::safetensors_file& file, const std::string& name, const cz::buffer_t<B>& pixels,
                  cz::index_t n) {
    file.add(name, {n, dims_.c, dims_.h, dims_.w},
             cz::to_host<float>(b_, pixels.data(), dims_.with_n(n).size()));
  }
  /// What a task leaves in y.
  void add_answers(cz::safetensors_file& file, const std::string& task, cz::index_t n) {
    const std::function<void()> once = repetition(task, n);
    for (int i = 0; i < 3; ++i) once();  // the third is a replay where the backend records
    add_images(file, task, y_, n);
  }

  B& b_;
  Network network_;
  std::vector<float> parameters_;
  cz::shape dims_;
  cz::buffer_t<B> x0_, x_t_, y_, time_;
};

/// The reconstructor has two tasks more, `zoom` and `sample`, and zooms in `train` as well. Its time is step / 24,
/// as the level of that step.
template <cz::Backend B> class reconstructor_tasks final : public network_tasks<B, cz::reconstructor> {
  using base = network_tasks<B, cz::reconstructor>;

 public:
  reconstructor_tasks(B& b, const cz::safetensors_file& data)
      : base(b, data, "reconstructor", cz::reconstructor::original({1, 1, 28, 28})) {}

  /// Of the sampler also each state and what the network makes of it.
  void check(cz::safetensors_file& file, cz::index_t n) override {
    b_.for_each_index(x_t_.size(), cz::generic::fill<float>{0.0f, x_t_.data()});  // to see what zooms
    zoom(n);
    base::add_images(file, "x_t", x_t_, n);
    base::check(file, n);
    base::add_answers(file, "sample", n);
    std::vector<float> z, x0_hat;
    const auto append = [&](std::vector<float>& all, const auto& part) {
      const std::vector<float> values = cz::to_host<float>(b_, part.data, dims_.with_n(n).size());
      all.insert(all.end(), values.begin(), values.end());
    };
    sample(*make_model(), n, [&](int, const auto& state, const auto& answer) {
      append(z, state);
      append(x0_hat, answer);
    });
    file.add("sample.z", {steps, n, dims_.c, dims_.h, dims_.w}, z);
    file.add("sample.x0_hat", {steps, n, dims_.c, dims_.h, dims_.w}, x0_hat);
  }

 private:
  static constexpr int steps = 24;
  static constexpr cz::zoom<cz::nearest> degradation{{}, steps};
  using range = cz::centred;
  using space = typename base::space;
  using model = cz::model<B, cz::predict_x0, cz::reconstructor>;
  using base::b_, base::dims_, base::x_t_;

  std::function<void()> make(const std::string& task, cz::index_t n) override {
    if (task == "zoom") return [this, n] { zoom(n); };
    if (task == "sample") {
      return [this, n, predict = make_model()] { sample(*predict, n, cz::no_observer{}); };
    }
    const std::function<void()> made = base::make(task, n);
    if (task != "train") return made;
    return [this, n, made] {
      zoom(n);
      made();
    };
  }

  void zoom(cz::index_t n) {
    degrade(b_, degradation, cz::image_batch<range, const float, space>(base::view(base::x0_, n)),
            base::times(n), {}, cz::image_batch<range, float, space>(base::view(x_t_, n)));
  }
  /// The naive sampler from the zoomed images, into y.
  template <class Observer> void sample(model& predict, cz::index_t n, Observer&& observer) {
    b_.copy(x_t_.data(), base::y_.data(), dims_.with_n(n).size());
    cz::naive_sampler{}(b_, predict, degradation, cz::linear_schedule(steps), steps, {},
                        cz::image_batch<range, float, space>(base::view(base::y_, n)), observer);
  }
  std::shared_ptr<model> make_model() {
    return std::make_shared<model>(b_, cz::predict_x0{}, base::network_, dims_, base::parameters_);
  }
};

/// Networks by name. Each is made when it is first asked for, and so is each of its tasks; a task's memory is
/// kept until it is asked for with another batch.
class network_list {
 public:
  using maker = std::function<std::unique_ptr<timed_network>()>;

  void add(const std::string& name, maker make) { entries_[name].make = std::move(make); }
  /// A network with the tasks of every network, on its part of `data`, which must outlive this list, as must b.
  template <cz::Backend B, class Network>
  void add(B& b, const cz::safetensors_file& data, const std::string& name, Network network) {
    add(name, [&b, &data, name, network] {
      return std::make_unique<network_tasks<B, Network>>(b, data, name, network);
    });
  }

  const std::function<void()>& repetition(const std::string& network, const std::string& task,
                                          cz::index_t batch) {
    timed_network& tasks = find(network);
    prepared& kept = entries_[network].tasks[task];
    if (kept.batch != batch) {
      kept = {};  // before the new one takes its memory
      kept.repetition = tasks.repetition(task, batch);
      kept.batch = batch;
    }
    return kept.repetition;
  }

  /// Writes what a network computes of the first `batch` images.
  void check(const std::string& network, const std::string& path, cz::index_t batch) {
    cz::safetensors_file file;
    find(network).check(file, batch);
    cz::save_safetensors(path, file);
  }

 private:
  struct prepared {
    cz::index_t batch = 0;
    std::function<void()> repetition;
  };
  struct entry {
    maker make;
    std::unique_ptr<timed_network> network;
    std::map<std::string, prepared> tasks;
  };

  timed_network& find(const std::string& name) {
    const auto at = entries_.find(name);
    cz::require(at != entries_.end(), "bench_network", [&] { return "there is no network '" + name + "'"; });
    if (!at->second.network) at->second.network = at->second.make();
    return *at->second.network;
  }

  std::map<std::string, entry> entries_;
};

/// Reads commands from stdin, one a line, and answers each with one line:
///
///   NETWORK TASK BATCH COUNT    does it COUNT times; the answer is milliseconds(COUNT, f), those of one
///   check NETWORK FILE BATCH    see network_list::check; the answer is "done"
///
/// Others go to answer(command), which is false where it does not know one either. A command that fails is
/// answered with "error: " and why.
template <class Clock, class Answer>
void serve(network_list& networks, const Clock& milliseconds, const Answer& answer) {
  const auto obey = [&](const std::string& line) {
    std::istringstream words(line);
    std::string first, second, path;
    cz::index_t batch = 0;
    int count = 0;
    words >> first;
    if (answer(first)) return;
    words >> second;
    if (first == "check" && words >> path >> batch) {
      networks.check(second, path, batch);
      std::cout << "done\n";
    } else if (words >> batch >> count && count > 0) {
      std::cout << milliseconds(count, networks.repetition(first, second, batch)) << '\n';
    } else {
      throw cz::error("bench_network", "found the command '" + line +
                                           "', wanted NETWORK TASK BATCH COUNT or check NETWORK FILE BATCH");
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
