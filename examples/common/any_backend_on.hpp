/// What any_backend does, on backend B. any_backend.cpp compiles it, once for each that on_backend may
/// choose.
#pragma once

#include <algorithm>
#include <coldzoom/backend/transfer.hpp>

#include "common/any_backend.hpp"
#include "common/sampling_on.hpp"

namespace programs {

namespace detail {

/// work(in, out) on dense images of the host: on themselves where B works in host memory, else on copies.
template <class B, class Work>
void on_host_images(B& b, coldzoom::tensor_view<const float> in, coldzoom::tensor_view<float> out,
                    const Work& work) {
  if constexpr (std::same_as<typename B::space, coldzoom::host_space>) {
    work(in, out);
  } else {
    coldzoom::require(in.contiguous() && out.contiguous(), "on_host_images",
                      "found images with gaps between them, wanted dense ones");
    using space = typename B::space;
    auto x = b.template allocate<float>(in.dims.size()), y = b.template allocate<float>(out.dims.size());
    b.upload(in.data, x.data(), in.dims.size());
    work(coldzoom::tensor_view<const float, space>(x.data(), in.dims),
         coldzoom::tensor_view<float, space>(y.data(), out.dims));
    b.download(y.data(), out.data, out.dims.size());
  }
}

template <class B> class model_on final : public model_predictor {
 public:
  model_on(B& b, const trained_model& model)
      : b_(&b),
        model_(model),
        network_(coldzoom::predictor<B, coldzoom::reconstructor>(b, model.network, model.network.image(),
                                                                 model.parameters)) {}

  void operator()(host_images x, float time, host_images out) override {
    on_host_images(*b_, x, out, [&](auto in, auto answer) { network_(in, time, answer); });
  }
  std::vector<float> draw(const latent_source& latents, const sampling_options& options,
                          const sampling_observer& observe) override {
    return draw_samples(*b_, network_, model_, drawing_of(*b_, latents), options, observe);
  }

 private:
  B* b_;
  trained_model model_;
  coldzoom::any_network<B> network_;
};

template <class B> class classifier_on final : public classifier_predictor {
 public:
  classifier_on(B& b, const classifier_model& model)
      : b_(&b),
        trunk_(b, model.network.trunk(), model.network.image(), part(model, 0, trunk_size(model))),
        head_(b, model.network.head(), {1, digit_classifier::features, 1, 1},
              part(model, trunk_size(model), parameter_count(model.network))) {}

  void operator()(backend&, coldzoom::image_batch<classifier_range, const float> images,
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

template <class B> class backend_on final : public any_backend {
 public:
  backend_on(B& b, backend& host) : b_(&b), host_(&host) {}

  backend& host() override { return *host_; }

  std::unique_ptr<model_predictor> run(const trained_model& model) override {
    return std::make_unique<model_on<B>>(*b_, model);
  }
  std::unique_ptr<classifier_predictor> run(const classifier_model& model) override {
    return std::make_unique<classifier_on<B>>(*b_, model);
  }

  void for_each_degraded(
      const coldzoom::labelled_images& images, const model_method& m, int t, coldzoom::key_sequence keys,
      const std::function<void(coldzoom::index_t, host_images, host_images)>& use) override {
    const auto degradation = degradation_on<B>(m);
    const auto levels = coldzoom::to_backend(*b_, std::vector<float>(batch, level_of(m, t)));
    std::vector<float> clean(static_cast<std::size_t>(images.dims.with_n(batch).size())),
        degraded(clean.size());
    for (coldzoom::index_t first = 0; first < images.dims.n; first += batch) {
      const coldzoom::shape dims = images.dims.with_n(std::min(batch, images.dims.n - first));
      const host_images x0(coldzoom::tensor_view<float>(clean.data(), dims)),
          z(coldzoom::tensor_view<float>(degraded.data(), dims));
      const auto from = images.pixels.begin() + first * dims.image();
      std::transform(from, from + dims.size(), clean.begin(), coldzoom::from_byte<value_range>);
      on_host_images(*b_, x0, z, [&](auto in, auto out) {
        coldzoom::degrade(*b_, degradation, coldzoom::image_batch<value_range, const float, space>(in),
                          {levels.data(), dims.n}, keys.from(first), images_on<B>(out));
      });
      use(first, x0, z);
    }
  }

  void for_each_latent(const latent_source& source, coldzoom::index_t count, std::uint64_t seed,
                       const std::function<void(coldzoom::index_t, host_images)>& use) override {
    const draw_latents_on<B> draw = drawing_of(*b_, source);
    std::vector<float> copy;
    auto memory = b_->template allocate<float>(source.image.with_n(batch).size());
    for (coldzoom::index_t first = 0; first < count; first += batch) {
      const images_on<B> z(coldzoom::tensor_view<float, space>(
          memory.data(), source.image.with_n(std::min(batch, count - first))));
      draw(*b_, {seed, coldzoom::stream::initial_state, static_cast<std::uint64_t>(first)}, z);
      use(first, seen_by_host(*b_, z, copy));
    }
  }

 private:
  using space = typename B::space;
  static constexpr coldzoom::index_t batch = 1024;

  B* b_;
  backend* host_;
};

}  // namespace detail

template <class B> std::unique_ptr<any_backend> any_backend_on(B& b, backend& host) {
  return std::make_unique<detail::backend_on<B>>(b, host);
}
extern template std::unique_ptr<any_backend> any_backend_on(backend&, backend&);

}  // namespace programs
