#define BOOST_TEST_MODULE random_shift
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/data/random_shift.hpp>

#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::key_sequence keys{5, cz::stream::augmentation, 100};

host_images shifted(const host_images& images, index_t reach, int threads = 2) {
  backend b(threads);
  host_images out(images.dims);
  cz::random_shift{reach}(b, images.view(), keys, out.view());
  return out;
}

/// Whether `out` is `in` seen dy lower and dx further to the right, -0.5 where nothing is.
bool is_shift(const cz::image_view<const float>& in, const cz::image_view<const float>& out, index_t dy,
              index_t dx) {
  for (index_t c = 0; c < in.c; ++c) {
    for (index_t y = 0; y < in.h; ++y) {
      for (index_t x = 0; x < in.w; ++x) {
        const bool inside = y + dy >= 0 && y + dy < in.h && x + dx >= 0 && x + dx < in.w;
        if (out(c, y, x) != (inside ? in(c, y + dy, x + dx) : -0.5f)) return false;
      }
    }
  }
  return true;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_image_is_a_shift_and_all_shifts_are_equally_likely) {
  constexpr index_t n = 5000, reach = 2, ways = 25;
  const host_images images = random_images({n, 2, 6, 5}, 1), out = shifted(images, reach);
  std::vector<int> found(ways);
  for (index_t i = 0; i < n; ++i) {
    int matches = 0;
    for (index_t way = 0; way < ways; ++way) {
      if (!is_shift(images.view().image(i), out.view().image(i), way / 5 - reach, way % 5 - reach)) continue;
      ++matches;
      ++found[static_cast<std::size_t>(way)];
    }
    BOOST_REQUIRE(matches == 1);
  }
  const std::vector<double> expected(ways, static_cast<double>(n) / ways);
  BOOST_TEST(chi_square(found, expected) < chi_square_bound(ways - 1));
}

BOOST_AUTO_TEST_CASE(depends_on_the_key_alone) {
  const host_images images = random_images({9, 1, 8, 8}, 2), out = shifted(images, 3);
  BOOST_TEST((shifted(images, 3, 1) == out));
  // Image 4 alone, under its own key.
  backend b(1);
  host_images one({1, 1, 8, 8}), single({1, 1, 8, 8});
  std::copy_n(images.pixels.begin() + 4 * 64, 64, one.pixels.begin());
  cz::random_shift{3}(b, std::as_const(one).view(), keys.from(4), single.view());
  BOOST_TEST(std::equal(single.pixels.begin(), single.pixels.end(), out.pixels.begin() + 4 * 64));
}

BOOST_AUTO_TEST_CASE(no_reach_changes_nothing) {
  const host_images images = random_images({3, 1, 4, 4}, 3);
  BOOST_TEST((shifted(images, 0) == images));
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  backend b(1);
  const host_images images = random_images({3, 1, 4, 4}, 3);
  host_images other({2, 1, 4, 4});
  BOOST_TEST(message_of([&] { shifted(images, -1); }) ==
             "random_shift: the reach is -1; it must be at least 0");
  BOOST_TEST(message_of([&] { cz::random_shift{}(b, images.view(), keys, other.view()); }) ==
             "random_shift: the input is 3 x 1 x 4 x 4, the output 2 x 1 x 4 x 4");
}
