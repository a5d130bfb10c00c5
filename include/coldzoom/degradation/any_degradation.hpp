/// A degradation chosen at run time.
#pragma once

#include <coldzoom/degradation/degradation.hpp>
#include <memory>

namespace coldzoom::inline COLDZOOM_ISA {

/// Holds any degradation for backend B and value range R behind one indirect call a batch, so that a program
/// that offers many of them compiles one training loop. Results equal those of the degradation itself, bit
/// for bit.
template <Backend B, ValueRange R> class any_degradation {
 public:
  using range = R;

  template <class D>
    requires(!std::same_as<D, any_degradation>)
  explicit any_degradation(D d) : held_(std::make_shared<const holder<D>>(std::move(d))) {}

  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
             image_tensor<B> out) const {
    held_->apply(b, x0, level, keys, out);
  }

  /// Whether the degradation asks for keys.
  bool takes_keys() const { return held_->takes_keys(); }

 private:
  struct base {
    virtual ~base() = default;
    virtual void apply(B&, const_image_tensor<B>, const_levels<B>, key_sequence, image_tensor<B>) const = 0;
    virtual bool takes_keys() const = 0;
  };
  template <class D> struct holder final : base {
    explicit holder(D value) : d(std::move(value)) {}
    void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
               image_tensor<B> out) const override {
      degrade(b, d, image_batch<R, const float, typename B::space>(x0), level, keys,
              image_batch<R, float, typename B::space>(out));
    }
    bool takes_keys() const override { return detail::keyed_batch<D, B> || detail::keyed_pixel<D>; }
    D d;
  };
  std::shared_ptr<const base> held_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
