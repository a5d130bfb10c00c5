// expect: coldzoom: make_method takes one policy of each kind
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/method.hpp>

using namespace coldzoom;

void compose() {
#ifdef POSITIVE
  make_method(centred{}, gaussian_noise{}, ddpm_schedule::linear(), predict_noise{});
#else
  make_method(centred{}, gaussian_noise{}, ddpm_schedule::linear(), predict_noise{}, predict_velocity{});
#endif
}
