// expect: coldzoom: this degradation adds no noise, so there is no noise, velocity or flow to predict
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/method.hpp>

using namespace coldzoom;

void compose() {
#ifdef POSITIVE
  make_method(centred{}, zoom<nearest>{}, linear_schedule(24), predict_x0{});
#else
  make_method(centred{}, zoom<nearest>{}, linear_schedule(24), predict_noise{});
#endif
}
