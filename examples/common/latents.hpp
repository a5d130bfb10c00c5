/// Where sampling starts: the latents of every kind of model, made from data or read from a file.
#pragma once

#include <array>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/initial_state/gaussian_mixture.hpp>
#include <string>
#include <vector>

#include "common/method.hpp"

namespace programs {

using histogram_counts = std::array<std::uint64_t, 256>;

/// What a latent is drawn from: D(x, step) of the method `kind`.
struct latent_source {
  std::string policy;
  std::string kind;
  int step = 0;               // 0 for noise, which knows none
  std::string data;           // that it was made from
  coldzoom::shape image{};    // 1 x C x H x W, of the data
  histogram_counts counts{};  // of the policy histogram
  std::vector<std::uint8_t>
      patches{};  // of the policy patches: N x C x h x w, the window that the step leaves
  std::vector<std::uint8_t> images{};   // of the policy degraded: N x C x H x W
  std::vector<std::uint8_t> labels{};   // of these images
  coldzoom::mixture_numbers mixture{};  // of the policy fitted

  coldzoom::image_window window() const;
  coldzoom::shape patch_dims() const;
  coldzoom::shape image_dims() const;
  /// Pixels of a row that differ: those of the window that a zoom leaves, else all.
  coldzoom::index_t grid_width() const;
};

/// All policies of all methods.
std::vector<std::string> latent_names();

/// "histogram", or "histogram or patches".
std::string latents_of(const method_entry& method);

/// Throws coldzoom::error where models of the method do not start from such latents.
void check_latent(const method_entry& method, const std::string& policy);

/// Latents of the last step of a method out of `images`; for noise nothing but the shape is taken from them.
latent_source make_latents(machine& m, const model_method& method, const std::string& policy,
                           const std::string& data, const coldzoom::labelled_images& images);

/// The file that `sample --latent-file` takes. Of the policy degraded it has the first 16 MiB of images.
void save_latents(const std::string& path, const latent_source& source);

/// Throws coldzoom::error for a file that holds no latents, or such as cannot be drawn from.
latent_source load_latents(const std::string& path);

}  // namespace programs
