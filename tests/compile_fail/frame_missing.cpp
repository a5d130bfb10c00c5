// expect: coldzoom: this degradation has no frame, as nearest zoom has: give it `frame()` and `float
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/frame.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/bilinear.hpp>

using namespace coldzoom;

#ifdef POSITIVE
using interpolation = nearest;
#else
using interpolation = bilinear;
#endif

void apply(reference_backend<float>& b, image_batch<unit, const float> z, image_batch<unit, float> framed) {
  to_frame(b, zoom<interpolation>{}, z, {nullptr, 1}, framed);
}
