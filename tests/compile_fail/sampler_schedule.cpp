// expect: coldzoom: this sampler undoes Gaussian noise: give it a schedule with `double beta(int t) const`,
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>

using namespace coldzoom;

void sample(reference_backend<float>& b, image_batch<centred, float> z) {
  auto predict = predicting<predict_x0>([](auto x, const sampling_step&, auto y) { y.data[0] = x.data[0]; });
#ifdef POSITIVE
  const auto schedule = ddpm_schedule::linear(24);
#else
  const linear_schedule schedule(24);
#endif
  ddpm_sampler{}(b, predict, gaussian_noise{}, schedule, 24, {}, z);
}
