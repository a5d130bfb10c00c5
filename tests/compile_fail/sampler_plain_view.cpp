// expect: coldzoom: give the sampler z as an image_batch<range, float, space>: a plain view does not say between
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/schedule/linear.hpp>

using namespace coldzoom;

#ifdef POSITIVE
using images = image_batch<centred, float>;
#else
using images = tensor_view<float>;
#endif

void sample(reference_backend<float>& b, images z) {
  auto predict = predicting<predict_x0>([](auto x, const sampling_step&, auto y) { y.data[0] = x.data[0]; });
  naive_sampler{}(b, predict, zoom<nearest>{}, linear_schedule(24), 24, {}, z);
}
