/// The planes of pictures, in memory or as spectra, that layers hand to their neighbours on a backend with
/// block kernels.
#pragma once

#include <coldzoom/backend/device/block.hpp>
#include <coldzoom/backend/image_callback.hpp>

namespace coldzoom::inline COLDZOOM_ISA::device {

/// Spectra are arrays of these.
template <class T> struct alignas(2 * sizeof(T)) complex {
  using real = T;
  T re, im;

  friend COLDZOOM_HD constexpr complex operator+(const complex& a, const complex& b) {
    return {a.re + b.re, a.im + b.im};
  }
  friend COLDZOOM_HD constexpr complex operator-(const complex& a, const complex& b) {
    return {a.re - b.re, a.im - b.im};
  }
};

/// Where planes are: in memory or, where `spectrum` is not null, as spectra of tiles of `points` x `points`.
/// Empty by default.
template <class Real> struct planes_at {
  Real* memory = nullptr;
  complex<Real>* spectrum = nullptr;
  index_t stride = 0;  // from one frequency to the next
  int points = 0;

  explicit operator bool() const { return memory || spectrum; }
};

/// A gradient on its way to the layer before, as a spectrum.
template <BlockBackend B> struct handed_gradient {
  B* backend;
  planes_at<real_t<B>> planes;
};
/// Called once with the number of images.
template <BlockBackend B> using gradient_callback = image_callback<handed_gradient<B>>;

}  // namespace coldzoom::inline COLDZOOM_ISA::device
