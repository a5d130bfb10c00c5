#include <coldzoom/cuda.cuh>
#include <coldzoom/degradation/zoom.hpp>

using namespace coldzoom;
using device_space = cuda_backend<float>::space;

struct middle {
  MARK float operator()(image_view<const float> crop, index_t c, index_t, index_t, index_t, index_t) const {
    return crop(c, crop.h / 2, crop.w / 2);
  }
};

void zoom_all(cuda_backend<float>& b, image_batch<unit, const float, device_space> x0,
              vector_view<const float, device_space> level, image_batch<unit, float, device_space> out) {
  degrade(b, zoom<middle>{}, x0, level, {}, out);
}
