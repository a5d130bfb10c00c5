#include <coldzoom/cuda.cuh>

MARK float twice(float value) { return 2 * value; }

struct doubling {
  float* values;
  COLDZOOM_HD void operator()(coldzoom::index_t i) const { values[i] = twice(values[i]); }
};

void double_all(coldzoom::cuda_backend<float>& b, float* values, coldzoom::index_t count) {
  b.for_each_index(count, doubling{values});
}
