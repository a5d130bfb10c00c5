// expect: coldzoom: give your degradation `float operator()(image_view<const float> x0, index_t c, index_t y,
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/degradation.hpp>

using namespace coldzoom;

struct dimmed {
#ifdef POSITIVE
  float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level) const {
    return x0(c, y, x) * (1 - level);
  }
#else
  float operator()(image_view<const float> x0, float level) const { return x0(0, 0, 0) * (1 - level); }
#endif
};

void apply(reference_backend<float>& b, image_batch<unit, const float> x0, image_batch<unit, float> out) {
  degrade(b, dimmed{}, x0, {nullptr, 1}, {}, out);
}
