/// Images and what a degradation makes of them, for tests of degradations.
#pragma once

#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <vector>

#include "common/random_images.hpp"

/// Square and not, of one channel and of several, down to a single row.
inline const std::vector<coldzoom::shape> degraded_shapes{
    {2, 1, 28, 28}, {2, 3, 9, 9}, {1, 2, 7, 12}, {1, 1, 30, 11}, {1, 1, 1, 5}};

/// D(x0, level) of all images.
template <class D>
host_images degraded(const D& d, const host_images& x0, float level, coldzoom::key_sequence keys = {}) {
  coldzoom::cpu_backend<float> b(1);
  host_images out(x0.dims);
  const std::vector<float> levels(static_cast<std::size_t>(x0.dims.n), level);
  coldzoom::degrade(b, d, x0.view(), {levels.data(), x0.dims.n}, keys, out.view());
  return out;
}

/// check(n, c, y, x) for every element.
template <class Check> void for_each_pixel(const coldzoom::shape& dims, const Check& check) {
  for (coldzoom::index_t n = 0; n < dims.n; ++n) {
    for (coldzoom::index_t c = 0; c < dims.c; ++c) {
      for (coldzoom::index_t y = 0; y < dims.h; ++y) {
        for (coldzoom::index_t x = 0; x < dims.w; ++x) check(n, c, y, x);
      }
    }
  }
}

/// Whether the window holds pixel (y, x).
inline bool inside(const coldzoom::image_window& at, coldzoom::index_t y, coldzoom::index_t x) {
  return y >= at.top && y < at.top + at.h && x >= at.left && x < at.left + at.w;
}
