/// A model chosen at run time.
#pragma once

#include <coldzoom/nn/model.hpp>
#include <memory>

namespace coldzoom::inline COLDZOOM_ISA {

/// Holds any model on backend B that answers with `P` behind one indirect call a batch. Results equal those
/// of the model itself, bit for bit. The type keeps the prediction, so that no sampler mistakes the answer.
template <Backend B, Prediction P> class any_model {
 public:
  using prediction = P;
  using images = tensor_view<const float, typename B::space>;
  using labels = vector_view<const std::int32_t, typename B::space>;

  template <class M>
    requires(!std::same_as<M, any_model> && std::same_as<typename M::prediction, P>)
  explicit any_model(M m) : held_(std::make_unique<holder<M>>(std::move(m))) {}

  /// As model::set_labels and model::set_condition. Throws `error` where the model held reads none.
  void set_labels(labels of_images) { held_->set_labels(of_images); }
  void set_condition(images of_images) { held_->set_condition(of_images); }
  void operator()(images x_t, const sampling_step& step, tensor_view<float, typename B::space> y) {
    held_->answer(x_t, step, y);
  }

 private:
  struct base {
    virtual ~base() = default;
    virtual void set_labels(labels) = 0;
    virtual void set_condition(images) = 0;
    virtual void answer(images, const sampling_step&, tensor_view<float, typename B::space>) = 0;
  };
  template <class M> struct holder final : base {
    explicit holder(M m) : model_(std::move(m)) {}
    void set_labels(labels of_images) override {
      if constexpr (requires { model_.set_labels(of_images); }) {
        model_.set_labels(of_images);
      } else {
        require(!of_images.data, "any_model", "this model reads no labels");
      }
    }
    void set_condition(images of_images) override {
      if constexpr (requires { model_.set_condition(of_images); }) {
        model_.set_condition(of_images);
      } else {
        require(!of_images.data, "any_model", "this model reads no images to condition on");
      }
    }
    void answer(images x_t, const sampling_step& step, tensor_view<float, typename B::space> y) override {
      model_(x_t, step, y);
    }
    M model_;
  };
  std::unique_ptr<base> held_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
