/// What a degradation makes of images in any value range, and the comparison with a definition in double.
#pragma once

#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/testing/degradation_laws.hpp>
#include <vector>

#include "common/degraded_images.hpp"
#include "common/random_images.hpp"
#include "common/worse.hpp"

using cpu = coldzoom::cpu_backend<float>;

/// Images of range R, uniform.
template <coldzoom::ValueRange R> std::vector<float> uniform_images(const coldzoom::shape& dims) {
  std::vector<float> x0 = random_images(dims, 3).pixels;
  for (float& pixel : x0) pixel = coldzoom::convert_range<coldzoom::centred, R>(pixel);
  return x0;
}

/// D(x0, level) of all images.
template <coldzoom::ValueRange R, class D>
std::vector<float> values_at(const D& d, const coldzoom::shape& dims, const std::vector<float>& x0,
                             float level, const coldzoom::key_sequence& keys = {5}) {
  cpu b(1);
  return coldzoom::testing::degraded<R>(b, d, dims, x0,
                                        std::vector<float>(static_cast<std::size_t>(dims.n), level), keys);
}

/// Element (n, c, y, x) of dense images, as double.
inline double element(const std::vector<float>& images, const coldzoom::shape& dims, coldzoom::index_t n,
                      coldzoom::index_t c, coldzoom::index_t y, coldzoom::index_t x) {
  return static_cast<double>(images[static_cast<std::size_t>(((n * dims.c + c) * dims.h + y) * dims.w + x)]);
}

/// The largest distance of `found` from wanted(n, c, y, x).
template <class Wanted>
double farthest(const std::vector<float>& found, const coldzoom::shape& dims, const Wanted& wanted) {
  double most = 0;
  std::size_t i = 0;
  for_each_pixel(dims,
                 [&](coldzoom::index_t n, coldzoom::index_t c, coldzoom::index_t y, coldzoom::index_t x) {
                   most = worse(most, std::abs(static_cast<double>(found[i++]) - wanted(n, c, y, x)));
                 });
  return most;
}

/// The laws, for images of two shapes and channels as the degradation wants them.
template <coldzoom::ValueRange R, class D>
void check_laws(const D& d, const coldzoom::testing::degradation_promises& promises = {},
                coldzoom::index_t channels = 2) {
  cpu one(1), two(2);
  for (const coldzoom::shape& dims :
       {coldzoom::shape{5, channels, 11, 9}, coldzoom::shape{3, channels, 7, 30}})
    BOOST_CHECK_NO_THROW(coldzoom::testing::degradation_laws<R>(d, promises, dims, two, one));
}
