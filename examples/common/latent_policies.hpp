/// What sampling may start from, as policies that an entry of the table of methods names.
#pragma once

#include <coldzoom/degradation/additive.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/interpolation.hpp>

namespace programs {

namespace detail {

/// A zoom: its last step leaves a window of the picture, enlarged by an interpolation.
template <class D>
concept Zooms = requires(const D d, coldzoom::index_t side) {
  { d.window(1, side, side) } -> std::same_as<coldzoom::image_window>;
  requires coldzoom::Interpolation<std::remove_cvref_t<decltype(d.interpolation)>>;
};

}  // namespace detail

/// What sampling starts from, as --latent names it. Policies of add_method, the first is the default.
struct histogram_latents {  // independent pixels, from the counts of D(x, T)
  using latents = void;
  static constexpr const char* name = "histogram";
  template <class D, class> static constexpr bool fit = detail::Zooms<D>;
};
struct patch_latents {  // the windows that a zoom leaves of training images
  using latents = void;
  static constexpr const char* name = "patches";
  template <class D, class> static constexpr bool fit = detail::Zooms<D>;
};
struct gaussian_latents {  // independent normals, of the deviation that D(x, T) has or 1
  using latents = void;
  static constexpr const char* name = "gaussian";
  template <class D, class> static constexpr bool fit = coldzoom::UniformlyAdditive<D>;
};
struct degraded_latents {  // D(x, T) of training images; fits every method
  using latents = void;
  static constexpr const char* name = "degraded";
  template <class, class> static constexpr bool fit = true;
};

struct fitted_latents {  // drawn from a law fitted to what D(x, T) keeps of training images
  using latents = void;
  static constexpr const char* name = "fitted";
  template <class, class> static constexpr bool fit = true;
};

}  // namespace programs
