// expect: coldzoom: this sampler undoes added noise: give it a degradation with `amplitudes(level)` and
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/schedule/linear.hpp>

using namespace coldzoom;

#ifdef POSITIVE
using policy = flow_noise;
#else
using policy = zoom<nearest>;
#endif

void sample(reference_backend<float>& b, image_batch<centred, float> z) {
  auto predict = predicting<predict_x0>([](auto x, const sampling_step&, auto y) { y.data[0] = x.data[0]; });
  const policy degradation;
  const linear_schedule schedule(24);
  sampling_loop loop(ddim_sampler{}, b, predict, degradation, schedule, 24, key_sequence{}, z);
  loop.step();
}
