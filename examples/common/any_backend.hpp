/// The backend that the user chose, behind an interface that knows none: what runs networks, degradations and
/// latents for the programs. Images lie in host memory. any_backend.cpp alone is compiled for each backend.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/classifier.hpp"
#include "common/sampling.hpp"

namespace programs {

/// A trained model at work.
class model_predictor {
 public:
  virtual ~model_predictor() = default;

  /// out = what the network answers to x at time t / T; both dense.
  virtual void operator()(host_images x, float time, host_images out) = 0;

  /// options.count samples in [-0.5, 0.5], N x C x H x W. Sample i depends on the seed and i alone.
  virtual std::vector<float> draw(const latent_source& latents, const sampling_options& options,
                                  const sampling_observer& observe = {}) = 0;
};

class any_backend {
 public:
  virtual ~any_backend() = default;

  /// The CPU's, for what is computed in host memory whatever the choice: the metrics.
  virtual backend& host() = 0;

  /// What is returned must not outlive the backend itself.
  virtual std::unique_ptr<model_predictor> run(const trained_model& model) = 0;
  virtual std::unique_ptr<classifier_predictor> run(const classifier_model& model) = 0;

  /// use(first, x0, D(x0, t)) for all images in batches; `keys` name the noise.
  virtual void for_each_degraded(
      const coldzoom::labelled_images& images, const model_method& m, int t, coldzoom::key_sequence keys,
      const std::function<void(coldzoom::index_t, host_images, host_images)>& use) = 0;

  /// use(first, z) for `count` latents in batches. Latent i depends on the seed and i alone.
  virtual void for_each_latent(const latent_source& source, coldzoom::index_t count, std::uint64_t seed,
                               const std::function<void(coldzoom::index_t, host_images)>& use) = 0;
};

/// `b` as such a backend, with `host` as on_backend gives it; both must live as long. Compiled for each B
/// that on_backend may choose; any_backend_on.hpp makes it of others.
template <class B> std::unique_ptr<any_backend> any_backend_on(B& b, backend& host);

/// Calls work with the backend of that choice. Throws coldzoom::error for a device that is not there.
void on_any_backend(const backend_choice& on, const std::function<void(any_backend&)>& work);

/// The body of a program whose settings have a backend_choice `on`: work(b, settings).
template <class Work> auto with_backend(Work work) {
  return [work](const auto& settings) {
    on_any_backend(settings.on, [&](any_backend& b) { work(b, settings); });
  };
}

}  // namespace programs
