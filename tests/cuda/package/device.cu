#include <coldzoom/cuda.cuh>

void add_one(coldzoom::cuda_backend<float>& b, float* values, coldzoom::index_t count);

double device_sum(const std::vector<float>& values) {
  const auto count = static_cast<coldzoom::index_t>(values.size());
  coldzoom::cuda_backend<float> b;
  auto memory = b.allocate<float>(count);
  b.upload(values.data(), memory.data(), count);
  add_one(b, memory.data(), count);
  return b.sum(memory.data(), count);
}
