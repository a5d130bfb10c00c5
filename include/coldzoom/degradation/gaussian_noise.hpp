/// The hot special case: additive Gaussian noise.
#pragma once

#include <cmath>
#include <coldzoom/backend/normals.hpp>
#include <coldzoom/degradation/additive.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Dense images of noise.
struct store_noise {
  shape dims;
  float* out;

  COLDZOOM_HD void operator()(index_t n, index_t c, index_t y, index_t x, index_t length,
                              const float* e) const {
    float* row = out + ((n * dims.c + c) * dims.h + y) * dims.w + x;
    for (index_t j = 0; j < length; ++j) row[j] = e[j];
  }
};

/// Noise dense. Index: see row_part.
template <class Degradation, class In, class Levels, class Out> struct add_noise_rows {
  index_t columns;
  Degradation d;
  In x0;
  Levels level;
  const float* noise;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, first, last] = row_part::at(i, out.dims, columns);
    const float signal = d.signal(level[n]), amplitude = level[n];
    const float* row = noise + ((n * out.dims.c + c) * out.dims.h + y) * out.dims.w;
    for (index_t x = first; x < last; ++x) out(n, c, y, x) = signal * x0(n, c, y, x) + amplitude * row[x];
  }
};

}  // namespace detail

/// x_t = sqrt(1 - level^2) x0 + level e, e standard normal from the key: level is the noise amplitude of a
/// NoiseSchedule (Ho, Jain, Abbeel 2020, equation 4), at most 1; beyond, the result is NaN. `noise(key, i)`
/// regenerates e, so that a network can be trained on it without storing it. Cost of a batch: about 35 ns an
/// element; draw_noise and add_noise together, to the same result but for a rounding, take 5 to 9.
struct gaussian_noise {
  static constexpr bool variance_preserving = true;  // signal^2 + noise^2 = 1, as in a NoiseSchedule

  COLDZOOM_HD static coldzoom::amplitudes amplitudes(float level) {
    return {static_cast<double>(signal(level)), static_cast<double>(level)};
  }
  COLDZOOM_HD static float signal(float level) { return std::sqrt((1 - level) * (1 + level)); }
  COLDZOOM_HD float noise(const sample_key& key, index_t element) const {
    return random_normal(key, static_cast<std::uint64_t>(element));
  }
  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               sample_key key) const {
    return signal(level) * x0(c, y, x) + level * noise(key, (c * x0.h + y) * x0.w + x);
  }

  /// out[n][i] = noise(keys[n], i), dense images of shape `dims` in the backend's memory.
  template <Backend B> void draw_noise(B& b, key_sequence keys, shape dims, float* out) const {
    detail::for_each_normal(b, keys, dims, detail::store_noise{dims, out});
  }
  /// out = D(x0, level) with this noise, of dense images.
  template <Backend B>
  void add_noise(B& b, const_image_tensor<B> x0, const_levels<B> level, const float* noise,
                 image_tensor<B> out) const {
    using kernel =
        detail::add_noise_rows<gaussian_noise, const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
    const index_t columns = detail::columns_an_index<B>(x0.dims.w);
    b.for_each_index(detail::row_part::count(x0.dims, columns), kernel{columns, *this, x0, level, noise, out},
                     columns);
  }
};

static_assert(PixelDegradation<gaussian_noise> && UniformlyAdditive<gaussian_noise>);

}  // namespace coldzoom::inline COLDZOOM_ISA
