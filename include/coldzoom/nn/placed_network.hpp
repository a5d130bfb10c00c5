/// A network and the memory that it works in.
#pragma once

#include <coldzoom/nn/layer.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// A network with a workspace on backend B, and its passes. Everything that runs a network goes through here,
/// so `template class placed_network<B, Network>` is all of a network that takes long to compile: a unit that
/// declares it `extern` compiles none of it, see training/engine.hpp.
template <Backend B, class Network> class placed_network {
 public:
  /// For up to in.n inputs of shape `in`. Throws `error` where the input does not fit.
  placed_network(B& b, Network network, shape in, pass mode);
  placed_network(placed_network&&) noexcept;
  placed_network& operator=(placed_network&&) noexcept;
  ~placed_network();

  const Network& network() const { return network_; }

  // Those of a Layer.
  void pack_weights(B& b, const real_t<B>* parameters);
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y);
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients);
  void reduce_gradients(B& b, real_t<B>* gradients);

 private:
  Network network_;
  typename Network::template workspace<B> workspace_;
};

// Outside the class, so that they are not inline: compilers look into inline functions whatever is extern.
template <Backend B, class Network>
placed_network<B, Network>::placed_network(B& b, Network network, shape in, pass mode)
    : network_(std::move(network)),
      workspace_(network_.make_workspace(b, in, mode)) {}
template <Backend B, class Network>
placed_network<B, Network>::placed_network(placed_network&&) noexcept = default;
template <Backend B, class Network>
placed_network<B, Network>& placed_network<B, Network>::operator=(placed_network&&) noexcept = default;
template <Backend B, class Network> placed_network<B, Network>::~placed_network() = default;

template <Backend B, class Network>
void placed_network<B, Network>::pack_weights(B& b, const real_t<B>* parameters) {
  network_.pack_weights(b, parameters, workspace_);
}
template <Backend B, class Network>
void placed_network<B, Network>::forward(B& b, const real_t<B>* parameters, const_activation<B> x,
                                         const side_inputs<B>& side, activation<B> y) {
  network_.forward(b, parameters, x, side, y, workspace_);
}
template <Backend B, class Network>
void placed_network<B, Network>::backward(B& b, const real_t<B>* parameters, const_activation<B> x,
                                          const side_inputs<B>& side, activation<B> dy, activation<B> dx,
                                          real_t<B>* gradients) {
  network_.backward(b, parameters, x, side, dy, dx, gradients, workspace_);
}
template <Backend B, class Network>
void placed_network<B, Network>::reduce_gradients(B& b, real_t<B>* gradients) {
  network_.reduce_gradients(b, gradients, workspace_);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
