/// A network chosen at run time.
#pragma once

#include <coldzoom/nn/predictor.hpp>
#include <memory>

namespace coldzoom::inline COLDZOOM_ISA {

/// Holds a predictor of any network on backend B behind one indirect call a batch. Results equal those of the
/// predictor itself, bit for bit.
template <Backend B> class any_network {
 public:
  template <Layer<B> Network>
  explicit any_network(predictor<B, Network> p) : held_(std::make_unique<holder<Network>>(std::move(p))) {}

  /// out = network(x, time) for all images of x, time = t / T.
  void operator()(tensor_view<const float, typename B::space> x, float time,
                  tensor_view<float, typename B::space> out) {
    held_->predict(x, time, out);
  }

 private:
  struct base {
    virtual ~base() = default;
    virtual void predict(tensor_view<const float, typename B::space>, float,
                         tensor_view<float, typename B::space>) = 0;
  };
  template <class Network> struct holder final : base {
    explicit holder(predictor<B, Network> p) : predict_(std::move(p)) {}
    void predict(tensor_view<const float, typename B::space> x, float time,
                 tensor_view<float, typename B::space> out) override {
      predict_(x, time, out);
    }
    predictor<B, Network> predict_;
  };
  std::unique_ptr<base> held_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
