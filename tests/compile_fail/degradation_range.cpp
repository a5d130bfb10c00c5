// expect: coldzoom: this degradation wants pixels of another value range: use images of its `range`
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/degradation.hpp>

using namespace coldzoom;

struct negative {
  using range = centred;
  float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level) const {
    return x0(c, y, x) * (1 - 2 * level);
  }
};

#ifdef POSITIVE
using images = centred;
#else
using images = unit;
#endif

void apply(reference_backend<float>& b, image_batch<images, const float> x0, image_batch<images, float> out) {
  degrade(b, negative{}, x0, {nullptr, 1}, {}, out);
}
