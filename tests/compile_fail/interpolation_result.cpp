// expect: coldzoom: give your interpolation `float operator()(image_view<const float> crop, index_t c,
// index_t y,
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>

using namespace coldzoom;

#ifdef POSITIVE
using result = float;
#else
using result = double;
#endif

struct corner {
  result operator()(image_view<const float> crop, index_t c, index_t, index_t, index_t, index_t) const {
    return crop(c, 0, 0);
  }
};

void apply(reference_backend<float>& b, image_batch<unit, const float> x0, image_batch<unit, float> out) {
  degrade(b, zoom<corner>{}, x0, {nullptr, 1}, {}, out);
}
