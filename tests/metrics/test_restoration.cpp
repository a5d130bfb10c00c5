#define BOOST_TEST_MODULE restoration
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/metrics/restoration.hpp>

#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;
using backend = cz::cpu_backend<float>;
using images = cz::image_batch<cz::unit, const float>;

namespace {

template <class Images>
concept comparable = requires(backend& b, Images x) {
  cz::rmse(b, x, x);
  cz::psnr(b, x, x);
  cz::ssim(b, x, x);
};
static_assert(comparable<images> && comparable<cz::image_batch<cz::unit, float>>);
static_assert(!comparable<cz::image_batch<cz::symmetric, const float>> &&
              !comparable<cz::tensor_view<const float>>);

struct pictures {
  cz::shape dims;
  std::vector<float> pixels;

  pictures(cz::shape d, float value) : dims(d), pixels(static_cast<std::size_t>(d.size()), value) {}
  images view() const { return images(cz::tensor_view<const float>(pixels.data(), dims)); }
};

pictures random_pictures(cz::shape dims, std::uint64_t seed) {
  pictures p(dims, 0);
  for (std::size_t i = 0; i < p.pixels.size(); ++i) p.pixels[i] = cz::random_uniform({seed}, i);
  return p;
}

/// The paper's formula with the whole window at once, and variances about the mean.
double ssim_by_loops(images x, images y, index_t n) {
  double weights[11][11], total = 0;
  for (int i = 0; i < 11; ++i) {
    for (int j = 0; j < 11; ++j)
      total += weights[i][j] = std::exp(-((i - 5) * (i - 5) + (j - 5) * (j - 5)) / 4.5);
  }
  double sum = 0;
  index_t count = 0;
  for (index_t c = 0; c < x.dims.c; ++c) {
    for (index_t top = 0; top + 11 <= x.dims.h; ++top) {
      for (index_t left = 0; left + 11 <= x.dims.w; ++left, ++count) {
        double mx = 0, my = 0, vx = 0, vy = 0, vxy = 0;
        const auto each = [&](auto use) {
          for (int i = 0; i < 11; ++i) {
            for (int j = 0; j < 11; ++j) {
              use(weights[i][j] / total, static_cast<double>(x(n, c, top + i, left + j)),
                  static_cast<double>(y(n, c, top + i, left + j)));
            }
          }
        };
        each([&](double w, double p, double q) { mx += w * p, my += w * q; });
        each([&](double w, double p, double q) {
          vx += w * (p - mx) * (p - mx);
          vy += w * (q - my) * (q - my);
          vxy += w * (p - mx) * (q - my);
        });
        sum += (2 * mx * my + 1e-4) * (2 * vxy + 9e-4) / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4));
      }
    }
  }
  return sum / static_cast<double>(count);
}

}  // namespace

BOOST_AUTO_TEST_CASE(images_that_differ_by_a_constant) {
  cz::reference_backend<float> b;
  const cz::shape dims{2, 3, 12, 14};
  const pictures a(dims, 0.75f), c(dims, 0.5f);
  // A few operations in double on exact inputs.
  for (const double v : cz::rmse(b, a.view(), c.view())) BOOST_TEST(std::abs(v - 0.25) < 1e-14);
  for (const double v : cz::psnr(b, a.view(), c.view()))
    BOOST_TEST(std::abs(v - 20 * std::log10(4.0)) < 1e-12);
  // No variance: the second factor is 1, but for rounding of 1e-16 against C2 = 9e-4.
  for (const double v : cz::ssim(b, a.view(), c.view()))
    BOOST_TEST(std::abs(v - (2 * 0.75 * 0.5 + 1e-4) / (0.75 * 0.75 + 0.5 * 0.5 + 1e-4)) < 1e-11);
  const pictures black(dims, 0), white(dims, 1);
  BOOST_TEST(cz::psnr(b, black.view(), white.view())[0] == 0);
  BOOST_TEST(std::abs(cz::ssim(b, black.view(), white.view())[1] - 1e-4 / (1 + 1e-4)) < 1e-11);
}

BOOST_AUTO_TEST_CASE(against_double_loops) {
  backend b(2);
  for (const cz::shape dims : {cz::shape{3, 1, 28, 28}, {2, 3, 13, 17}, {1, 1, 11, 11}, {1, 2, 11, 30}}) {
    const pictures x = random_pictures(dims, 1);
    pictures y = x;  // correlated with x
    for (std::size_t i = 0; i < y.pixels.size(); ++i)
      y.pixels[i] = 0.7f * y.pixels[i] + 0.3f * cz::random_uniform({2}, i);
    const std::vector<double> ssim = cz::ssim(b, x.view(), y.view()), rmse = cz::rmse(b, x.view(), y.view()),
                              psnr = cz::psnr(b, x.view(), y.view());
    for (index_t n = 0; n < dims.n; ++n) {
      const auto at = static_cast<std::size_t>(n);
      // Weighted sums below 1, rounded to 1e-16 some 20 times, over C2 = 9e-4.
      BOOST_TEST(std::abs(ssim[at] - ssim_by_loops(x.view(), y.view(), n)) < 1e-11);
      double squares = 0;
      for (index_t i = 0; i < dims.image(); ++i) {
        const auto p = static_cast<std::size_t>(n * dims.image() + i);
        squares += std::pow(static_cast<double>(x.pixels[p]) - static_cast<double>(y.pixels[p]), 2);
      }
      const double mean = squares / static_cast<double>(dims.image());
      BOOST_TEST(std::abs(rmse[at] - std::sqrt(mean)) < 1e-13);
      BOOST_TEST(std::abs(psnr[at] - 10 * std::log10(1 / mean)) < 1e-11);
    }
  }
}

BOOST_AUTO_TEST_CASE(identities) {
  backend b(2), one(1), five(5);
  cz::reference_backend<float> plain;
  const cz::shape dims{7, 2, 20, 16};
  const pictures x = random_pictures(dims, 3), y = random_pictures(dims, 4);
  for (const double v : cz::ssim(b, x.view(), x.view())) BOOST_TEST(std::abs(v - 1) < 1e-14);
  for (const double v : cz::psnr(b, x.view(), x.view()))
    BOOST_TEST(v == std::numeric_limits<double>::infinity());
  for (const double v : cz::rmse(b, x.view(), x.view())) BOOST_TEST(v == 0);
  const std::vector<double> there = cz::ssim(b, x.view(), y.view()), back = cz::ssim(b, y.view(), x.view());
  for (std::size_t i = 0; i < there.size(); ++i) BOOST_TEST(std::abs(there[i] - back[i]) < 1e-14);
  BOOST_TEST(cz::rmse(b, x.view(), y.view()) == cz::rmse(b, y.view(), x.view()));
  BOOST_TEST(cz::ssim(one, x.view(), y.view()) == there);
  BOOST_TEST(cz::ssim(five, x.view(), y.view()) == there);
  BOOST_TEST(cz::ssim(plain, x.view(), y.view()) == there);

  // One image alone, and channels last by strides.
  BOOST_TEST(cz::ssim(b, x.view().images(4, 1), y.view().images(4, 1))[0] == there[4]);
  pictures last = x;
  for (index_t n = 0; n < dims.n; ++n) {
    for (index_t c = 0; c < 2; ++c) {
      for (index_t p = 0; p < 320; ++p)
        last.pixels[static_cast<std::size_t>(n * 640 + 2 * p + c)] =
            x.pixels[static_cast<std::size_t>(n * 640 + 320 * c + p)];
    }
  }
  const images strided(cz::tensor_view<const float>(last.pixels.data(), dims, 640, 1, 32, 2));
  BOOST_TEST(cz::ssim(b, strided, y.view()) == there);
  BOOST_TEST(cz::rmse(b, strided, y.view()) == cz::rmse(b, x.view(), y.view()));
}

BOOST_AUTO_TEST_CASE(means) {
  BOOST_TEST(cz::mean({1, 2, 6}) == 3);
  BOOST_TEST(cz::mean({1, std::numeric_limits<double>::infinity()}) ==
             std::numeric_limits<double>::infinity());
  BOOST_CHECK_EXCEPTION(cz::mean({}), cz::error, says("there are no values"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_compared) {
  backend b(1);
  const pictures small({2, 1, 10, 28}, 0.5f), other({2, 1, 28, 28}, 0.5f);
  BOOST_CHECK_EXCEPTION(cz::ssim(b, small.view(), small.view()), cz::error,
                        says("ssim: the images are 2 x 1 x 10 x 28; height and width must be at least 11"));
  BOOST_CHECK_NO_THROW(cz::psnr(b, small.view(), small.view()));
  BOOST_CHECK_EXCEPTION(cz::rmse(b, small.view(), other.view()), cz::error,
                        says("rmse: the restored images are 2 x 1 x 10 x 28, the originals 2 x 1 x 28 x 28"));
  BOOST_CHECK_EXCEPTION(cz::psnr(b, small.view(), other.view()), cz::error, says("psnr: "));
  BOOST_CHECK_EXCEPTION(cz::ssim(b, other.view().images(0, 0), other.view().images(0, 0)), cz::error,
                        says("at least one pixel"));
  pictures bad = other;
  bad.pixels[784 + 28 + 3] = -0.25f;
  for (const bool first : {true, false}) {
    const images x = first ? bad.view() : other.view(), y = first ? other.view() : bad.view();
    BOOST_CHECK_EXCEPTION(cz::ssim(b, x, y), cz::error, says("image 1, channel 0, row 1, column 3 is -0.25"));
    BOOST_CHECK_EXCEPTION(cz::rmse(b, x, y), cz::error,
                          says(first ? "rmse, restored: the pixel" : "rmse, original: the pixel"));
    BOOST_CHECK_EXCEPTION(cz::psnr(b, x, y), cz::error,
                          says(first ? "psnr, restored: the pixel" : "psnr, original: the pixel"));
  }
}
