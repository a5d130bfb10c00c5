#define BOOST_TEST_MODULE transformed_convolution
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/transformed_convolution.hpp>
#include <random>
#include <string>
#include <vector>

#include "common/worse.hpp"

using namespace coldzoom;

namespace {

convolution_geometry geometry(index_t ci, index_t co, index_t kh, index_t kw, index_t h, index_t w) {
  return {.in_channels = ci,
          .out_channels = co,
          .kernel_h = kh,
          .kernel_w = kw,
          .pad_h = kh / 2,
          .pad_w = kw / 2,
          .in_h = h,
          .in_w = w};
}

template <class T> std::vector<T> noise(index_t size, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<T> values(static_cast<std::size_t>(size));
  for (T& v : values) v = static_cast<T>(uniform(engine));
  return values;
}

const auto nothing = [](index_t, auto*) {};

template <class T> using activations = activation_view<T, native_lanes<T>, host_space>;

/// Gradients and outputs by the definition, in double.
template <class T> struct oracle {
  std::vector<double> y, dx, dw, db;

  oracle(const convolution_geometry& g, activations<const T> x, const std::vector<T>& weights,
         const std::vector<T>& bias, activations<const T> dy) {
    const index_t n = x.dims.n, h = g.in_h, w = g.in_w;
    y.assign(std::size_t(n * g.out_channels * h * w), 0);
    dx.assign(std::size_t(n * g.in_channels * h * w), 0);
    dw.assign(weights.size(), 0);
    db.assign(bias.size(), 0);
    for (index_t i = 0; i < n; ++i) {
      for (index_t o = 0; o < g.out_channels; ++o) {
        for (index_t p = 0; p < h; ++p) {
          for (index_t q = 0; q < w; ++q) {
            const double gradient = dy(i, o, p, q);
            double sum = bias[std::size_t(o)];
            db[std::size_t(o)] += gradient;
            for (index_t c = 0; c < g.in_channels; ++c) {
              for (index_t a = 0; a < g.kernel_h; ++a) {
                for (index_t b = 0; b < g.kernel_w; ++b) {
                  const index_t r = p + a - g.pad_h, s = q + b - g.pad_w;
                  if (r < 0 || r >= h || s < 0 || s >= w) continue;
                  const auto tap = std::size_t(((o * g.in_channels + c) * g.kernel_h + a) * g.kernel_w + b);
                  sum += double(weights[tap]) * double(x(i, c, r, s));
                  dw[tap] += gradient * double(x(i, c, r, s));
                  dx[std::size_t(((i * g.in_channels + c) * h + r) * w + s)] +=
                      gradient * double(weights[tap]);
                }
              }
            }
            y[std::size_t(((i * g.out_channels + o) * h + p) * w + q)] = sum;
          }
        }
      }
    }
  }
};

/// Everything one training step computes, in the layouts of the library.
template <class T> struct outcome {
  std::vector<T> y, dx, dw, db;
  friend bool operator==(const outcome&, const outcome&) = default;
};

template <class T> struct problem {
  convolution_geometry g;
  index_t n;
  shape in, out;
  std::vector<T> x, dy, weights, bias;

  problem(const convolution_geometry& geo, index_t images, unsigned seed)
      : g(geo),
        n(images),
        in{n, g.in_channels, g.in_h, g.in_w},
        out{n, g.out_channels, g.in_h, g.in_w} {
    x = noise<T>(view(x, in).size(), seed);  // padding lanes too
    dy = noise<T>(view(dy, out).size(), seed + 1);
    weights = noise<T>(g.weights(), seed + 2);
    bias = noise<T>(g.out_channels, seed + 3);
  }

  static activations<T> view(std::vector<T>& v, const shape& s) { return {v.data(), s}; }

  /// The step, in calls of at most `capacity` images.
  outcome<T> run(int threads, index_t capacity) {
    thread_pool pool(threads);
    transformed_convolution<T> convolution(g, capacity, true);
    convolution.pack_weights(pool, weights.data(), bias.data());
    outcome<T> result{std::vector<T>(std::size_t(view(dy, out).size()), T(7)),
                      std::vector<T>(std::size_t(view(x, in).size()), T(7)),
                      std::vector<T>(weights.size(), T(0)), std::vector<T>(bias.size(), T(0))};
    std::vector<T> gradient(dy.size());
    std::vector<int> done(std::size_t(n), 0);
    for (index_t first = 0; first < n; first += capacity) {
      const index_t count = std::min(capacity, n - first);
      const auto dy_part = view(gradient, out).images(first, count),
                 y_part = view(result.y, out).images(first, count);
      const auto x_part = view(x, in).images(first, count),
                 dx_part = view(result.dx, in).images(first, count);
      convolution.forward(pool, count, x_part.data, y_part.data,
                          [&](index_t image, T*) { ++done[std::size_t(first + image)]; });
      convolution.backward(
          pool, count, x_part.data, dy_part.data, dx_part.data, true,
          [&](index_t image, T* to) {
            const index_t size = dy_part.image_size();
            std::copy_n(dy.data() + (first + image) * size, size, to);
          },
          nothing);
    }
    convolution.reduce_gradients(pool, result.dw.data(), result.db.data());
    BOOST_TEST(done == std::vector<int>(std::size_t(n), 1), boost::test_tools::per_element());
    return result;
  }
};

/// Largest difference, relative to the largest value.
template <class Get> double error_of(const std::vector<double>& want, Get&& get) {
  double difference = 0, size = 1e-30;
  for (std::size_t i = 0; i < want.size(); ++i) {
    difference = worse(difference, std::abs(want[i] - double(get(index_t(i)))));
    size = std::max(size, std::abs(want[i]));
  }
  return difference / size;
}

template <class T> void compare(const convolution_geometry& g, index_t n, index_t capacity, unsigned seed) {
  BOOST_TEST_CONTEXT(g.in_channels << " -> " << g.out_channels << ", " << g.kernel_h << " x " << g.kernel_w
                                   << " on " << g.in_h << " x " << g.in_w << ", " << n << " images") {
    problem<T> p(g, n, seed);
    outcome<T> got = p.run(1, capacity);
    const auto x = p.view(p.x, p.in), dy = p.view(p.dy, p.out), y = p.view(got.y, p.out),
               dx = p.view(got.dx, p.in);
    const oracle<T> want(g, x, p.weights, p.bias, dy);
    const auto at = [](const activations<T>& a, index_t i) {
      const shape& s = a.dims;
      return a(i / s.image(), i / s.pixels() % s.c, i / s.w % s.h, i % s.w);
    };
    const double tolerance = sizeof(T) == 4 ? 3e-6 : 1e-14;
    BOOST_TEST(error_of(want.y, [&](index_t i) { return at(y, i); }) < tolerance);
    BOOST_TEST(error_of(want.dx, [&](index_t i) { return at(dx, i); }) < tolerance);
    BOOST_TEST(error_of(want.dw, [&](index_t i) { return got.dw[std::size_t(i)]; }) < tolerance);
    BOOST_TEST(error_of(want.db, [&](index_t i) { return got.db[std::size_t(i)]; }) < tolerance);
    for (const T v : got.y) BOOST_REQUIRE(std::isfinite(v));
    for (const T v : got.dx) BOOST_REQUIRE(std::isfinite(v));
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(supported_geometries) {
  BOOST_TEST(transformed_convolution<float>::supports(geometry(16, 32, 7, 7, 28, 28)));
  BOOST_TEST(transformed_convolution<float>::supports(geometry(1, 1, 1, 1, 1, 1)));
  convolution_geometry g = geometry(16, 32, 7, 7, 28, 28);
  g.stride_h = 2;
  BOOST_TEST(!transformed_convolution<float>::supports(g));
  g = geometry(16, 32, 7, 7, 28, 28);
  g.pad_w = 0;
  BOOST_TEST(!transformed_convolution<float>::supports(g));
  BOOST_TEST(!transformed_convolution<float>::supports(geometry(16, 32, 4, 4, 28, 28)));
  BOOST_TEST(!transformed_convolution<float>::supports(geometry(16, 32, 33, 33, 28, 28)));
  BOOST_TEST(std::isinf(transformed_convolution<float>::cost(g)));
  BOOST_CHECK_THROW(transformed_convolution<float>(g, 4, true), error);
  BOOST_CHECK_THROW(transformed_convolution<float>(geometry(1, 1, 3, 3, 8, 8), 0, true), error);
}

BOOST_AUTO_TEST_CASE(cost_favours_transforms_for_large_kernels) {
  const convolution_geometry g = geometry(32, 32, 7, 7, 28, 28);
  const double direct = double(g.weights()) * 28 * 28;
  BOOST_TEST(transformed_convolution<float>::cost(g) < direct / 10);
}

BOOST_AUTO_TEST_CASE(chosen_shapes_against_the_definition) {
  compare<float>(geometry(16, 32, 7, 7, 28, 28), 5, 5, 1);
  compare<float>(geometry(32, 16, 7, 7, 28, 28), 5, 2, 2);
  compare<float>(geometry(1, 3, 7, 7, 28, 28), 3, 3, 3);
  compare<float>(geometry(17, 48, 3, 3, 9, 5), 33, 16, 4);
  compare<float>(geometry(3, 17, 3, 7, 40, 35), 2, 2, 5);
  compare<float>(geometry(16, 1, 1, 9, 31, 70), 2, 1, 6);
  compare<float>(geometry(3, 3, 17, 17, 20, 40), 2, 2, 7);
  compare<float>(geometry(4, 4, 9, 9, 3, 2), 2, 2, 8);
  compare<float>(geometry(1, 1, 1, 1, 1, 1), 1, 1, 9);
  compare<double>(geometry(3, 9, 5, 7, 12, 29), 5, 4, 10);
  compare<double>(geometry(16, 16, 3, 3, 64, 13), 1, 1, 11);
}

BOOST_AUTO_TEST_CASE(the_cost_chooses_the_tile) {
  const auto name = [](const convolution_geometry& g) {
    return std::string(transformed_convolution<float>::name(g));
  };
  for (const index_t size : {8, 16, 32, 64}) {
    BOOST_TEST(name(geometry(64, 64, 3, 3, size, size)) == "winograd");
    BOOST_TEST(name(geometry(64, 64, 5, 5, size, size)) == "fft");
  }
  for (const index_t size : {7, 14, 28}) BOOST_TEST(name(geometry(64, 64, 3, 3, size, size)) == "fft");
}

// Sizes that fill no Fourier tile: Winograd's transform, whole tiles and tiles over the border, one block of
// channels and several.
BOOST_AUTO_TEST_CASE(small_kernels_against_the_definition) {
  compare<float>(geometry(16, 32, 3, 3, 32, 32), 2, 2, 31);
  compare<float>(geometry(64, 64, 3, 3, 16, 16), 3, 2, 32);
  compare<float>(geometry(17, 40, 3, 3, 8, 8), 9, 4, 33);
  compare<float>(geometry(33, 3, 3, 3, 18, 4), 5, 5, 34);
  compare<double>(geometry(9, 24, 3, 3, 8, 16), 3, 3, 35);
  compare<double>(geometry(24, 5, 3, 3, 10, 32), 2, 1, 36);
}

BOOST_AUTO_TEST_CASE(random_shapes_against_the_definition) {
  std::mt19937 engine(12);
  const auto one_of = [&](std::initializer_list<index_t> values) {
    return values.begin()[std::size_t(engine()) % values.size()];
  };
  for (unsigned trial = 0; trial < 40; ++trial) {
    const index_t ci = one_of({1, 3, 16, 17, 32}), co = one_of({1, 3, 16, 17, 32});
    const index_t kh = one_of({1, 3, 5, 7}), kw = one_of({1, 3, 5, 7, 9});
    const index_t h = one_of({1, 2, 5, 7, 13, 14, 28, 33, 41}), w = one_of({1, 3, 6, 11, 16, 28, 30, 45});
    const index_t n = h * w > 500 ? one_of({1, 2, 3}) : one_of({1, 5, 9});
    compare<float>(geometry(ci, co, kh, kw, h, w), n, one_of({1, 4, 16}), 100 + trial);
  }
}

BOOST_AUTO_TEST_CASE(bits_do_not_depend_on_threads) {
  for (const auto& g :
       {geometry(16, 32, 7, 7, 28, 28), geometry(17, 3, 3, 3, 40, 33), geometry(17, 40, 3, 3, 16, 16)}) {
    problem<float> p(g, 7, 20);
    const outcome<float> one = p.run(1, 4);
    BOOST_TEST((p.run(2, 4) == one));
    BOOST_TEST((p.run(3, 4) == one));
  }
}

BOOST_AUTO_TEST_CASE(bits_do_not_depend_on_the_batch) {
  for (const auto& g :
       {geometry(17, 32, 7, 7, 28, 28), geometry(3, 16, 3, 3, 40, 33), geometry(17, 40, 3, 3, 16, 16)}) {
    problem<float> p(g, 33, 21);
    const outcome<float> together = p.run(1, 33), alone = p.run(1, 1);
    BOOST_TEST((together.y == alone.y));
    BOOST_TEST((together.dx == alone.dx));
  }
}

BOOST_AUTO_TEST_CASE(padding_lanes_have_no_influence) {
  problem<float> p(geometry(3, 5, 5, 5, 12, 12), 3, 22);
  const outcome<float> before = p.run(1, 3);
  const auto spoil = [](activations<float> a) {
    for (index_t n = 0; n < a.dims.n; ++n) {
      for (index_t c = a.dims.c; c < a.lane_groups() * a.lanes; ++c) {
        for (index_t i = 0; i < a.dims.pixels(); ++i) a.data[a.offset(n, c, i)] = float(1 + c) * 1e6f;
      }
    }
  };
  spoil(p.view(p.x, p.in));
  spoil(p.view(p.dy, p.out));
  BOOST_TEST((p.run(1, 3) == before));
}

BOOST_AUTO_TEST_CASE(accumulators_start_again_after_add_gradients) {
  const convolution_geometry g = geometry(3, 5, 3, 3, 10, 10);
  problem<float> p(g, 2, 23);
  const outcome<float> once = p.run(1, 2);
  thread_pool pool(1);
  transformed_convolution<float> convolution(g, 2, true);
  convolution.pack_weights(pool, p.weights.data(), p.bias.data());
  std::vector<float> y(p.dy.size()), dw(p.weights.size()), db(p.bias.size());
  for (int pass = 0; pass < 2; ++pass) {
    std::fill(dw.begin(), dw.end(), 0.f);
    std::fill(db.begin(), db.end(), 0.f);
    convolution.forward(pool, 2, p.x.data(), y.data(), nothing);
    convolution.backward(pool, 2, p.x.data(), p.dy.data(), nullptr, false, nothing, nothing);
    convolution.reduce_gradients(pool, dw.data(), db.data());
    convolution.reduce_gradients(pool, dw.data(), db.data());  // nothing left to add
    BOOST_TEST((dw == once.dw));
    BOOST_TEST((db == once.db));
  }
  convolution.forward(pool, 2, p.x.data(), y.data(), nothing);
  convolution.backward(pool, 2, p.x.data(), p.dy.data(), nullptr, false, nothing, nothing);
  convolution.reduce_gradients(pool, dw.data(), nullptr);
  BOOST_TEST((db == once.db));
}

BOOST_AUTO_TEST_CASE(misuse_is_an_error) {
  thread_pool pool(1);
  const convolution_geometry g = geometry(3, 5, 3, 3, 10, 10);
  problem<float> p(g, 2, 24);
  std::vector<float> y(p.dy.size()), plain(p.dy.size());
  transformed_convolution<float> training(g, 2, true), inference(g, 2, false);
  BOOST_TEST(inference.bytes() < training.bytes());
  training.pack_weights(pool, p.weights.data(), nullptr);
  inference.pack_weights(pool, p.weights.data(), nullptr);
  BOOST_CHECK_THROW(training.forward(pool, 3, p.x.data(), y.data(), nothing), error);
  BOOST_CHECK_THROW(training.backward(pool, 2, p.x.data(), p.dy.data(), nullptr, false, nothing, nothing),
                    error);
  training.forward(pool, 2, p.x.data(), y.data(), nothing);
  BOOST_CHECK_THROW(training.backward(pool, 1, p.x.data(), p.dy.data(), nullptr, false, nothing, nothing),
                    error);
  inference.forward(pool, 2, p.x.data(), plain.data(), nothing);
  BOOST_CHECK_THROW(inference.backward(pool, 2, p.x.data(), p.dy.data(), nullptr, false, nothing, nothing),
                    error);
  BOOST_TEST((y == plain));
}
