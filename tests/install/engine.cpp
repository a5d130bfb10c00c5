// Predicts with a network on the CPU and on the plain backend: the same within rounding.
#include <cmath>
#include <coldzoom/coldzoom.hpp>
#include <cstdio>
#include <vector>

template <class B> std::vector<float> predict(B b) {
  const coldzoom::shape image{1, 1, 28, 28};
  const coldzoom::reconstructor network(image, {8, 8}, 5);
  coldzoom::predictor<B, coldzoom::reconstructor> run(b, network, image,
                                                      coldzoom::initial_parameters(network, 1));
  std::vector<float> x(28 * 28), y(28 * 28);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 9) / 9;
  run(coldzoom::tensor_view<const float>(x.data(), image), 0, coldzoom::tensor_view<float>(y.data(), image));
  return y;
}

int main() {
  const std::vector<float> found = predict(coldzoom::cpu_backend<float>(1));
  const std::vector<float> wanted = predict(coldzoom::reference_backend<float>());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::abs(found[i] - wanted[i]) > 1e-4f) return std::puts("the engine makes something else"), 1;
  }
}
