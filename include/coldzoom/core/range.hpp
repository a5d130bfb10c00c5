/// Value ranges of pixels as types: mixing them does not compile.
#pragma once

#include <coldzoom/core/view.hpp>
#include <concepts>

namespace coldzoom::inline COLDZOOM_ISA {

/// Pixels in [0, 1]: what pictures, metrics and files of samples use.
struct unit {
  static constexpr float low = 0.0f, high = 1.0f;
  static constexpr const char* name = "unit";
};
/// Pixels in [-0.5, 0.5]: what the Cold Zoom networks are trained on.
struct centred {
  static constexpr float low = -0.5f, high = 0.5f;
  static constexpr const char* name = "centred";
};
/// Pixels in [-1, 1]: what most diffusion code uses.
struct symmetric {
  static constexpr float low = -1.0f, high = 1.0f;
  static constexpr const char* name = "symmetric";
};

template <class R>
concept ValueRange = requires {
  { R::low } -> std::convertible_to<float>;
  { R::high } -> std::convertible_to<float>;
  { R::name } -> std::convertible_to<const char*>;
};

/// `value` carried from range `From` to range `To`; linear, no clamping.
template <ValueRange From, ValueRange To> COLDZOOM_HD constexpr float convert_range(float value) {
  return To::low + (value - From::low) * ((To::high - To::low) / (From::high - From::low));
}

/// The level that byte 0..255 stands for in range R: low + byte / 255 * (high - low).
template <ValueRange R> COLDZOOM_HD constexpr float from_byte(unsigned char byte) {
  return static_cast<float>(byte) / 255.0f * (R::high - R::low) + R::low;
}

/// A batch of images whose pixels are in range R.
template <ValueRange R, class T, class Space = host_space> struct image_batch : tensor_view<T, Space> {
  using range = R;

  constexpr image_batch() = default;
  COLDZOOM_HD explicit constexpr image_batch(tensor_view<T, Space> view) : tensor_view<T, Space>(view) {}
  COLDZOOM_HD constexpr image_batch images(index_t first, index_t count) const {
    return image_batch(tensor_view<T, Space>::images(first, count));
  }
  template <detail::constant_of<T> U> COLDZOOM_HD constexpr operator image_batch<R, U, Space>() const {
    return image_batch<R, U, Space>(tensor_view<U, Space>(*this));
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
