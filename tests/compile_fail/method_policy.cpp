// expect: coldzoom: make_method takes a range, a degradation, a schedule and then, in any order, a prediction
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/method.hpp>

using namespace coldzoom;

struct late_steps {
#ifdef POSITIVE
  double step_weight(double time, double, double) const { return time; }
#else
  double step_weight(double time) const { return time; }
#endif
};

void compose() { make_method(centred{}, zoom<nearest>{}, linear_schedule(24), late_steps{}); }
