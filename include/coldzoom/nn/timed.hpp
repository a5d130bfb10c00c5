/// A layer that measures another: where the time of a network goes.
#pragma once

#include <chrono>
#include <coldzoom/nn/layer.hpp>
#include <memory>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// The sums of a `timed` layer: seconds of wall clock, and images that went forward.
struct layer_times {
  double pack_weights = 0, forward = 0, backward = 0, reduce_gradients = 0;
  index_t images = 0;
};

/// The layer `L`, with the time of each of its passes added to `*times`, which copies share. The results are
/// those of `L`. A timed layer in a chain computes as it does without the clock, so the times are those of
/// the real run. Of a conv_stack the parts are measured too, as they run there, into `*parts`: the blocks and
/// the convolution at the end. They run apart from each other, but the work of handing an image on counts for
/// the part that hands it. Not for networks that predict on several threads at once.
template <class L> struct timed {
  L inner;
  std::shared_ptr<layer_times> times = std::make_shared<layer_times>();
  std::shared_ptr<std::vector<layer_times>> parts = std::make_shared<std::vector<layer_times>>();

  explicit timed(L layer) : inner(std::move(layer)) {
    if constexpr (has_parts) parts->resize(inner.part_count());
  }

  shape output_shape(shape in) const { return inner.output_shape(in); }
  void describe(parameter_list& list, const std::string& prefix) const { inner.describe(list, prefix); }

  template <Backend B> using workspace = typename L::template workspace<B>;
  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    return inner.make_workspace(b, in, mode);
  }

  template <Backend B, class Workspace>
  void pack_weights(B& b, const real_t<B>* parameters, Workspace& ws) const {
    measure(b, &layer_times::pack_weights,
            [&](const auto&... around) { inner.pack_weights(b, parameters, ws, around...); });
  }
  template <Backend B, class Workspace>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, Workspace& ws) const {
    measure(b, &layer_times::forward,
            [&](const auto&... around) { inner.forward(b, parameters, x, side, y, ws, around...); });
    times->images += x.dims.n;
    for (layer_times& part : *parts) part.images += x.dims.n;
  }
  template <Backend B, class Workspace>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, Workspace& ws) const {
    measure(b, &layer_times::backward, [&](const auto&... around) {
      inner.backward(b, parameters, x, side, dy, dx, gradients, ws, around...);
    });
  }
  template <Backend B, class Workspace>
  void reduce_gradients(B& b, real_t<B>* gradients, Workspace& ws) const {
    measure(b, &layer_times::reduce_gradients,
            [&](const auto&... around) { inner.reduce_gradients(b, gradients, ws, around...); });
  }

 private:
  static constexpr bool has_parts = requires(const L& layer) { layer.part_count(); };

  /// run() or, where the layer has parts, run(around).
  template <class B, class Run> void measure(B& b, double layer_times::*pass, const Run& run) const {
    clock(b, (*times).*pass, [&] {
      if constexpr (has_parts) {
        run([&](std::size_t i, const auto& work) { clock(b, (*parts)[i].*pass, work); });
      } else {
        run();
      }
    });
  }
  // Waits before and after, for backends that only queue their work.
  template <class B, class F> static void clock(B& b, double& seconds, const F& f) {
    b.synchronize();
    const auto start = std::chrono::steady_clock::now();
    f();
    b.synchronize();
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
