// expect: coldzoom: this weighting goes by the signal-to-noise ratio, which a degradation has only with
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/method.hpp>

using namespace coldzoom;

void compose() {
#ifdef POSITIVE
  make_method(centred{}, zoom<nearest>{}, linear_schedule(24), uniform_weight{});
#else
  make_method(centred{}, zoom<nearest>{}, linear_schedule(24), min_snr_weight{});
#endif
}
