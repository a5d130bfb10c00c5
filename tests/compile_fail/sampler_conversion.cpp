// expect: coldzoom: this model answers with noise, velocity or flow, which becomes an image only where x_t =
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/schedule/linear.hpp>

using namespace coldzoom;

#ifdef POSITIVE
using prediction = predict_x0;
#else
using prediction = predict_noise;
#endif

void sample(reference_backend<float>& b, image_batch<centred, float> z) {
  auto predict = predicting<prediction>([](auto x, const sampling_step&, auto y) { y.data[0] = x.data[0]; });
  naive_sampler{}(b, predict, zoom<nearest>{}, linear_schedule(24), 24, {}, z);
}
