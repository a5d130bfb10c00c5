#include <coldzoom/cuda.cuh>

struct plus_one {
  float* values;
  MARK void operator()(coldzoom::index_t i) const { values[i] += 1; }
};

void add_one(coldzoom::cuda_backend<float>& b, float* values, coldzoom::index_t count) {
  b.for_each_index(count, plus_one{values});
}
