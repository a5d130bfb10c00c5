// expect: coldzoom: give the sampler a model that is callable as predict(x_t, step, y) and says by its type
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/schedule/linear.hpp>

using namespace coldzoom;

void sample(reference_backend<float>& b, image_batch<centred, float> z) {
  const auto f = [](tensor_view<const float> x, const sampling_step&, tensor_view<float> y) {
    y(0, 0, 0, 0) = x(0, 0, 0, 0);
  };
#ifdef POSITIVE
  auto predict = predicting<predict_x0>(f);
#else
  auto predict = f;  // it does not say what it answers with
#endif
  naive_sampler{}(b, predict, zoom<nearest>{}, linear_schedule(24), 24, {}, z);
}
