#define BOOST_TEST_MODULE fft2d
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/fft2d.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <complex>

#include "common/errors.hpp"
#include "common/random_images.hpp"
#include "common/worse.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

template <class B> void check(B& b, index_t h, index_t w) {
  BOOST_TEST_CONTEXT(h << " x " << w) {
    const index_t planes = 2, size = planes * h * w;
    const std::vector<float> x = random_images({planes, 1, h, w}, 1).pixels,
                             y = random_images({planes, 1, h, w}, 2).pixels;
    auto real = cz::to_backend(b, x), imaginary = cz::to_backend(b, y);
    const cz::fft2d<B> transform(b, h, w);
    transform.forward(b, planes, real.data(), imaginary.data());
    const std::vector<float> found = cz::to_host<float>(b, real.data(), size),
                             found_i = cz::to_host<float>(b, imaginary.data(), size);
    double worst = 0;
    for (index_t i = 0; i < size; ++i) {
      const index_t plane = i / (h * w), v = i / w % h, u = i % w;
      std::complex<double> wanted = 0;
      for (index_t k = 0; k < h * w; ++k) {
        const auto at = static_cast<std::size_t>(plane * h * w + k);
        const double turns = static_cast<double>(v * (k / w)) / static_cast<double>(h) +
                             static_cast<double>(u * (k % w)) / static_cast<double>(w);
        wanted += std::complex<double>(static_cast<double>(x[at]), static_cast<double>(y[at])) *
                  std::polar(1.0, -2 * 3.14159265358979323846 * turns);
      }
      const auto at = static_cast<std::size_t>(i);
      worst = worse(worst, std::abs(wanted - std::complex<double>(static_cast<double>(found[at]),
                                                                  static_cast<double>(found_i[at]))));
    }
    // Sums of h w numbers below 1, which grow with the root of their number; a rounding each in the worst case of all.
    const double allowed = 1e-6 * std::sqrt(static_cast<double>(h * w)) * 8;
    BOOST_TEST(worst < allowed);
    transform.backward(b, planes, real.data(), imaginary.data());
    const std::vector<float> back = cz::to_host<float>(b, real.data(), size);
    double off = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      off = worse(off, std::abs(static_cast<double>(back[i]) - static_cast<double>(x[i])));
    BOOST_TEST(off < 2e-6);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(any_extents) {
  cz::cpu_backend<float> b(2);
  for (const auto& [h, w] : {std::pair<index_t, index_t>{1, 1},
                             {1, 8},
                             {7, 1},
                             {2, 3},
                             {5, 12},
                             {28, 28},
                             {16, 30},
                             {13, 17},
                             {49, 4}})
    check(b, h, w);
}

BOOST_AUTO_TEST_CASE(on_a_backend_of_blocks) {
  cz::testing::block_backend<float> b;
  check(b, 6, 10);
}

BOOST_AUTO_TEST_CASE(no_pixels) {
  cz::cpu_backend<float> b(1);
  BOOST_CHECK_EXCEPTION((cz::fft2d<cz::cpu_backend<float>>(b, 0, 4)), cz::error,
                        says("fft2d: the planes are 0 x 4; they must have pixels"));
}
