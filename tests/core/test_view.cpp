#define BOOST_TEST_MODULE view
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/core/range.hpp>
#include <coldzoom/core/view.hpp>
#include <numeric>
#include <vector>

namespace cz = coldzoom;
using cz::index_t;

namespace {

/// 0, 1, 2, ...: each element tells its place in memory.
std::vector<int> places(index_t count) {
  std::vector<int> v(static_cast<std::size_t>(count));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

struct elsewhere {};

// A view of constants comes from a view of variables, never the other way, and never from another space.
template <class From, class To> constexpr bool converts = std::is_convertible_v<From, To>;
static_assert(converts<cz::image_view<float>, cz::image_view<const float>>);
static_assert(!converts<cz::image_view<const float>, cz::image_view<float>>);
static_assert(converts<cz::tensor_view<float>, cz::tensor_view<const float>>);
static_assert(!converts<cz::tensor_view<const float>, cz::tensor_view<float>>);
static_assert(!converts<cz::tensor_view<float, elsewhere>, cz::tensor_view<float>>);
static_assert(converts<cz::vector_view<int>, cz::vector_view<const int>>);
static_assert(!converts<cz::vector_view<int, elsewhere>, cz::vector_view<int>>);
using lanes_of_4 = cz::activation_view<float, 4, cz::host_space>;
static_assert(converts<lanes_of_4, cz::activation_view<const float, 4, cz::host_space>>);
static_assert(!converts<lanes_of_4, cz::activation_view<float, 1, cz::host_space>>);

// Ranges of values do not mix.
template <class R> using images = cz::image_batch<R, float>;
static_assert(!converts<images<cz::unit>, images<cz::centred>>);
static_assert(!converts<cz::tensor_view<float>, images<cz::unit>>);  // a range is stated, not guessed
static_assert(converts<images<cz::unit>, cz::tensor_view<float>>);
static_assert(converts<images<cz::unit>, cz::image_batch<cz::unit, const float>>);
static_assert(cz::ValueRange<cz::symmetric> && !cz::ValueRange<float>);

}  // namespace

BOOST_AUTO_TEST_CASE(shapes) {
  constexpr cz::shape s{2, 3, 4, 5};
  static_assert(s.pixels() == 20 && s.image() == 60 && s.size() == 120);
  static_assert(s.with_n(7) == cz::shape{7, 3, 4, 5});
  BOOST_TEST(cz::to_string(s) == "2 x 3 x 4 x 5");
}

BOOST_AUTO_TEST_CASE(dense_tensor) {
  std::vector<int> data = places(120);
  const cz::tensor_view<int> t(data.data(), {2, 3, 4, 5});
  BOOST_TEST(t.contiguous());
  BOOST_TEST(t(1, 2, 3, 4) == 119);
  BOOST_TEST(t(1, 0, 2, 3) == 60 + 13);
  BOOST_TEST(t.image(1)(2, 0, 1) == 60 + 41);
  const cz::tensor_view<int> second = t.images(1, 1);
  BOOST_TEST((second.dims == cz::shape{1, 3, 4, 5}));
  BOOST_TEST(second(0, 0, 0, 0) == 60);
  BOOST_TEST(second.contiguous());
}

BOOST_AUTO_TEST_CASE(strided_tensor) {
  std::vector<int> data = places(120);
  // Channels last: [n][y][x][c].
  const cz::tensor_view<int> t(data.data(), {2, 3, 4, 5}, 60, 1, 15, 3);
  BOOST_TEST(!t.contiguous());
  BOOST_TEST(t(1, 2, 3, 4) == 119);
  BOOST_TEST(t(1, 2, 1, 0) == 60 + 15 + 2);
  BOOST_TEST(t.image(1)(2, 1, 0) == 60 + 15 + 2);
  BOOST_TEST(t.images(1, 1)(0, 2, 1, 0) == 60 + 15 + 2);
  t(0, 1, 0, 1) = -1;
  BOOST_TEST(data[4] == -1);

  // Rows bottom up, the last image first.
  const cz::tensor_view<int> back(data.data() + 60 + 15, {2, 3, 4, 5}, -60, 20, -5, 1);
  BOOST_TEST(back(0, 0, 0, 0) == 75);
  BOOST_TEST(back(1, 2, 3, 4) == 44);
}

BOOST_AUTO_TEST_CASE(windows_and_transposes) {
  std::vector<int> data = places(60);
  const cz::image_view<int> image{data.data(), 3, 4, 5, 20, 5, 1};
  const cz::image_view<const int> crop = image.window(1, 2, 2, 3);
  BOOST_TEST((crop.c == 3 && crop.h == 2 && crop.w == 3));
  BOOST_TEST(crop(0, 0, 0) == image(0, 1, 2));
  BOOST_TEST(crop(2, 1, 2) == image(2, 2, 4));
  BOOST_TEST(crop.window(1, 1, 1, 1)(1, 0, 0) == image(1, 2, 3));
  const cz::image_view<int> transposed{data.data(), 3, 5, 4, 20, 1, 5};
  BOOST_TEST(transposed.window(2, 1, 3, 2)(1, 2, 1) == image(1, 2, 4));
}

BOOST_AUTO_TEST_CASE(vectors) {
  std::vector<int> data = places(10);
  const cz::vector_view<const int> v = cz::vector_view<int>{data.data(), 10}.slice(3, 4);
  BOOST_TEST((v.size == 4 && v[0] == 3 && v[3] == 6));
}

BOOST_AUTO_TEST_CASE(activation_layout) {
  // 5 channels in lanes of 4: two blocks, three lanes of padding.
  std::vector<int> data = places(2 * 8 * 6);
  const cz::activation_view<int, 4, cz::host_space> x{data.data(), {2, 5, 2, 3}};
  BOOST_TEST((x.lane_groups() == 2 && x.image_size() == 48 && x.size() == 96));
  BOOST_TEST(x.offset(0, 3, 5) == 23);
  BOOST_TEST(x(1, 4, 1, 2) == 48 + 24 + 20);
  BOOST_TEST(x.images(1, 1)(0, 4, 1, 2) == 48 + 24 + 20);
  // No two elements share a place.
  std::vector<index_t> seen;
  for (index_t n = 0; n < 2; ++n) {
    for (index_t c = 0; c < 5; ++c) {
      for (index_t p = 0; p < 6; ++p) seen.push_back(x.offset(n, c, p));
    }
  }
  std::sort(seen.begin(), seen.end());
  BOOST_TEST((std::adjacent_find(seen.begin(), seen.end()) == seen.end()));
  BOOST_TEST((seen.front() == 0 && seen.back() < 96));

  // One lane is plain NCHW.
  const cz::activation_view<int, 1, cz::host_space> plain{data.data(), {2, 5, 2, 3}};
  const cz::tensor_view<int> dense(data.data(), {2, 5, 2, 3});
  BOOST_TEST(plain.size() == 60);
  BOOST_TEST(plain(1, 3, 1, 2) == dense(1, 3, 1, 2));
}

BOOST_AUTO_TEST_CASE(range_of_a_batch_survives_slicing) {
  std::vector<float> data(12);
  data[6] = 0.25f;
  const images<cz::centred> batch(cz::tensor_view<float>(data.data(), {3, 1, 2, 2}));
  const images<cz::centred> part = batch.images(1, 2);
  BOOST_TEST(part(0, 0, 1, 0) == 0.25f);
  BOOST_TEST(part.dims.n == 2);
}

BOOST_AUTO_TEST_CASE(bytes_as_levels) {
  BOOST_TEST(cz::from_byte<cz::unit>(0) == 0.0f);
  BOOST_TEST(cz::from_byte<cz::unit>(255) == 1.0f);
  BOOST_TEST(cz::from_byte<cz::centred>(0) == -0.5f);
  BOOST_TEST(cz::from_byte<cz::centred>(255) == 0.5f);
  BOOST_TEST(cz::from_byte<cz::symmetric>(0) == -1.0f);
  BOOST_TEST(cz::from_byte<cz::symmetric>(255) == 1.0f);
  for (int v = 0; v < 256; ++v)
    BOOST_TEST(cz::from_byte<cz::centred>(static_cast<unsigned char>(v)) ==
               static_cast<float>(v) / 255.0f - 0.5f);
}

BOOST_AUTO_TEST_CASE(conversion_of_ranges) {
  static_assert(cz::convert_range<cz::unit, cz::symmetric>(0.75f) == 0.5f);
  static_assert(cz::convert_range<cz::symmetric, cz::centred>(-1.0f) == -0.5f);
  static_assert(cz::convert_range<cz::centred, cz::unit>(2.0f) == 2.5f);  // no clamping
  // There and back: two roundings of numbers below 1 on each way, each at most half of 2^-23.
  for (int v = 0; v < 256; ++v) {
    const float level = cz::from_byte<cz::unit>(static_cast<unsigned char>(v));
    const float centred = cz::convert_range<cz::unit, cz::centred>(level);
    const float symmetric = cz::convert_range<cz::centred, cz::symmetric>(centred);
    BOOST_TEST(std::abs(cz::convert_range<cz::symmetric, cz::unit>(symmetric) - level) <= 0x1p-22f);
    BOOST_TEST(std::abs(cz::convert_range<cz::centred, cz::unit>(centred) - level) <= 0x1p-22f);
  }
}
