// expect: coldzoom: a pixel degradation must be trivially copyable: keep plain numbers and pointers in it
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <vector>

using namespace coldzoom;

struct mask {
#ifdef POSITIVE
  const float* weight = nullptr;
#else
  std::vector<float> weight;
#endif
  float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level) const {
    return x0(c, y, x) * (1 - level * weight[static_cast<std::size_t>(y * x0.w + x)]);
  }
};

void apply(reference_backend<float>& b, image_batch<unit, const float> x0, image_batch<unit, float> out) {
  degrade(b, mask{}, x0, {nullptr, 1}, {}, out);
}
