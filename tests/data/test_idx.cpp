#define BOOST_TEST_MODULE idx
#include <zlib.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <coldzoom/data/mnist.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "common/errors.hpp"
#include "common/temporary_folder.hpp"

namespace cz = coldzoom;

namespace {

/// An IDX file of unsigned bytes with these extents and this data.
std::string idx(const std::vector<unsigned>& extents, const std::string& data) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(extents.size())};
  for (const unsigned extent : extents) {
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(extent >> shift & 0xff);
  }
  return bytes + data;
}

std::string gzip(const std::string& plain) {
  z_stream stream{};
  BOOST_REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, static_cast<uLong>(plain.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  BOOST_REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string load_message(const std::string& path) {
  return message_of([&] { cz::load_idx(path); });
}

void check_message(const std::string& message, const std::string& path, const std::string& part) {
  BOOST_TEST(message.starts_with(path + ": "), message << "\n  does not begin with: " << path);
  BOOST_TEST(message.find(part) != std::string::npos, message << "\n  lacks: " << part);
}

/// The four files of a data set of two 1 x 3 training images and one test image.
void write_set(const temporary_folder& dir) {
  cz::write_file_atomically(dir / "train-images-idx3-ubyte", idx({2, 1, 3}, "abcdef"));
  cz::write_file_atomically(dir / "train-labels-idx1-ubyte", idx({2}, {'\0', '\x09'}));
  cz::write_file_atomically(dir / "t10k-images-idx3-ubyte", idx({1, 1, 3}, "ghi"));
  cz::write_file_atomically(dir / "t10k-labels-idx1-ubyte", idx({1}, "\x05"));
}

std::string set_message(const std::string& path) {
  return message_of([&] { cz::load_mnist_folder(path); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(plain_and_compressed_of_any_rank) {
  const temporary_folder dir;
  const std::string path = dir / "x";
  for (const std::vector<unsigned>& extents : {std::vector<unsigned>{6}, {2, 3}, {1, 2, 3}, {3, 1, 2, 1}}) {
    const std::string plain = idx(extents, std::string("\x00\x01\xff\x80\x7f\x02", 6));
    for (const std::string& bytes :
         {plain, gzip(plain), gzip(plain.substr(0, 9)) + gzip("") + gzip(plain.substr(9))}) {
      cz::write_file_atomically(path, bytes);
      const cz::idx_array array = cz::load_idx(path);
      BOOST_TEST((array.shape == std::vector<cz::index_t>(extents.begin(), extents.end())));
      BOOST_TEST((array.data == std::vector<std::uint8_t>{0, 1, 255, 128, 127, 2}));
    }
  }
  cz::write_file_atomically(path, idx({0, 3}, ""));
  BOOST_TEST(cz::load_idx(path).data.empty());
}

BOOST_AUTO_TEST_CASE(malformed_files) {
  const temporary_folder dir;
  const std::string path = dir / "bad";
  struct defect {
    std::string bytes, message;
  };
  std::string bad_type = idx({1}, "a");
  bad_type[2] = '\x0d';
  std::string bad_magic = idx({1}, "a");
  bad_magic[0] = '\x01';
  const std::vector<defect> defects{
      {"", "found 0 bytes, wanted 4 for the IDX header"},
      {idx({2, 3}, "").substr(0, 11), "found 11 bytes, wanted 12 for the IDX header"},
      {bad_magic, "found first bytes 1 0, wanted 0 0 (IDX) or 31 139 (gzip)"},
      {bad_type, "found element type 0x0D (float), wanted 0x08 (unsigned byte)"},
      {idx({}, ""), "found rank 0"},
      {idx({2, 3}, "abcde"), "found 5 bytes of data, wanted 6 for shape [2, 3]"},
      {idx({2, 3}, "abcdefg"), "found 7 bytes of data, wanted 6 for shape [2, 3]"},
      {idx({0xffffffffu}, "a"), "wanted 4294967295 for shape [4294967295]"},
      {idx({0xffffffffu, 0xffffffffu, 0xffffffffu}, "a"), "is too large"},
  };
  for (const defect& d : defects) {
    cz::write_file_atomically(path, d.bytes);
    check_message(load_message(path), path, d.message);
    cz::write_file_atomically(path, gzip(d.bytes));
    check_message(load_message(path), path, d.message);
  }
  BOOST_TEST(load_message(dir / "absent") == (dir / "absent") + ": cannot open: No such file or directory");
}

BOOST_AUTO_TEST_CASE(damaged_gzip) {
  const temporary_folder dir;
  const std::string path = dir / "x";
  const std::string packed = gzip(idx({100}, std::string(100, 'a')));
  for (std::size_t length = 2; length < packed.size(); ++length) {
    cz::write_file_atomically(path, packed.substr(0, length));
    check_message(load_message(path), path, "truncated gzip stream");
  }
  std::string bad_checksum = packed;
  bad_checksum[packed.size() - 8] ^= 1;
  cz::write_file_atomically(path, bad_checksum);
  check_message(load_message(path), path, "incorrect data check");
  std::string bad_length = packed;
  bad_length[packed.size() - 4] ^= 1;
  cz::write_file_atomically(path, bad_length);
  check_message(load_message(path), path, "incorrect length check");
  cz::write_file_atomically(path, packed + "rest");
  check_message(load_message(path), path, "corrupt gzip stream");
  std::string bad_method = packed;
  bad_method[2] = 7;
  cz::write_file_atomically(path, bad_method);
  check_message(load_message(path), path, "unknown compression method");
}

BOOST_AUTO_TEST_CASE(size_limit) {
  const temporary_folder dir;
  const std::string path = dir / "x";
  cz::write_file_atomically(path, gzip(idx({1000000}, std::string(1000000, '\0'))));
  BOOST_TEST(cz::load_idx(path, 1000008).data.size() == 1000000u);
  check_message(message_of([&] { cz::load_idx(path, 1000007); }), path, "found more than 1000007 bytes");
}

BOOST_AUTO_TEST_CASE(images_of_several_channels) {
  const temporary_folder dir;
  const std::string pixels = "abcdefghijklmnopqrstuvwx";
  cz::write_file_atomically(dir / "train-images-idx4-ubyte", idx({2, 3, 1, 4}, pixels));
  cz::write_file_atomically(dir / "train-labels-idx1-ubyte", idx({2}, {'\1', '\2'}));
  cz::write_file_atomically(dir / "t10k-images-idx4-ubyte.gz", gzip(idx({1, 3, 1, 4}, pixels.substr(0, 12))));
  cz::write_file_atomically(dir / "t10k-labels-idx1-ubyte", idx({1}, "\x05"));
  const cz::split_pair sets = cz::load_mnist_folder(dir.path());
  BOOST_TEST((sets.train.dims == cz::shape{2, 3, 1, 4}));
  BOOST_TEST((sets.test.dims == cz::shape{1, 3, 1, 4}));
  BOOST_TEST(std::string(sets.train.pixels.begin(), sets.train.pixels.end()) == pixels);
  cz::write_file_atomically(dir / "t10k-images-idx3-ubyte", idx({1, 1, 4}, "abcd"));
  check_message(message_of([&] { cz::load_mnist_folder(dir.path()); }), dir.path(), "the same channels");
}

BOOST_AUTO_TEST_CASE(a_folder_under_all_names) {
  for (const std::string separator : {"-", "."}) {
    for (const std::string compression : {"", ".gz"}) {
      const temporary_folder dir;
      const auto write = [&](const std::string& stem, const std::string& suffix, const std::string& bytes) {
        cz::write_file_atomically(dir / (stem + separator + suffix + compression),
                                  compression.empty() ? bytes : gzip(bytes));
      };
      write("train-images", "idx3-ubyte", idx({2, 1, 3}, "abcdef"));
      write("train-labels", "idx1-ubyte", idx({2}, {'\0', '\x09'}));
      write("t10k-images", "idx3-ubyte", idx({1, 1, 3}, "ghi"));
      write("t10k-labels", "idx1-ubyte", idx({1}, "\x05"));
      const cz::split_pair sets = cz::load_mnist_folder(dir.path() + "/");
      BOOST_TEST((sets.train.dims == cz::shape{2, 1, 1, 3}));
      BOOST_TEST((sets.test.dims == cz::shape{1, 1, 1, 3}));
      BOOST_TEST(std::string(sets.train.pixels.begin(), sets.train.pixels.end()) == "abcdef");
      BOOST_TEST((sets.train.labels == std::vector<std::uint8_t>{0, 9}));
      BOOST_TEST(std::string(sets.test.pixels.begin(), sets.test.pixels.end()) == "ghi");
      BOOST_TEST(sets.test.labels.at(0) == 5);
      BOOST_TEST(dir.path().ends_with("/" + sets.name));
    }
  }
}

BOOST_AUTO_TEST_CASE(folders_that_are_wrong) {
  const temporary_folder dir;
  check_message(set_message(dir.path()), dir.path(),
                "found no train-images-idx3-ubyte nor train-images-idx3-ubyte.gz");
  check_message(set_message(dir / "absent"), dir / "absent", "found no train-images-idx3-ubyte");
  struct defect {
    std::string file, bytes, message;
  };
  const std::vector<defect> defects{
      {"train-images-idx3-ubyte", idx({2}, "ab"), "found rank 1, shape [2], wanted rank 3 or 4 (images)"},
      {"train-labels-idx1-ubyte", idx({2, 1, 3}, "abcdef"),
       "found rank 3, shape [2, 1, 3], wanted rank 1 (labels)"},
      {"train-images-idx3-ubyte", idx({0, 1, 3}, ""), "found shape [0, 1, 3], wanted at least one image"},
      {"train-images-idx3-ubyte", idx({2, 0, 3}, ""), "found shape [2, 0, 3], wanted at least one image"},
      {"train-labels-idx1-ubyte", idx({3}, {'\0', '\1', '\2'}),
       "found 3 labels, wanted 2, one for each image of "},
      {"t10k-labels-idx1-ubyte", idx({1}, "\x0a"), "found label 10 at position 0, wanted 0 to 9"},
      {"t10k-images-idx3-ubyte", idx({1, 1, 3}, "gh"), "found 2 bytes of data, wanted 3"},
  };
  for (const defect& d : defects) {
    write_set(dir);
    cz::write_file_atomically(dir / d.file, d.bytes);
    check_message(set_message(dir.path()), dir / d.file, d.message);
  }
  write_set(dir);
  cz::write_file_atomically(dir / "t10k-images-idx3-ubyte", idx({1, 2, 3}, "ghijkl"));
  check_message(set_message(dir.path()), dir.path(), "wanted the same channels, height and width");
  write_set(dir);
  check_message(message_of([&] { cz::load_mnist_folder(dir.path(), 5); }), dir / "train-labels-idx1-ubyte",
                "found label 9 at position 1, wanted 0 to 4");
}

BOOST_AUTO_TEST_CASE(the_embedded_set) {
  const cz::split_pair sets = cz::load_mnist_folder(COLDZOOM_EXAMPLES_DATA);
  BOOST_TEST((sets.train.dims == cz::shape{10000, 1, 28, 28}));
  BOOST_TEST((sets.test.dims == cz::shape{2000, 1, 28, 28}));
  for (const cz::labelled_images* set : {&sets.train, &sets.test}) {
    BOOST_TEST(static_cast<cz::index_t>(set->pixels.size()) == set->dims.size());
    BOOST_TEST(static_cast<cz::index_t>(set->labels.size()) == set->dims.n);
    std::array<double, 10> share{};
    for (const std::uint8_t label : set->labels)
      share.at(label) += 1.0 / static_cast<double>(set->labels.size());
    for (const double s : share) BOOST_TEST((s > 0.08 && s < 0.12));
    const double sum = std::accumulate(set->pixels.begin(), set->pixels.end(), 0.0);
    BOOST_TEST(sum / 255.0 / static_cast<double>(set->pixels.size()) == 0.13,
               boost::test_tools::tolerance(0.1));
  }
  // The first digits of the full set.
  BOOST_TEST((std::vector<std::uint8_t>(sets.train.labels.begin(), sets.train.labels.begin() + 5) ==
              std::vector<std::uint8_t>{5, 0, 4, 1, 9}));
}
