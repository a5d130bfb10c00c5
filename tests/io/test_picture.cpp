#define BOOST_TEST_MODULE picture
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/core/random.hpp>
#include <coldzoom/io/picture.hpp>
#include <cstdint>
#include <vector>

#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;
using bytes = std::vector<std::uint8_t>;

namespace {

cz::picture random_picture(index_t height, index_t width, index_t channels) {
  cz::picture p{height, width, channels, {}};
  for (index_t i = 0; i < height * width * channels; ++i) {
    p.pixels.push_back(static_cast<std::uint8_t>(
        cz::random_below({1, cz::stream::user, 2}, static_cast<std::uint64_t>(i), 256)));
  }
  return p;
}

/// The weight of old element k in new element i, in double, from the definition.
double weight(index_t from, index_t to, index_t i, index_t k) {
  const double scale = static_cast<double>(from) / static_cast<double>(to), at = static_cast<double>(k);
  const double begin = static_cast<double>(i) * scale;
  if (to <= from) return std::max(0.0, std::min(at + 1, begin + scale) - std::max(at, begin)) / scale;
  const double centre = std::clamp(begin + scale / 2 - 0.5, 0.0, static_cast<double>(from - 1));
  return std::max(0.0, 1 - std::abs(centre - at));
}

}  // namespace

BOOST_AUTO_TEST_CASE(resizing_is_its_definition_in_double) {
  for (const index_t channels : {1, 3}) {
    const cz::picture from = random_picture(7, 10, channels);
    for (const auto& [h, w] : std::vector<std::pair<index_t, index_t>>{
             {7, 10}, {1, 1}, {3, 4}, {7, 5}, {6, 10}, {14, 20}, {9, 31}, {2, 23}, {40, 3}}) {
      const cz::picture to = cz::resized(from, h, w);
      BOOST_REQUIRE(to.pixels.size() == static_cast<std::size_t>(h * w * channels));
      for (index_t i = 0; i < h * w * channels; ++i) {
        const index_t c = i % channels, x = i / channels % w, y = i / channels / w;
        double sum = 0;
        for (index_t ky = 0; ky < from.height; ++ky) {
          for (index_t kx = 0; kx < from.width; ++kx) {
            sum += weight(from.height, h, y, ky) * weight(from.width, w, x, kx) *
                   from.pixels[static_cast<std::size_t>((ky * from.width + kx) * channels + c)];
          }
        }
        // A byte is the nearest whole number; at a tie the double may lie on either side.
        BOOST_TEST(std::abs(to.pixels[static_cast<std::size_t>(i)] - sum) <= 0.5 + 1e-9);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(resizing_keeps_colours_and_means) {
  const cz::picture flat{5, 9, 1, bytes(45, 201)};
  for (const index_t side : {1, 2, 4, 5, 8, 33}) {
    BOOST_TEST(cz::resized(flat, side, side).pixels == bytes(static_cast<std::size_t>(side * side), 201));
  }
  BOOST_TEST(cz::resized({1, 4, 1, {0, 10, 20, 30}}, 1, 2).pixels == (bytes{5, 25}));
  BOOST_TEST(cz::resized({1, 2, 1, {0, 100}}, 1, 4).pixels == (bytes{0, 25, 75, 100}));
}

BOOST_AUTO_TEST_CASE(crops_about_the_centre) {
  cz::picture wide{1, 7, 1, {0, 1, 2, 3, 4, 5, 6}};
  BOOST_TEST(cz::centre_cropped(wide, 5, 5).pixels == (bytes{3}));
  BOOST_TEST(cz::centre_cropped(wide, 10, 40).pixels == (bytes{1, 2, 3, 4}));
  BOOST_TEST(cz::centre_cropped(wide, 1, 7).pixels == wide.pixels);
  BOOST_TEST(cz::centre_cropped(wide, 1, 100).pixels == wide.pixels);
  const cz::picture high{3, 2, 3, {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5}};
  const cz::picture square = cz::centre_cropped(high, 32, 32);
  BOOST_TEST(square.height == 2);
  BOOST_TEST(square.pixels == (bytes{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}));
}

BOOST_AUTO_TEST_CASE(channels_and_planes) {
  const cz::picture colours{1, 3, 3, {255, 0, 0, 0, 255, 0, 10, 20, 30}};
  BOOST_TEST(cz::with_channels(colours, 1).pixels == (bytes{76, 150, 18}));  // 76.245, 149.685, 18.15
  BOOST_TEST(cz::with_channels(colours, 3).pixels == colours.pixels);
  BOOST_TEST(cz::with_channels({1, 2, 1, {7, 8}}, 3).pixels == (bytes{7, 7, 7, 8, 8, 8}));
  for (int v = 0; v < 256; ++v) {
    const auto byte = static_cast<std::uint8_t>(v);
    BOOST_TEST(cz::with_channels({1, 1, 3, {byte, byte, byte}}, 1).pixels == bytes{byte});
  }
  BOOST_TEST(cz::to_planes(colours) == (bytes{255, 0, 10, 0, 255, 20, 0, 0, 30}));
  BOOST_TEST(cz::from_planes({1, 3, 1, 3}, cz::to_planes(colours).data()).pixels == colours.pixels);
}

BOOST_AUTO_TEST_CASE(refused) {
  const cz::picture one{1, 1, 1, {0}};
  BOOST_TEST(message_of([&] { cz::resized(one, 0, 5); }) ==
             "resized: found 0 x 5 pixels, wanted 1 to 2^28 of them");
  BOOST_TEST(message_of([&] { cz::resized(one, 1 << 20, 1 << 20); }) ==
             "resized: found 1048576 x 1048576 pixels, wanted 1 to 2^28 of them");
  BOOST_TEST(message_of([&] { cz::resized({}, 1, 1); }) ==
             "resized: the picture: found 0 x 0 pixels, wanted 1 to 2^28 of them");
  BOOST_TEST(message_of([&] { cz::centre_cropped(one, 3, -1); }) ==
             "centre_cropped: found 3 x -1 pixels, wanted 1 to 2^28 of them");
  BOOST_TEST(message_of([&] { cz::with_channels(one, 4); }) ==
             "with_channels: found 4 channels, wanted 1 or 3");
}
