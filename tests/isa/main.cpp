#include <cmath>
#include <cstdio>
#include <vector>

std::vector<double> avx2();
std::vector<double> avx512();

int main() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::puts("this CPU has no AVX2: linked, not run");
    return 77;
  }
  const std::vector<double> narrow = avx2();
  for (const double loss : narrow) std::printf("loss with AVX2: %.9f\n", loss);
  if (narrow.size() != 3 || !(narrow[2] < narrow[0])) return 1;  // it trains
  for (const bool has : {__builtin_cpu_supports("avx512f") != 0, __builtin_cpu_supports("avx512dq") != 0,
                         __builtin_cpu_supports("avx512bw") != 0, __builtin_cpu_supports("avx512vl") != 0}) {
    if (has) continue;
    std::puts("this CPU has no AVX-512: that half was linked, not run");
    return 0;
  }
  const std::vector<double> wide = avx512();
  for (std::size_t i = 0; i < narrow.size(); ++i) {
    std::printf("loss with AVX-512: %.9f\n", wide.at(i));
    if (!(std::abs(wide[i] / narrow[i] - 1) < 1e-5)) return 1;
  }
  return 0;
}
