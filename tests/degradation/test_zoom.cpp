#define BOOST_TEST_MODULE zoom
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/bilinear.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/io/npy.hpp>
#include <limits>
#include <tuple>

#include "common/errors.hpp"
#include "common/random_images.hpp"
#include "common/worse.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

static_assert(cz::PixelDegradation<cz::zoom<cz::nearest>>);
static_assert(cz::BatchDegradation<cz::zoom<cz::bilinear>, backend>);
static_assert(!cz::Degradation<cz::nearest, backend>);

using interpolations = std::tuple<cz::nearest, cz::bilinear>;

constexpr double unit_roundoff = 0x1p-24;

/// Pixel (c, y, x) of D(x0, step), from the definition and in double: rows are taken away one by one, first
/// at the top, then at the bottom, and so on; columns likewise.

struct interval {
  index_t first, size;
};
interval kept(index_t step, index_t length, index_t side) {
  interval all{0, length};
  const double share = static_cast<double>(step) / static_cast<double>(side);
  for (index_t i = 0; i < static_cast<index_t>(share * static_cast<double>(length) + 1e-9); ++i) {
    all.first += i % 2 == 0;
    --all.size;
  }
  return all;
}
double by_definition(cz::nearest, const cz::image_view<const float>& x0, index_t step, index_t c, index_t y,
                     index_t x) {
  const index_t side = std::min(x0.h, x0.w);
  const auto source = [&](index_t i, index_t length) {
    const interval crop = kept(step, length, side);
    return crop.first +
           static_cast<index_t>(std::floor(static_cast<double>(i * crop.size) / static_cast<double>(length)));
  };
  return static_cast<double>(x0(c, source(y, x0.h), source(x, x0.w)));
}
double by_definition(cz::bilinear, const cz::image_view<const float>& x0, index_t step, index_t c, index_t y,
                     index_t x) {
  const index_t side = std::min(x0.h, x0.w);
  struct position {
    index_t low, high;
    double weight;
  };
  const auto source = [&](index_t i, index_t length) {
    const interval crop = kept(step, length, side);
    const double at =
        (static_cast<double>(i) + 0.5) * static_cast<double>(crop.size) / static_cast<double>(length) - 0.5;
    const double clamped = std::clamp(at, 0.0, static_cast<double>(crop.size - 1));
    const index_t low = static_cast<index_t>(clamped), high = std::min(low + 1, crop.size - 1);
    return position{crop.first + low, crop.first + high, clamped - static_cast<double>(low)};
  };
  const position v = source(y, x0.h), u = source(x, x0.w);
  const auto row = [&](index_t at) {
    return (1 - u.weight) * static_cast<double>(x0(c, at, u.low)) +
           u.weight * static_cast<double>(x0(c, at, u.high));
  };
  return (1 - v.weight) * row(v.low) + v.weight * row(v.high);
}

/// Nearest copies pixels. Bilinear in float: a coordinate below `length` is rounded three times, neighbours
/// differ by at most 1, and the mean of values below 1/2 is rounded eight times.
double tolerance(cz::nearest, const cz::image_view<const float>&) { return 0; }
double tolerance(cz::bilinear, const cz::image_view<const float>& x0) {
  return (3 * static_cast<double>(x0.h + x0.w) + 8 * 0.5) * unit_roundoff;
}

/// All steps of one image, each an image of the batch.
template <class I> host_images all_steps(const host_images& image, int last_step, int threads = 1) {
  const index_t count = last_step + 1;
  host_images out(image.dims.with_n(count));
  std::vector<float> levels;
  for (int s = 0; s <= last_step; ++s)
    levels.push_back(static_cast<float>(s) / static_cast<float>(last_step));
  // The same image again and again: a batch whose images lie no distance apart.
  const auto& d = image.dims;
  const cz::tensor_view<const float> same(image.pixels.data(), d.with_n(count), 0, d.pixels(), d.w, 1);
  backend b(threads);
  cz::degrade(b, cz::zoom<I>{.last_step = last_step}, host_images::const_batch(same), {levels.data(), count},
              {}, out.view());
  return out;
}

template <class I> void check_zoom(cz::shape dims) {
  BOOST_TEST_CONTEXT(I::name << " on " << to_string(dims)) {
    const int last_step = static_cast<int>(std::min(dims.h, dims.w)) - 1;
    const host_images image = random_images(dims, 1);
    const auto x0 = image.view().image(0);
    const host_images out = all_steps<I>(image, last_step);
    const cz::zoom<I> pixel_form{.last_step = last_step};
    double worst = 0;
    index_t differing = 0, i = 0;
    for (int s = 0; s <= last_step; ++s) {
      const float level = static_cast<float>(s) / static_cast<float>(last_step);
      for (index_t c = 0; c < dims.c; ++c) {
        for (index_t y = 0; y < dims.h; ++y) {
          for (index_t x = 0; x < dims.w; ++x, ++i) {
            const float pixel = out.pixels[static_cast<std::size_t>(i)];
            const double wanted = by_definition(I{}, x0, s, c, y, x);
            worst = worse(worst, std::abs(static_cast<double>(pixel) - wanted));
            differing += pixel != pixel_form(x0, c, y, x, level);
          }
        }
      }
    }
    BOOST_TEST(worst <= tolerance(I{}, x0));
    BOOST_TEST(differing == 0, differing << " pixels of the batch form and the pixel form differ");
    BOOST_TEST(std::equal(image.pixels.begin(), image.pixels.end(), out.pixels.begin()), "step 0 changes x0");
    BOOST_TEST_MESSAGE(I::name << " " << to_string(dims) << ": worst error " << worst);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_step_by_definition) {
  // Square, higher, wider, with channels, smallest, and wider than the 64 columns that are done at a time.
  for (const cz::shape dims : {cz::shape{1, 1, 28, 28},
                               {1, 3, 28, 28},
                               {1, 1, 31, 20},
                               {1, 3, 9, 17},
                               {1, 2, 2, 2},
                               {1, 1, 6, 130}}) {
    check_zoom<cz::nearest>(dims);
    check_zoom<cz::bilinear>(dims);
  }
}

BOOST_AUTO_TEST_CASE(against_torchvision) {
  // tests/oracle/make_zoom_golden.py
  const auto golden = cz::load_npy<float>(std::string(COLDZOOM_TESTS_DIR) + "/oracle/data/zoom_golden.npy");
  BOOST_REQUIRE((golden.shape == std::vector<index_t>{2, 28, 28, 28}));
  host_images image({1, 1, 28, 28});
  std::copy_n(golden.data.begin(), 784, image.pixels.begin());
  const host_images sharp = all_steps<cz::nearest>(image, 27), smooth = all_steps<cz::bilinear>(image, 27);
  BOOST_TEST(std::equal(sharp.pixels.begin(), sharp.pixels.end(), golden.data.begin()));
  // PyTorch computes the same float coordinates, but for one rounding where a compiler fuses the product and
  // the sum: 28 units in each direction, times neighbours that differ by 1/2, and the rounding of the mean of
  // values of 1/4.
  const double allowed = (2 * 28 * 0.5 + 2 * 8 * 0.25) * unit_roundoff;
  BOOST_TEST(allowed < 2e-6);
  double worst = 0;
  for (std::size_t i = 0; i < smooth.pixels.size(); ++i) {
    const float wanted = golden.data[28 * 784 + i];
    worst = worse(worst, static_cast<double>(std::abs(smooth.pixels[i] - wanted)));
  }
  BOOST_TEST(worst <= allowed);
  BOOST_TEST_MESSAGE("bilinear off torchvision by " << worst);
}

BOOST_AUTO_TEST_CASE(bits_do_not_depend_on_batch_or_threads) {
  // Enough images for several tasks, each at a step of its own.
  const cz::shape dims{60, 1, 28, 28};
  const host_images x0 = random_images(dims, 2);
  std::vector<float> levels;
  for (int n = 0; n < 60; ++n) levels.push_back(static_cast<float>(n % 25) / 24.0f);
  const cz::zoom<cz::bilinear> d{.last_step = 24};
  const auto run = [&](int threads, index_t batch) {
    backend b(threads);
    host_images out(dims);
    for (index_t first = 0; first < 60; first += batch)
      cz::degrade(b, d, x0.view().images(first, batch), {levels.data() + first, batch}, {},
                  out.view().images(first, batch));
    return out;
  };
  const host_images whole = run(1, 60);
  BOOST_TEST((run(2, 60) == whole));
  BOOST_TEST((run(3, 60) == whole));
  BOOST_TEST((run(1, 1) == whole));
  BOOST_TEST((run(2, 20) == whole));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(pixels_that_do_not_count_spread_nothing, I, interpolations) {
  for (index_t in = 1; in <= 28; ++in) {
    for (index_t out = 1; out <= 40; ++out) {
      for (index_t i = 0; i < out; ++i) {
        const cz::axis_tap tap = I{}.tap(i, in, out);
        BOOST_REQUIRE((tap.weight != 0 || tap.second == tap.first));
        BOOST_REQUIRE((tap.first >= 0 && tap.second < in && tap.weight >= 0 && tap.weight <= 1));
      }
    }
  }
  // At level 0 every pixel is its own, whatever the neighbours hold; on every backend, one by one and in
  // rows.
  const cz::shape dims{1, 2, 7, 5};
  host_images spoilt = random_images(dims, 5);
  spoilt.pixels[2 * 5 + 3] = spoilt.pixels[35] = std::numeric_limits<float>::quiet_NaN();
  const host_images& x0 = spoilt;
  const float levels[] = {0};
  const cz::zoom<I> d{.last_step = 4};
  const auto check = [&](auto b) {
    host_images out(dims);
    cz::degrade(b, d, x0.view(), {levels, 1}, {}, out.view());
    for (index_t i = 0; i < dims.size(); ++i) {
      const float value = x0.pixels[static_cast<std::size_t>(i)],
                  found = out.pixels[static_cast<std::size_t>(i)];
      BOOST_TEST((found == value || (std::isnan(found) && std::isnan(value))), "pixel " << i);
      BOOST_TEST(std::isnan(d(x0.view().image(0), i / 35, i / 5 % 7, i % 5, 0.0f)) == std::isnan(value));
    }
  };
  check(backend(2));
  check(cz::reference_backend<float>());
}

BOOST_AUTO_TEST_CASE(strided_views) {
  // Channels last in, transposed out.
  const cz::shape dims{2, 3, 9, 7};
  const host_images x0 = random_images(dims, 3);
  host_images channels_last(dims), plain(dims), transposed(dims);
  const cz::tensor_view<float> in(channels_last.pixels.data(), dims, 189, 1, 21, 3),
      out(transposed.pixels.data(), dims, 189, 63, 1, 9);
  const auto for_each = [&](auto&& f) {
    for (index_t n = 0; n < 2; ++n)
      for (index_t c = 0; c < 3; ++c)
        for (index_t y = 0; y < 9; ++y)
          for (index_t x = 0; x < 7; ++x) f(n, c, y, x);
  };
  for_each([&](auto... i) { in(i...) = x0.view()(i...); });
  const float levels[] = {0.5f, 1.0f};
  backend b(2);
  const cz::zoom<cz::bilinear> d{.last_step = 4};
  cz::degrade(b, d, x0.view(), {levels, 2}, {}, plain.view());
  cz::degrade(b, d, host_images::const_batch(in), {levels, 2}, {}, host_images::batch(out));
  index_t differing = 0;
  for_each([&](auto... i) { differing += out(i...) != plain.view()(i...); });
  BOOST_TEST(differing == 0);
}

BOOST_AUTO_TEST_CASE(steps) {
  // The step survives the way through the level, for every T; further ones stop at the last pixel.
  for (int last = 1; last <= 300; ++last)
    for (int s = 0; s <= last; ++s)
      BOOST_REQUIRE(cz::zoom<cz::nearest>{.last_step = last}.step(static_cast<float>(s) /
                                                                  static_cast<float>(last)) == s);
  const cz::zoom<cz::nearest> d{.last_step = 99};
  const host_images image = random_images({1, 1, 4, 4}, 4);
  BOOST_TEST(d(image.view().image(0), 0, 3, 3, 1.0f) == image.view()(0, 0, 2, 2));
}

BOOST_AUTO_TEST_CASE(shapes_that_differ) {
  backend b(1);
  const host_images x0({2, 1, 4, 4});
  host_images smaller({2, 1, 4, 3}), out({2, 1, 4, 4});
  const float levels[] = {0, 0};
  const auto message = [&](host_images& to, index_t count) {
    return message_of([&] {
      cz::degrade(b, cz::zoom<cz::nearest>{}, x0.view(), {levels, count}, {}, to.view());
    });
  };
  BOOST_TEST(message(out, 2) == "no error");
  BOOST_TEST(message(smaller, 2) ==
             "degrade: x0 is 2 x 1 x 4 x 4, out is 2 x 1 x 4 x 3 and there are 2 levels; the shapes must "
             "agree, with one level an image");
  BOOST_TEST(message(out, 1) != "no error");
}
