/// A layer that measures another: where the time of a network goes.
#pragma once

#include <chrono>
#include <coldzoom/nn/layer.hpp>
#include <memory>

namespace coldzoom::inline COLDZOOM_ISA {

/// What `timed` layers have added up: seconds of wall clock, and images that went forward.
struct layer_times {
  double pack_weights = 0, forward = 0, backward = 0, reduce_gradients = 0;
  index_t images = 0;
};

/// The layer `L`, with the time of each of its passes added to `*times`, which copies share. The results are
/// those of `L`. Not for networks that predict on several threads at once.
template <class L> struct timed {
  L inner;
  std::shared_ptr<layer_times> times = std::make_shared<layer_times>();

  explicit timed(L layer) : inner(std::move(layer)) {}

  shape output_shape(shape in) const { return inner.output_shape(in); }
  index_t parameter_count() const { return inner.parameter_count(); }
  void describe(parameter_list& list, const std::string& prefix) const { inner.describe(list, prefix); }

  template <Backend B> using workspace = typename L::template workspace<B>;
  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    return inner.make_workspace(b, in, mode);
  }

  template <Backend B, class Workspace>
  void pack_weights(B& b, const real_t<B>* parameters, Workspace& ws) const {
    measure(b, times->pack_weights, [&] { inner.pack_weights(b, parameters, ws); });
  }
  template <Backend B, class Workspace>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, Workspace& ws) const {
    measure(b, times->forward, [&] { inner.forward(b, parameters, x, side, y, ws); });
    times->images += x.dims.n;
  }
  template <Backend B, class Workspace>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, Workspace& ws) const {
    measure(b, times->backward, [&] { inner.backward(b, parameters, x, side, dy, dx, gradients, ws); });
  }
  template <Backend B, class Workspace>
  void reduce_gradients(B& b, real_t<B>* gradients, Workspace& ws) const {
    measure(b, times->reduce_gradients, [&] { inner.reduce_gradients(b, gradients, ws); });
  }

 private:
  // Waits before and after, for backends that only queue their work.
  template <class B, class F> static void measure(B& b, double& seconds, F&& f) {
    b.synchronize();
    const auto start = std::chrono::steady_clock::now();
    f();
    b.synchronize();
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
