#define BOOST_TEST_MODULE load_picture
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/io/load_picture.hpp>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/errors.hpp"
#include "common/temporary_folder.hpp"

namespace cz = coldzoom;

namespace {

using bytes = std::vector<std::uint8_t>;

/// A JPEG of 16 x 24 pixels of quality 100, whose channels are smooth.
std::string encode(int channels, J_COLOR_SPACE colours, bool progressive = false) {
  jpeg_compress_struct info{};
  jpeg_error_mgr handler{};
  info.err = jpeg_std_error(&handler);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_height = 16;
  info.image_width = 24;
  info.input_components = channels;
  info.in_color_space = colours;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  for (int c = 0; c < info.num_components; ++c)
    info.comp_info[c].h_samp_factor = info.comp_info[c].v_samp_factor = 1;
  if (progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < 16; ++y) {
    bytes row;
    for (int x = 0; x < 24; ++x) {
      for (int c = 0; c < channels; ++c) row.push_back(static_cast<std::uint8_t>(8 * y + 4 * x + 10 * c));
    }
    JSAMPROW in = row.data();
    jpeg_write_scanlines(&info, &in, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const std::unique_ptr<unsigned char, decltype(&std::free)> owner(memory, std::free);
  return {reinterpret_cast<const char*>(memory), size};
}

cz::picture decoded(const std::string& file) {
  return cz::decode_picture("x", std::as_bytes(std::span(file)));
}
std::string message(const std::string& file) {
  return message_of([&] { decoded(file); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(jpeg_of_grey_and_of_colours) {
  for (const bool progressive : {false, true}) {
    for (const int channels : {1, 3}) {
      const cz::picture image =
          decoded(encode(channels, channels == 1 ? JCS_GRAYSCALE : JCS_RGB, progressive));
      BOOST_TEST(image.height == 16);
      BOOST_TEST(image.width == 24);
      BOOST_TEST(image.channels == channels);
      BOOST_REQUIRE(image.pixels.size() == static_cast<std::size_t>(16 * 24 * channels));
      // The 64 coefficients of a block are rounded to whole numbers, an error of at most 1/2 each: at most 4 for a pixel.
      // Three channels are mixed before and after, at most 1.772 times as much, and rounded to bytes each time.
      const double tolerance = channels == 1 ? 4.5 : 4 * (1 + 1.772) + 2;
      double most = 0, squares = 0;
      for (std::size_t i = 0; i < image.pixels.size(); ++i) {
        const std::size_t c = i % static_cast<std::size_t>(channels),
                          pixel = i / static_cast<std::size_t>(channels);
        const double error =
            image.pixels[i] - static_cast<double>(8 * (pixel / 24) + 4 * (pixel % 24) + 10 * c);
        most = std::max(most, std::abs(error));
        squares += error * error;
      }
      BOOST_TEST(most <= tolerance);
      BOOST_TEST(std::sqrt(squares / static_cast<double>(image.pixels.size())) < 1.5);
    }
  }
}

BOOST_AUTO_TEST_CASE(files_that_are_refused) {
  BOOST_TEST(message("") == "x: found no bytes, wanted a PNG or a JPEG");
  BOOST_TEST(message("Dear all,\n") ==
             "x: found a file that begins with \"Dear all\", wanted a PNG or a JPEG");
  BOOST_TEST(message("GIF89a\x01\x7f") ==
             "x: found a file that begins with \"GIF89a\\x01\\x7f\", wanted a PNG or a JPEG");
  BOOST_TEST(message("\x89PNG\r\n\x1a\n").starts_with("x: cannot read the PNG: "));
  BOOST_TEST(message("\xff\xd8\xff").starts_with("x: cannot read the JPEG: "));
  const std::string cmyk =
      "x: found a JPEG of 4 channels (CMYK, colours of print, which need a colour profile), wanted "
      "grey or RGB: convert it first";
  BOOST_TEST(message(encode(4, JCS_CMYK)) == cmyk);
  BOOST_TEST(message(encode(2, JCS_UNKNOWN)) ==
             "x: found a JPEG of 2 channels, wanted grey or RGB: convert it first");
}

BOOST_AUTO_TEST_CASE(a_jpeg_cut_anywhere_is_refused) {
  for (const bool progressive : {false, true}) {
    const std::string whole = encode(3, JCS_RGB, progressive);
    BOOST_TEST(message(whole) == "no error");
    for (std::size_t length = 3; length < whole.size(); ++length)
      BOOST_TEST(message(whole.substr(0, length)).starts_with("x: cannot read the JPEG: "), length);
  }
}

BOOST_AUTO_TEST_CASE(no_damage_does_worse_than_an_error) {
  const std::string whole = encode(3, JCS_RGB);
  int refused = 0;
  for (std::size_t at = 3; at < whole.size(); ++at) {
    for (const char mask : {'\x01', '\x80', '\xff'}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ mask);
      refused += message(damaged) != "no error" ? 1 : 0;
    }
  }
  BOOST_TEST(refused > 0);
}

BOOST_AUTO_TEST_CASE(kinds_are_told_by_the_bytes) {
  const temporary_folder dir;
  cz::write_file_atomically(dir / "x.png", encode(1, JCS_GRAYSCALE));
  BOOST_TEST(cz::load_picture(dir / "x.png").width == 24);
  cz::save_png(dir / "y.jpg", {1, 2, 1, {3, 4}});
  BOOST_TEST(cz::load_picture(dir / "y.jpg").pixels == (bytes{3, 4}));
  cz::write_file_atomically(dir / "z.png", std::string("text"));
  BOOST_TEST(message_of([&] { cz::load_picture(dir / "z.png"); }) ==
             (dir / "z.png") + ": found a file that begins with \"text\", wanted a PNG or a JPEG");
}

BOOST_AUTO_TEST_CASE(listings) {
  const temporary_folder dir;
  const auto touch = [&](const std::string& name) {
    cz::write_file_atomically(dir / name, std::string("x"));
  };
  BOOST_TEST(message_of([&] { cz::list_pictures(dir / "none"); }) ==
             (dir / "none") + ": cannot list the folder: No such file or directory");
  const std::string nothing =
      ": found no picture in the folder nor in its subfolders, wanted .png, .jpg or .jpeg";
  BOOST_TEST(message_of([&] { cz::list_pictures(dir.path()); }) == dir.path() + nothing);
  for (const std::string name : {"b", "a", "10", "2", ".hidden", "b/deep"})
    std::filesystem::create_directory(dir / name);
  for (const std::string name : {"b/1.png", "10/x.JPEG", "10/a.Jpg", "10/._a.jpg", "10/notes.txt",
                                 ".hidden/1.png", "b/deep/1.png", "labels.csv", "2/png"})
    touch(name);
  const cz::picture_folder found = cz::list_pictures(dir.path());
  BOOST_TEST(found.classes == (std::vector<std::string>{"10", "2", "a", "b"}));
  BOOST_REQUIRE(found.files.size() == 3u);
  BOOST_TEST(found.files[0].path == dir / "10/a.Jpg");
  BOOST_TEST(found.files[1].path == dir / "10/x.JPEG");
  BOOST_TEST(found.files[2].path == dir / "b/1.png");
  BOOST_TEST(found.files[1].label == 0);
  BOOST_TEST(found.files[2].label == 3);
  touch("z.png");
  touch("C.jpg");
  const cz::picture_folder flat = cz::list_pictures(dir.path());
  BOOST_TEST(flat.classes.empty());
  BOOST_REQUIRE(flat.files.size() == 2u);
  BOOST_TEST(flat.files[0].path == dir / "C.jpg");
}
