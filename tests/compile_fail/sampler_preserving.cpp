// expect: coldzoom: this sampler goes by the signal and noise of the schedule: give it gaussian_noise, or a
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/schedule/ddpm.hpp>

using namespace coldzoom;

#ifdef POSITIVE
using degradation = gaussian_noise;
#else
using degradation = flow_noise;
#endif

void sample(reference_backend<float>& b, image_batch<centred, float> z) {
  auto predict = predicting<predict_x0>([](auto x, const sampling_step&, auto y) { y.data[0] = x.data[0]; });
  ddpm_sampler{}(b, predict, degradation{}, ddpm_schedule::linear(24), 24, {}, z);
}
