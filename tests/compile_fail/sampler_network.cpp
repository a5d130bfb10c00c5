// expect: coldzoom: give the sampler a network that is callable as predict(x_t, time, x0_hat)
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/schedule/linear.hpp>

using namespace coldzoom;

struct untouched {
#ifdef POSITIVE
  void operator()(tensor_view<const float> x, float, tensor_view<float> out) const {
    out(0, 0, 0, 0) = x(0, 0, 0, 0);
  }
#else
  float operator()(float x) const { return x; }
#endif
};

void sample(reference_backend<float>& b, image_batch<centred, float> z) {
  untouched predict;
  naive_sampler{}(b, predict, zoom<nearest>{}, linear_schedule(24), 24, {}, z);
}
