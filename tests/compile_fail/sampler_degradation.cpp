// expect: coldzoom: this sampler undoes added noise: give it a degradation with `amplitudes(level)` and
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/schedule/ddpm.hpp>

using namespace coldzoom;

#ifdef POSITIVE
using degradation = gaussian_noise;
#else
using degradation = zoom<nearest>;
#endif

void sample(reference_backend<float>& b, image_batch<centred, float> z) {
  auto predict = predicting<predict_x0>([](auto x, const sampling_step&, auto y) { y.data[0] = x.data[0]; });
  ddpm_sampler{}(b, predict, degradation{}, ddpm_schedule::linear(24), 24, {}, z);
}
