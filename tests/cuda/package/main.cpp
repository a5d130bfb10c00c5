#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <cstdio>
#include <cstring>
#include <vector>

double device_sum(const std::vector<float>& values);

int main() {
  const std::vector<float> values(10000, 0.5f);
  try {
    const double found = device_sum(values);
    const double wanted = coldzoom::cpu_backend<float>().sum(values.data(), 10000) + 10000;
    std::printf("sum %f, wanted %f\n", found, wanted);
    return found == wanted ? 0 : 1;
  } catch (const coldzoom::error& e) {
    // Thrown in a CUDA unit, caught in a plain one.
    std::puts(e.what());
    return std::strstr(e.what(), "no CUDA device was found") ? 0 : 1;
  }
}
