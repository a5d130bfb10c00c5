#include <coldzoom/backend/cuda/cudnn_backend.cuh>
#include <cstdio>
#include <cstring>

int main() {
  try {
    coldzoom::cudnn_backend<float> b;
    b.make_convolution({.in_channels = 2, .in_h = 4, .in_w = 4}, 8, true);
  } catch (const coldzoom::error& e) {
    std::puts(e.what());
    return std::strstr(e.what(), "no CUDA device was found") ? 0 : 1;
  }
}
