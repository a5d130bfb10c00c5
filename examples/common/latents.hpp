/// Where sampling starts: the latents of every kind of model, made from data or read from a file.
#pragma once

#include <string>
#include <vector>

#include "common/model.hpp"

namespace programs {

class any_backend;

inline const std::vector<std::string> latent_policies{"histogram", "patches", "gaussian"};

/// What a latent is drawn from: D(x, step) of `kind`.
struct latent_source {
  std::string policy;
  std::string kind;
  int step = 0;                       // of the zoom; 0 for noise
  std::string data;                   // that it was made from
  coldzoom::shape image;              // 1 x C x H x W, of the data
  histogram_counts counts{};          // of the policy histogram
  std::vector<std::uint8_t> patches;  // of the policy patches: N x C x h x w, the window that the step leaves

  coldzoom::image_window window() const;
  coldzoom::shape patch_dims() const;
};

/// What samples of a kind start from unless one says otherwise: the original's latents.
std::string default_latent(const std::string& kind);

/// Throws coldzoom::error where models of `kind` do not start from such latents.
void check_latent(const std::string& kind, const std::string& policy);

/// Latents at `step` of a zoom out of `images`; for noise nothing but the shape is taken from them.
latent_source make_latents(any_backend& b, const std::string& policy, const std::string& kind, int step,
                           const std::string& data, const coldzoom::labelled_images& images);

/// The file that `sample --latent-file` takes.
void save_latents(const std::string& path, const latent_source& source);

/// Throws coldzoom::error for a file that holds no latents, or such as cannot be drawn from.
latent_source load_latents(const std::string& path);

}  // namespace programs
