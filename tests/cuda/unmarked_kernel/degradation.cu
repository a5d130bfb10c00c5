#include <coldzoom/cuda.cuh>
#include <coldzoom/degradation/degradation.hpp>

using namespace coldzoom;
using device_space = cuda_backend<float>::space;

struct dimmed {
  MARK float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level) const {
    return x0(c, y, x) * (1 - level);
  }
};

void dim_all(cuda_backend<float>& b, image_batch<unit, const float, device_space> x0,
             vector_view<const float, device_space> level, image_batch<unit, float, device_space> out) {
  degrade(b, dimmed{}, x0, level, {}, out);
}
