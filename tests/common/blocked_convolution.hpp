/// Laws of a convolution on blocked activations, for each algorithm of the CPU.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/convolution_geometry.hpp>
#include <coldzoom/backend/cpu/thread_pool.hpp>
#include <coldzoom/core/view.hpp>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "common/worse.hpp"

namespace blocked_convolution {

namespace cz = coldzoom;
using cz::index_t;

/// Random values in steps of 1/128, which bfloat16 holds; also in the padding lanes, which must not matter.
template <class T> std::vector<T> random_values(index_t size, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_int_distribution<int> value(-128, 128);
  std::vector<T> values(static_cast<std::size_t>(size));
  for (T& v : values) v = static_cast<T>(value(engine)) / 128;
  return values;
}

template <class T>
using activation = cz::activation_view<T, cz::native_lanes<std::remove_const_t<T>>, cz::host_space>;

inline const auto nothing = [](index_t, auto*) {};

/// The largest error relative to the largest value.
struct worst {
  double error = 0, scale = 0;
  void add(double value, double wanted) {
    error = worse(error, std::abs(value - wanted));
    scale = std::max(scale, std::abs(wanted));
  }
  double relative() const { return scale > 0 ? error / scale : error; }
};

template <class T> bool all_finite(const std::vector<T>& values) {
  return std::all_of(values.begin(), values.end(), [](T v) { return std::isfinite(v); });
}

/// `n` images against plain loops in double.
template <template <class> class Convolution, class T>
void check(const cz::convolution_geometry& g, index_t n) {
  const double tolerance = std::is_same_v<T, float> ? 2e-6 : 1e-14;
  BOOST_TEST_CONTEXT(g.in_channels << "->" << g.out_channels << " kernel " << g.kernel_h << "x" << g.kernel_w
                                   << " stride " << g.stride_h << "," << g.stride_w << " pad " << g.pad_h
                                   << "," << g.pad_w << " image " << g.in_h << "x" << g.in_w << " T "
                                   << sizeof(T)) {
    cz::thread_pool pool(2);
    Convolution<T> convolution(g, n, true);
    const cz::shape xs{n, g.in_channels, g.in_h, g.in_w}, ys{n, g.out_channels, g.out_h(), g.out_w()};
    const index_t x_size = activation<T>{nullptr, xs}.size(), y_size = activation<T>{nullptr, ys}.size();
    auto x = random_values<T>(x_size, 1), dy = random_values<T>(y_size, 2);
    const auto w = random_values<T>(g.weights(), 3), bias = random_values<T>(g.out_channels, 4);
    constexpr T unset = std::numeric_limits<T>::quiet_NaN();
    std::vector<T> y(dy.size(), unset), dx(x.size(), unset);
    auto dw = random_values<T>(g.weights(), 5), db = random_values<T>(g.out_channels, 6);
    std::vector<double> y_want(static_cast<std::size_t>(ys.size())),
        dx_want(static_cast<std::size_t>(xs.size()));
    std::vector<double> dw_want(dw.begin(), dw.end()), db_want(db.begin(), db.end());

    const activation<T> xv{x.data(), xs}, yv{y.data(), ys}, dxv{dx.data(), xs}, dyv{dy.data(), ys};
    const cz::tensor_view<double> yw(y_want.data(), ys), dxw(dx_want.data(), xs);
    for (index_t i = 0; i < n; ++i) {
      for (index_t o = 0; o < g.out_channels; ++o) {
        for (index_t p = 0; p < g.out_h(); ++p) {
          for (index_t q = 0; q < g.out_w(); ++q) {
            double sum = bias[static_cast<std::size_t>(o)];
            const double gradient = dyv(i, o, p, q);
            db_want[static_cast<std::size_t>(o)] += gradient;
            for (index_t c = 0; c < g.in_channels; ++c) {
              for (index_t a = 0; a < g.kernel_h; ++a) {
                for (index_t b = 0; b < g.kernel_w; ++b) {
                  const index_t row = p * g.stride_h + a - g.pad_h, col = q * g.stride_w + b - g.pad_w;
                  if (row < 0 || row >= g.in_h || col < 0 || col >= g.in_w) continue;
                  const auto k =
                      static_cast<std::size_t>(((o * g.in_channels + c) * g.kernel_h + a) * g.kernel_w + b);
                  sum += static_cast<double>(w[k]) * xv(i, c, row, col);
                  dw_want[k] += gradient * xv(i, c, row, col);
                  dxw(i, c, row, col) += gradient * static_cast<double>(w[k]);
                }
              }
            }
            yw(i, o, p, q) = sum;
          }
        }
      }
    }

    convolution.pack_weights(pool, w.data(), bias.data());
    std::atomic<index_t> calls{0};
    convolution.forward(pool, n, x.data(), y.data(), [&](index_t image, T*) { calls += image + 1; });
    const auto count = [&](index_t image, T*) { calls += image + 1; };
    convolution.backward(pool, n, x.data(), dy.data(), dx.data(), true, count, count);
    BOOST_TEST(2 * calls == 3 * n * (n + 1));
    convolution.reduce_gradients(pool, dw.data(), db.data());
    worst of_y, of_dx, of_dw, of_db;
    for (index_t i = 0; i < n; ++i) {
      for (index_t c = 0; c < g.out_channels; ++c) {
        for (index_t p = 0; p < g.out_h(); ++p) {
          for (index_t q = 0; q < g.out_w(); ++q) of_y.add(yv(i, c, p, q), yw(i, c, p, q));
        }
      }
      for (index_t c = 0; c < g.in_channels; ++c) {
        for (index_t p = 0; p < g.in_h; ++p) {
          for (index_t q = 0; q < g.in_w; ++q) of_dx.add(dxv(i, c, p, q), dxw(i, c, p, q));
        }
      }
    }
    for (std::size_t k = 0; k < dw.size(); ++k) of_dw.add(dw[k], dw_want[k]);
    for (std::size_t k = 0; k < db.size(); ++k) of_db.add(db[k], db_want[k]);
    BOOST_TEST(of_y.relative() < tolerance);
    BOOST_TEST(of_dx.relative() < tolerance);
    BOOST_TEST(of_dw.relative() < tolerance);
    BOOST_TEST(of_db.relative() < tolerance);
    BOOST_TEST(all_finite(y));
    BOOST_TEST(all_finite(dx));

    // The sums start again from zero.
    const auto dw_before = dw;
    convolution.reduce_gradients(pool, dw.data(), nullptr);
    BOOST_TEST(dw == dw_before);
  }
}

template <class Convolution> void bits_do_not_depend_on_threads_or_batch() {
  for (const auto& g : {cz::convolution_geometry{1, 16, 7, 7, 1, 1, 3, 3, 28, 28},
                        cz::convolution_geometry{16, 1, 3, 3, 1, 1, 1, 1, 28, 28}}) {
    const index_t n = 37;
    const cz::shape xs{n, g.in_channels, g.in_h, g.in_w}, ys{n, g.out_channels, g.out_h(), g.out_w()};
    const auto x = random_values<float>(activation<float>{nullptr, xs}.size(), 1);
    auto dy = random_values<float>(activation<float>{nullptr, ys}.size(), 2);
    const auto w = random_values<float>(g.weights(), 3);
    std::vector<float> y[2], dx[2], dw[2];
    for (const int run : {0, 1}) {
      cz::thread_pool pool(run == 0 ? 1 : 3);
      Convolution convolution(g, n, true);
      convolution.pack_weights(pool, w.data(), nullptr);
      y[run].resize(dy.size());
      dx[run].resize(x.size());
      dw[run].resize(w.size());
      convolution.forward(pool, n, x.data(), y[run].data(), nothing);
      convolution.backward(pool, n, x.data(), dy.data(), dx[run].data(), true, nothing, nothing);
      convolution.reduce_gradients(pool, dw[run].data(), nullptr);
    }
    BOOST_TEST((y[0] == y[1]));
    BOOST_TEST((dx[0] == dx[1]));
    BOOST_TEST((dw[0] == dw[1]));

    // One image alone, by an object made for forward passes only.
    cz::thread_pool pool(1);
    Convolution convolution(g, 1, false);
    convolution.pack_weights(pool, w.data(), nullptr);
    const index_t x_image = activation<float>{nullptr, xs}.image_size(),
                  y_image = activation<float>{nullptr, ys}.image_size();
    std::vector<float> alone(static_cast<std::size_t>(y_image));
    convolution.forward(pool, 1, x.data() + 20 * x_image, alone.data(), nothing);
    BOOST_TEST(std::equal(alone.begin(), alone.end(), y[0].begin() + 20 * y_image));
  }
}

template <class Convolution> void padding_lanes_do_not_matter() {
  const cz::convolution_geometry g{3, 5, 3, 3, 1, 1, 1, 1, 6, 6};
  constexpr index_t lanes = cz::native_lanes<float>;
  std::vector<float> y[2], dx[2], dw[2];
  const auto w = random_values<float>(g.weights(), 3);
  for (const int run : {0, 1}) {
    const cz::shape xs{1, 3, 6, 6}, ys{1, 5, 6, 6};
    auto x = random_values<float>(activation<float>{nullptr, xs}.size(), 1);
    auto dy = random_values<float>(activation<float>{nullptr, ys}.size(), 2);
    for (index_t i = 0; i < static_cast<index_t>(x.size()); ++i) {
      if (i % lanes >= 3) x[static_cast<std::size_t>(i)] = run == 0 ? 0.f : 1e30f;
    }
    for (index_t i = 0; i < static_cast<index_t>(dy.size()); ++i) {
      if (i / (36 * lanes) * lanes + i % lanes >= 5)
        dy[static_cast<std::size_t>(i)] = run == 0 ? 0.f : -1e30f;
    }
    y[run].resize(dy.size());
    dx[run].resize(x.size());
    dw[run].resize(w.size());
    cz::thread_pool pool(1);
    Convolution convolution(g, 1, true);
    convolution.pack_weights(pool, w.data(), nullptr);
    convolution.forward(pool, 1, x.data(), y[run].data(), nothing);
    convolution.backward(pool, 1, x.data(), dy.data(), dx[run].data(), true, nothing, nothing);
    convolution.reduce_gradients(pool, dw[run].data(), nullptr);
  }
  BOOST_TEST((y[0] == y[1]));
  BOOST_TEST((dx[0] == dx[1]));
  BOOST_TEST((dw[0] == dw[1]));
}

}  // namespace blocked_convolution
