#define BOOST_TEST_MODULE png
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/io/png.hpp>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.hpp"
#include "common/png_writer.hpp"
#include "common/temporary_folder.hpp"

namespace cz = coldzoom;

namespace {

using bytes = std::vector<std::uint8_t>;

cz::tensor_view<const float> view(const std::vector<float>& values, cz::shape dims) {
  return {values.data(), dims};
}

cz::picture decoded(const std::string& file, std::uint8_t background = 0) {
  return cz::decode_png("x.png", std::as_bytes(std::span(file)), background);
}

std::string load_message(const std::string& path) {
  return message_of([&] { cz::load_png(path); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(round_trip_of_every_grey_value) {
  const temporary_folder dir;
  for (const cz::index_t channels : {1, 3}) {
    cz::picture image{16, 16 / channels, channels, {}};
    for (cz::index_t i = 0; i < image.height * image.width * channels; ++i) {
      image.pixels.push_back(static_cast<std::uint8_t>(i));
    }
    cz::save_png(dir / "x.png", image);
    const cz::picture back = cz::load_png(dir / "x.png");
    BOOST_TEST(back.height == image.height);
    BOOST_TEST(back.width == image.width);
    BOOST_TEST(back.channels == channels);
    BOOST_TEST(back.pixels == image.pixels);
  }
}

BOOST_AUTO_TEST_CASE(pictures_that_are_refused) {
  const temporary_folder dir;
  const std::string path = dir / "x.png";
  for (const cz::picture& image :
       {cz::picture{}, cz::picture{1, 1, 2, bytes(2)}, cz::picture{2, 2, 1, bytes(3)},
        cz::picture{-1, -1, 1, bytes(1)}, cz::picture{1, 1, 3, bytes(4)},
        cz::picture{PTRDIFF_MAX, PTRDIFF_MAX, 1, bytes(1)}}) {
    const std::string message = message_of([&] { cz::save_png(path, image); });
    BOOST_TEST(message.starts_with(path + ": found a picture of "), message);
  }
  BOOST_TEST(dir.entries() == 0u);
  BOOST_TEST(message_of([&] {
               cz::save_png(dir / "no/x.png", {1, 1, 1, {0}});
             }) == (dir / "no/x.png") + ": cannot create: No such file or directory");
}

BOOST_AUTO_TEST_CASE(malformed_files) {
  const temporary_folder dir;
  const std::string path = dir / "x.png";
  BOOST_TEST(load_message(path) == path + ": cannot open: No such file or directory");
  for (const std::string bad : {"", "P5 1 1 255 a", "\x89PNG\r\n\x1a\n"}) {
    cz::write_file_atomically(path, bad);
    BOOST_TEST(load_message(path).starts_with(path + ": cannot read the PNG: "), load_message(path));
  }
  cz::save_png(path, {40, 40, 3, bytes(4800, 77)});
  const std::string whole = content_of(path);
  constexpr std::size_t end_chunk = 12;
  for (std::size_t length = 0; length < whole.size() - end_chunk; ++length) {
    cz::write_file_atomically(path, whole.substr(0, length));
    BOOST_TEST(load_message(path).starts_with(path + ": cannot read the PNG: "), length);
  }
  std::string damaged = whole;
  damaged[whole.size() - end_chunk - 6] ^= 1;  // in the compressed pixels or their checksum
  cz::write_file_atomically(path, damaged);
  BOOST_TEST(load_message(path).starts_with(path + ": cannot read the PNG: "));
}

BOOST_AUTO_TEST_CASE(stored_values_come_back_whatever_the_gamma) {
  bytes grey(256);
  std::iota(grey.begin(), grey.end(), std::uint8_t{0});
  const std::vector<std::pair<std::string, bytes>> colour_spaces{
      {"", {}},
      {"gAMA", {0, 1, 0x86, 0xA0}},  // 1.0, light itself
      {"gAMA", {0, 0, 0xB1, 0x8F}},  // 1 / 2.2
      {"sRGB", {0}},
      {"sBIT", {5}}};
  for (const auto& [type, data] : colour_spaces) {
    png_writer png(1, 256, 8, 0);
    if (!type.empty()) png.chunk(type, data);
    BOOST_TEST(decoded(png.rows(grey)).pixels == grey, type);
  }
}

BOOST_AUTO_TEST_CASE(sixteen_bits_are_rounded_to_eight) {
  bytes stored, expected;
  for (int v = 0; v < 65536; v += 251) {
    stored.insert(stored.end(), {static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)});
    expected.push_back(static_cast<std::uint8_t>(std::lround(v / 257.0)));
  }
  const auto width = static_cast<cz::index_t>(expected.size());
  BOOST_TEST(decoded(png_writer(1, width, 16, 0).rows(stored)).pixels == expected);
}

BOOST_AUTO_TEST_CASE(few_bits_are_spread_and_palettes_are_colours) {
  BOOST_TEST(decoded(png_writer(1, 4, 2, 0).rows({0b00011011})).pixels == (bytes{0, 85, 170, 255}));
  BOOST_TEST(decoded(png_writer(1, 8, 1, 0).rows({0b01010011})).pixels ==
             (bytes{0, 255, 0, 255, 0, 0, 255, 255}));
  png_writer png(1, 2, 8, 3);
  png.chunk("PLTE", {1, 2, 3, 40, 50, 60});
  const cz::picture image = decoded(png.rows({1, 0}));
  BOOST_TEST(image.channels == 3);
  BOOST_TEST(image.pixels == (bytes{40, 50, 60, 1, 2, 3}));
}

BOOST_AUTO_TEST_CASE(transparent_pixels_are_mixed_with_the_background) {
  const auto mixed = [](int value, int alpha, int background) {
    return std::lround((value * alpha + background * (255 - alpha)) / 255.0);
  };
  bytes colour, grey;
  for (int i = 0; i < 64; ++i) {
    for (const int v : {i * 4, 255 - i, i * i % 256, 255 - 4 * i})
      colour.push_back(static_cast<std::uint8_t>(v));
    for (const int v : {255 - 4 * i, i * 4}) grey.push_back(static_cast<std::uint8_t>(v));
  }
  for (const int background : {0, 255, 77}) {
    const auto check = [&](const cz::picture& image, const bytes& stored, std::size_t channels) {
      BOOST_REQUIRE(image.pixels.size() == 64 * channels);
      BOOST_TEST(image.channels == static_cast<cz::index_t>(channels));
      for (std::size_t i = 0; i < image.pixels.size(); ++i) {
        const std::size_t pixel = i / channels * (channels + 1);
        BOOST_TEST(image.pixels[i] ==
                   mixed(stored[pixel + i % channels], stored[pixel + channels], background));
      }
    };
    const auto level = static_cast<std::uint8_t>(background);
    check(decoded(png_writer(8, 8, 8, 6).rows(colour), level), colour, 3);
    check(decoded(png_writer(8, 8, 8, 4).rows(grey), level), grey, 1);
  }
  // A colour that stands for nothing, of a picture without alpha.
  png_writer png(1, 2, 8, 0);
  png.chunk("tRNS", {0, 9});
  BOOST_TEST(decoded(png.rows({9, 8}), 200).pixels == (bytes{200, 8}));
}

BOOST_AUTO_TEST_CASE(interlaced_rows) {
  // Adam7, https://www.w3.org/TR/png: each pass holds every dx-th pixel of every dy-th row from (y, x) on.
  bytes pixels(64), passes;
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{100});
  constexpr int pass[7][4] = {{0, 0, 8, 8}, {0, 4, 8, 8}, {4, 0, 8, 4}, {0, 2, 4, 4},
                              {2, 0, 4, 2}, {0, 1, 2, 2}, {1, 0, 2, 1}};
  for (const auto& [top, left, dy, dx] : pass) {
    for (int y = top; y < 8; y += dy) {
      passes.push_back(0);  // no filter
      for (int x = left; x < 8; x += dx) passes.push_back(pixels[static_cast<std::size_t>(8 * y + x)]);
    }
  }
  BOOST_TEST(decoded(png_writer(8, 8, 8, 0, true).filtered(passes)).pixels == pixels);
}

BOOST_AUTO_TEST_CASE(grid_layout) {
  // Five images of 1 x 2 pixels: image i holds i and i + 10.
  std::vector<float> values;
  for (int i = 0; i < 5; ++i) {
    for (const int v : {i, i + 10}) values.push_back(static_cast<float>(v) / 255.0f);
  }
  const cz::picture grid = cz::image_grid(view(values, {5, 1, 1, 2}), 3, 2, 1, 200);
  BOOST_TEST(grid.channels == 1);
  BOOST_TEST(grid.height == 5);
  BOOST_TEST(grid.width == 14);
  const bytes first{0, 0, 10, 10, 200, 1, 1, 11, 11, 200, 2, 2, 12, 12};
  const bytes second{3, 3, 13, 13, 200, 4, 4, 14, 14, 200, 200, 200, 200, 200};
  bytes expected;
  for (const bytes& row : {first, first, bytes(14, 200), second, second}) {
    expected.insert(expected.end(), row.begin(), row.end());
  }
  BOOST_TEST(grid.pixels == expected);

  const cz::picture narrow = cz::image_grid(view(values, {5, 1, 1, 2}), 100, 1, 0);
  BOOST_TEST(narrow.height == 1);
  BOOST_TEST(narrow.width == 10);
  BOOST_TEST(narrow.pixels == (bytes{0, 10, 1, 11, 2, 12, 3, 13, 4, 14}));
}

BOOST_AUTO_TEST_CASE(grid_of_colours_and_strided_views) {
  // Channels-last storage seen as N x C x H x W.
  std::vector<float> values;
  for (int i = 0; i < 12; ++i) values.push_back(static_cast<float>(i) / 255.0f);
  const cz::tensor_view<const float> images(values.data(), {2, 3, 1, 2}, 6, 1, 6, 3);
  const cz::picture grid = cz::image_grid(images, 1, 1, 0);
  BOOST_TEST(grid.channels == 3);
  BOOST_TEST(grid.height == 2);
  BOOST_TEST(grid.width == 2);
  BOOST_TEST(grid.pixels == (bytes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
}

BOOST_AUTO_TEST_CASE(grid_values) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{-1.0f,
                                  -0.0f,
                                  0.4f / 255,
                                  0.6f / 255,
                                  127.4f / 255,
                                  127.6f / 255,
                                  1.0f,
                                  1.01f,
                                  infinity,
                                  -infinity,
                                  std::numeric_limits<float>::quiet_NaN(),
                                  1e30f};
  BOOST_TEST(cz::image_grid(view(values, {1, 1, 1, 12}), 1).pixels ==
             (bytes{0, 0, 0, 1, 127, 128, 255, 255, 255, 0, 0, 255}));
  std::vector<float> all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<float>(i) / 255.0f);
  const cz::picture grid = cz::image_grid(view(all, {1, 1, 16, 16}), 1);
  for (std::size_t i = 0; i < 256; ++i) BOOST_TEST(grid.pixels[i] == i);
}

BOOST_AUTO_TEST_CASE(grids_that_are_refused) {
  const std::vector<float> values(8, 0.0f);
  const auto message = [&](cz::shape dims, cz::index_t columns, cz::index_t scale, cz::index_t gap) {
    return message_of([&] { cz::image_grid(view(values, dims), columns, scale, gap); });
  };
  BOOST_TEST(message({0, 1, 2, 2}, 1, 1, 0).starts_with("image_grid: found images 0 x 1 x 2 x 2, wanted"));
  BOOST_TEST(message({1, 2, 2, 2}, 1, 1, 0).starts_with("image_grid: found images 1 x 2 x 2 x 2, wanted"));
  BOOST_TEST(message({1, 1, 0, 2}, 1, 1, 0).starts_with("image_grid: found images"));
  BOOST_TEST(
      message({2, 1, 2, 2}, 0, 1, 0).starts_with("image_grid: found 0 columns, scale 1 and gap 0, wanted"));
  BOOST_TEST(message({2, 1, 2, 2}, 1, 0, 0).starts_with("image_grid: found 1 columns, scale 0"));
  BOOST_TEST(message({2, 1, 2, 2}, 1, 1, -1).starts_with("image_grid: found 1 columns, scale 1 and gap -1"));
  BOOST_TEST(message({2, 1, 2, 2}, 1, PTRDIFF_MAX, 0)
                 .starts_with("image_grid: found 1 columns, scale 9223372036854775807"));
  BOOST_TEST(message({2, 1, 2, 2}, 1, 1, PTRDIFF_MAX)
                 .starts_with("image_grid: found 1 columns, scale 1 and gap 9223"));
  BOOST_TEST(message({2, 1, 2, 2}, 2, 100000, 0) ==
             "image_grid: found a picture of 200000 x 400000 pixels, wanted at most 2^28");
}
