#include <cstdio>
#include <string>

std::string avx2();
std::string avx512();

int main() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    std::puts("this CPU has no AVX2: linked, not run");
    return 77;
  }
  if (avx2() != "1 x 2 x 3 x 4") return 1;
  for (const bool has : {__builtin_cpu_supports("avx512f") != 0, __builtin_cpu_supports("avx512dq") != 0,
                         __builtin_cpu_supports("avx512bw") != 0, __builtin_cpu_supports("avx512vl") != 0}) {
    if (has) continue;
    std::puts("this CPU has no AVX-512: that half was linked, not run");
    return 0;
  }
  return avx512() == avx2() ? 0 : 1;
}
