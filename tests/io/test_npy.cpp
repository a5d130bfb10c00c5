#define BOOST_TEST_MODULE npy
#include <bit>
#include <boost/test/unit_test.hpp>
#include <coldzoom/io/npy.hpp>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "common/errors.hpp"
#include "common/temporary_folder.hpp"

namespace cz = coldzoom;

namespace {

/// A file of format version `major`.0 with this header text and data.
std::string npy(int major, const std::string& header, const std::string& data) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(major);
  bytes += '\0';
  for (int i = 0; i < (major > 1 ? 4 : 2); ++i) bytes += static_cast<char>(header.size() >> 8 * i & 0xff);
  return bytes + header + data;
}

template <class T> std::string load_message(const std::string& path) {
  return message_of([&] { cz::load_npy<T>(path); });
}

template <class T> void check_round_trip(const std::vector<T>& values) {
  const temporary_folder dir;
  const auto count = static_cast<cz::index_t>(values.size());
  for (const std::vector<cz::index_t>& shape :
       {std::vector<cz::index_t>{count}, {1, count}, {2, count / 2}, {count / 2, 1, 2, 1, 1}}) {
    cz::save_npy(dir / "x.npy", values, shape);
    const cz::npy_array<T> array = cz::load_npy<T>(dir / "x.npy");
    BOOST_TEST((array.shape == shape));
    BOOST_TEST(array.data == values);
    const std::string bytes = content_of(dir / "x.npy");
    const std::size_t data = bytes.size() - values.size() * sizeof(T);
    BOOST_TEST(data % 64 == 0u);
    BOOST_TEST(bytes.at(data - 1) == '\n');
  }
  cz::save_npy(dir / "scalar.npy", std::span(values).first(1), {});
  BOOST_TEST(cz::load_npy<T>(dir / "scalar.npy").shape.empty());
  BOOST_TEST(cz::load_npy<T>(dir / "scalar.npy").data == std::vector<T>{values[0]});
  cz::save_npy(dir / "empty.npy", cz::npy_array<T>{{3, 0, 2}, {}});
  BOOST_TEST((cz::load_npy<T>(dir / "empty.npy").shape == std::vector<cz::index_t>{3, 0, 2}));
}

}  // namespace

BOOST_AUTO_TEST_CASE(round_trip) {
  check_round_trip<float>({0.1f, -0.0f, std::numeric_limits<float>::infinity(), 1e-45f});
  check_round_trip<double>({0.1, -1e300, 5e-324, 2});
  check_round_trip<std::uint8_t>({0, 255, 7, 128});
  check_round_trip<std::int32_t>({INT32_MIN, INT32_MAX, 0, -1});
  check_round_trip<std::int64_t>({INT64_MIN, INT64_MAX, 0, -1});
}

BOOST_AUTO_TEST_CASE(payloads_of_nan_survive) {
  const temporary_folder dir;
  const std::vector<std::uint32_t> patterns{0x7fc00001u, 0xffabcdefu, 0x7f800001u};
  std::vector<float> values;
  for (const std::uint32_t pattern : patterns) values.push_back(std::bit_cast<float>(pattern));
  cz::save_npy(dir / "x", values, {3});
  const cz::npy_array<float> array = cz::load_npy<float>(dir / "x");
  for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(std::bit_cast<std::uint32_t>(array.data[i]) == patterns[i]);
}

BOOST_AUTO_TEST_CASE(the_header_is_that_of_numpy) {
  const temporary_folder dir;
  const auto header = [&](const std::vector<cz::index_t>& shape) {
    cz::save_npy(dir / "x", std::vector<float>{1, 2, 3, 4, 5, 6}, shape);
    return content_of(dir / "x").substr(0, 128);
  };
  const auto expected = [](const std::string& dict) {
    return npy(1, dict + std::string(117 - dict.size(), ' ') + "\n", "");
  };
  BOOST_TEST(header({6}) == expected("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }"));
  BOOST_TEST(header({2, 3}) == expected("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
}

BOOST_AUTO_TEST_CASE(versions_layouts_and_spellings) {
  const temporary_folder dir;
  const std::string path = dir / "x";
  for (const int version : {1, 2, 3}) {
    cz::write_file_atomically(
        path, npy(version, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n", "abcdef"));
    const auto array = cz::load_npy<std::uint8_t>(path);
    BOOST_TEST((array.shape == std::vector<cz::index_t>{2, 3}));
    BOOST_TEST(std::string(array.data.begin(), array.data.end()) == "abcdef");
  }
  cz::write_file_atomically(
      path, npy(1, "{\"shape\":(2,3,),\n\t\"fortran_order\" : False,'descr':\"|u1\"}", "abcdef"));
  BOOST_TEST((cz::load_npy<std::uint8_t>(path).shape == std::vector<cz::index_t>{2, 3}));
  // Longer than the 65,535 bytes of version 1.0.
  cz::write_file_atomically(
      path,
      npy(2, "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }" + std::string(70000, ' '), "a"));
  BOOST_TEST(cz::load_npy<std::uint8_t>(path).data.at(0) == 'a');
}

BOOST_AUTO_TEST_CASE(fortran_order) {
  const temporary_folder dir;
  const std::string path = dir / "x";
  const auto load = [&](const std::string& shape, const std::string& data) {
    cz::write_file_atomically(
        path, npy(1, "{'descr': '|u1', 'fortran_order': True, 'shape': " + shape + ", }\n", data));
    const auto array = cz::load_npy<std::uint8_t>(path);
    return std::string(array.data.begin(), array.data.end());
  };
  BOOST_TEST(load("(2, 3)", "adbecf") == "abcdef");
  BOOST_TEST(load("(6,)", "abcdef") == "abcdef");
  BOOST_TEST(load("()", "a") == "a");
  BOOST_TEST(load("(0, 3)", "") == "");
  // Element (i, j, k) of shape (2, 3, 2) lies at i + 2 j + 6 k.
  BOOST_TEST(load("(2, 3, 2)", "abcdefghijkl") == "agciekbhdjfl");
}

BOOST_AUTO_TEST_CASE(malformed_files) {
  const temporary_folder dir;
  const std::string path = dir / "bad";
  const auto dict = [](const std::string& fields) { return npy(1, "{" + fields + "}\n", "abcdef"); };
  const std::string good = "'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), ";
  struct defect {
    std::string bytes, message;
  };
  const std::vector<defect> defects{
      {"", "found other first bytes"},
      {"\x93NUMPX", "found other first bytes"},
      {"\x93NUMPY", "found 6 bytes, wanted a whole npy header"},
      {npy(1, "", "").substr(0, 9), "found 9 bytes, wanted a whole npy header"},
      {npy(2, "", "").substr(0, 11), "found 11 bytes, wanted a whole npy header"},
      {npy(4, "", ""), "found npy version 4.0, wanted 1.0, 2.0 or 3.0"},
      {npy(0, "", ""), "found npy version 0.0"},
      {npy(1, std::string(100, ' '), "").substr(0, 60), "found a header of 50 bytes, wanted 100"},
      {npy(1, "", ""), "wanted { at position 0"},
      {npy(1, "[1]", ""), "wanted { at position 0"},
      {npy(1, "{" + good, ""), "wanted \" at position"},
      {dict("'descr: 1"), "wanted a closing quote after position 2"},
      {dict("'descr' '|u1'"), "wanted : at position 9"},
      {dict(good + "} x"), "found more after the closing }"},
      {dict(good + "'more': 1"), "found key 'more'"},
      {dict(good + "'descr': '|u1'"), "found key 'descr', wanted descr, fortran_order and shape, once each"},
      {dict("'descr': '|u1', 'shape': (2, 3)"), "wanted the keys descr, fortran_order and shape"},
      {dict("'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)"), "wanted \" at position"},
      {dict("'descr': '|u1', 'fortran_order': 0, 'shape': (2, 3)"), "wanted False at position"},
      {dict("'descr': '|u1', 'fortran_order': False, 'shape': 6"), "wanted ( at position"},
      {dict("'descr': '|u1', 'fortran_order': False, 'shape': (2 3)"), "wanted ) at position"},
      {dict("'descr': '|u1', 'fortran_order': False, 'shape': (a,)"),
       "wanted an integer below 2^63 at position"},
      {dict("'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775808,)"),
       "wanted an integer below 2^63"},
      {dict("'descr': '|u1', 'fortran_order': False, 'shape': (-2, -3)"),
       "negative extent in shape [-2, -3]"},
      {dict("'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296)"), "is too large"},
      {dict("'descr': '|u1', 'fortran_order': False, 'shape': (2, 4)"),
       "found 6 bytes of data, wanted 8 for shape [2, 4]"},
      {dict("'descr': '|u1', 'fortran_order': False, 'shape': (5,)"),
       "found 6 bytes of data, wanted 5 for shape [5]"},
      {dict("'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)"), "found dtype '>f4', wanted '|u1'"},
      {dict("'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)"), "found dtype '<f8', wanted '|u1'"},
  };
  for (const defect& d : defects) {
    cz::write_file_atomically(path, d.bytes);
    const std::string message = load_message<std::uint8_t>(path);
    BOOST_TEST(message.starts_with(path + ": "), message);
    BOOST_TEST(message.find(d.message) != std::string::npos, message << "\n  lacks: " << d.message);
  }
  BOOST_TEST(load_message<float>(dir / "absent") ==
             (dir / "absent") + ": cannot open: No such file or directory");
}

BOOST_AUTO_TEST_CASE(parts) {
  const temporary_folder dir;
  std::vector<float> values(24);
  std::iota(values.begin(), values.end(), 1.0f);
  cz::save_npy(dir / "c", values, {4, 3, 2});
  // The same array, the first index fastest.
  std::string columns;
  for (std::size_t k = 0; k < 2; ++k)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t i = 0; i < 4; ++i)
        columns.append(reinterpret_cast<const char*>(&values[6 * i + 2 * j + k]), sizeof(float));
  cz::write_file_atomically(dir / "f",
                            npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (4, 3, 2), }", columns));
  for (const char* name : {"c", "f"}) {
    const cz::npy_reader<float> reader(dir / name);
    BOOST_TEST((reader.shape() == std::vector<cz::index_t>{4, 3, 2}));
    BOOST_TEST(reader.rows() == 4);
    for (cz::index_t first = 0; first <= 4; ++first) {
      for (cz::index_t n = 0; n <= 4 - first; ++n) {
        std::vector<float> part(static_cast<std::size_t>(6 * n));
        reader.read(first, n, part.data());
        BOOST_TEST(part == std::vector<float>(values.begin() + 6 * first, values.begin() + 6 * (first + n)));
      }
    }
    std::vector<float> part(24);
    BOOST_TEST(message_of([&] { reader.read(3, 2, part.data()); }) ==
               (dir / name) + ": found 4 rows, wanted 3 to 4");
    BOOST_TEST(message_of([&] { reader.read(-1, 1, part.data()); }) ==
               (dir / name) + ": found 4 rows, wanted -1 to -1");
  }
}

BOOST_AUTO_TEST_CASE(pipes_are_read_whole) {
  const temporary_folder dir;
  cz::save_npy(dir / "x", std::vector<float>{1, 2, 3}, {3});
  const std::string bytes = content_of(dir / "x");
  int ends[2];
  BOOST_REQUIRE(::pipe(ends) == 0);
  BOOST_REQUIRE(::write(ends[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  ::close(ends[1]);
  const std::vector<float> found = cz::load_npy<float>("/dev/fd/" + std::to_string(ends[0])).data;
  ::close(ends[0]);
  BOOST_TEST(found == (std::vector<float>{1, 2, 3}));
}

BOOST_AUTO_TEST_CASE(every_truncation_is_an_error) {
  const temporary_folder dir;
  cz::save_npy(dir / "whole", std::vector<float>{1, 2}, {2});
  const std::string whole = content_of(dir / "whole");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    cz::write_file_atomically(dir / "cut", whole.substr(0, length));
    BOOST_CHECK_THROW(cz::load_npy<float>(dir / "cut"), cz::error);
  }
}

BOOST_AUTO_TEST_CASE(saves_that_are_refused) {
  const temporary_folder dir;
  const std::vector<float> two{1, 2};
  BOOST_TEST(message_of([&] { cz::save_npy(dir / "x", two, {3}); }) ==
             (dir / "x") + ": found 2 values, wanted 3 for shape [3]");
  BOOST_TEST(message_of([&] { cz::save_npy(dir / "x", two, {-2}); }) ==
             (dir / "x") + ": negative extent in shape [-2]");
  const std::vector<cz::index_t> rank_30000(30000, 1);
  BOOST_TEST(message_of([&] { cz::save_npy(dir / "x", std::vector<float>{1}, rank_30000); }) ==
             (dir / "x") + ": found rank 30000, too high for npy 1.0");
  BOOST_TEST(dir.entries() == 0u);
}
