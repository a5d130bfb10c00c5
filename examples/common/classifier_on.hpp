/// The digit classifier on backend B. classifier_on.cpp compiles it for each that the programs have.
#pragma once

#include <coldzoom/nn/predictor.hpp>

#include "common/classifier.hpp"
#include "common/host_images.hpp"
#include "common/on_backend.hpp"

namespace programs {

template <class B> class classifier_on final : public classifier_predictor {
 public:
  classifier_on(B& b, const classifier_model& model)
      : b_(&b),
        trunk_(b, model.network.trunk(), model.network.image(), part(model, 0, trunk_size(model))),
        head_(b, model.network.head(), {1, digit_classifier::features, 1, 1},
              part(model, trunk_size(model), parameter_count(model.network))) {}

  void operator()(host_backend&, coldzoom::image_batch<classifier_range, const float> images,
                  coldzoom::tensor_view<float> out) override {
    on_host_images(*b_, images, out, [&](auto x, auto y) { trunk_(x, coldzoom::side_inputs<B>{}, y); });
  }
  std::vector<float> logits(const float* features, coldzoom::index_t n) override {
    std::vector<float> rows(static_cast<std::size_t>(n * digit_classifier::classes));
    on_host_images(*b_, {features, {n, digit_classifier::features, 1, 1}},
                   {rows.data(), {n, digit_classifier::classes, 1, 1}},
                   [&](auto x, auto y) { head_(x, coldzoom::side_inputs<B>{}, y); });
    return rows;
  }

 private:
  static coldzoom::index_t trunk_size(const classifier_model& model) {
    return parameter_count(model.network.trunk());
  }
  static std::vector<float> part(const classifier_model& model, coldzoom::index_t first,
                                 coldzoom::index_t last) {
    return {model.parameters.begin() + first, model.parameters.begin() + last};
  }

  B* b_;
  coldzoom::predictor<B, classifier_trunk> trunk_;
  coldzoom::predictor<B, coldzoom::linear> head_;
};

}  // namespace programs
