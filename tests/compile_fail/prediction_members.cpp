// expect: coldzoom: give your prediction `name`, `needs_amplitudes` and static functions `double target(x0, e,
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/training/method.hpp>

using namespace coldzoom;

/// The difference to what is seen.
struct predict_residual {
  static constexpr const char* name = "residual";
  static constexpr bool needs_amplitudes = true;
  COLDZOOM_HD static double target(double x0, double e, amplitudes a) {
    return (a.signal - 1) * x0 + a.noise * e;
  }
  COLDZOOM_HD static double x0(double z, double y, amplitudes) { return z - y; }
#ifdef POSITIVE
  COLDZOOM_HD static double noise(double z, double y, amplitudes a) {
    return (z - a.signal * (z - y)) / a.noise;
  }
#endif
};

void compose() { make_method(centred{}, gaussian_noise{}, ddpm_schedule::linear(), predict_residual{}); }
