/// A layer chosen at run time.
#pragma once

#include <coldzoom/nn/placed_network.hpp>
#include <memory>

namespace coldzoom::inline COLDZOOM_ISA {

/// Holds any layer or network of backend B behind one indirect call a pass, so that a program compiles each
/// network once and everything that uses a network, trainers above all, once for all networks. Results equal
/// those of the layer itself, bit for bit. Copies share the layer, which is const; a workspace holds a copy of it.
template <Backend B> class any_layer {
  struct memory {
    virtual ~memory() = default;
  };

 public:
  template <class L>
    requires(!std::same_as<L, any_layer> && Layer<L, B>)
  explicit any_layer(L layer) : held_(std::make_shared<const holder<L>>(std::move(layer))) {}

  /// On B alone, whichever backend `workspace` is asked for.
  template <Backend> using workspace = std::unique_ptr<memory>;

  shape output_shape(shape in) const { return held_->output_shape(in); }
  void describe(parameter_list& list, const std::string& prefix) const { held_->describe(list, prefix); }
  workspace<B> make_workspace(B& b, shape in, pass mode) const { return held_->make_workspace(b, in, mode); }
  void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    held_->pack_weights(b, parameters, *ws);
  }
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    held_->forward(b, parameters, x, side, y, *ws);
  }
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    held_->backward(b, parameters, x, side, dy, dx, gradients, *ws);
  }
  void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    held_->reduce_gradients(b, gradients, *ws);
  }

 private:
  struct base {
    virtual ~base() = default;
    virtual shape output_shape(shape) const = 0;
    virtual void describe(parameter_list&, const std::string&) const = 0;
    virtual std::unique_ptr<memory> make_workspace(B&, shape, pass) const = 0;
    virtual void pack_weights(B&, const real_t<B>*, memory&) const = 0;
    virtual void forward(B&, const real_t<B>*, const_activation<B>, const side_inputs<B>&, activation<B>,
                         memory&) const = 0;
    virtual void backward(B&, const real_t<B>*, const_activation<B>, const side_inputs<B>&, activation<B>,
                          activation<B>, real_t<B>*, memory&) const = 0;
    virtual void reduce_gradients(B&, real_t<B>*, memory&) const = 0;
  };
  template <class L> struct holder final : base {
    using placed = placed_network<B, L>;
    struct own_memory final : memory {
      explicit own_memory(placed of) : layer(std::move(of)) {}
      placed layer;
    };
    static placed& own(memory& ws) { return static_cast<own_memory&>(ws).layer; }

    explicit holder(L held) : layer(std::move(held)) {}
    shape output_shape(shape in) const override { return layer.output_shape(in); }
    void describe(parameter_list& list, const std::string& prefix) const override {
      layer.describe(list, prefix);
    }
    std::unique_ptr<memory> make_workspace(B& b, shape in, pass mode) const override {
      return std::make_unique<own_memory>(placed(b, layer, in, mode));
    }
    void pack_weights(B& b, const real_t<B>* parameters, memory& ws) const override {
      own(ws).pack_weights(b, parameters);
    }
    void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                 activation<B> y, memory& ws) const override {
      own(ws).forward(b, parameters, x, side, y);
    }
    void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                  activation<B> dy, activation<B> dx, real_t<B>* gradients, memory& ws) const override {
      own(ws).backward(b, parameters, x, side, dy, dx, gradients);
    }
    void reduce_gradients(B& b, real_t<B>* gradients, memory& ws) const override {
      own(ws).reduce_gradients(b, gradients);
    }
    L layer;
  };
  std::shared_ptr<const base> held_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
