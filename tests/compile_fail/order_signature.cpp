// expect: coldzoom: give your order of loss `float operator()(shape image, index_t c, index_t y,
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/soft_frontier.hpp>

using namespace coldzoom;

#ifdef POSITIVE
using result = float;
#else
using result = double;
#endif

struct row_by_row {
  result operator()(shape image, index_t, index_t y, index_t) const {
    return static_cast<result>(y) / static_cast<result>(image.h);
  }
};

void apply(reference_backend<float>& b, image_batch<unit, const float> x0, image_batch<unit, float> out) {
  degrade(b, soft_frontier<row_by_row>{}, x0, {nullptr, 1}, {}, out);
}
