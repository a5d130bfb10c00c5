#define BOOST_TEST_MODULE safetensors
#include <sys/resource.h>

#include <bit>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/errors.hpp"
#include "common/safetensors.hpp"
#include "common/temporary_folder.hpp"

namespace cz = coldzoom;
namespace fs = std::filesystem;

namespace {

/// A file of this header and so many zero bytes of data.
std::string encoded(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  return bytes + header + std::string(data_bytes, '\0');
}

std::string load_message(const std::string& path) {
  return message_of([&] { cz::load_safetensors(path); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(round_trip_keeps_every_bit_and_the_order) {
  const temporary_folder dir;
  cz::safetensors_file file;
  file.metadata = {{"model", "zoom \"nearest\"\n"}, {"T", "24"}};
  const std::vector<std::uint32_t> patterns{0x7fc00001u, 0xffabcdefu, 0x7f800001u,
                                            0x80000000u, 0x00000001u, 0x7f7fffffu};
  std::vector<float> floats;
  for (const std::uint32_t pattern : patterns) floats.push_back(std::bit_cast<float>(pattern));
  file.add("z.bytes", {3}, std::vector<std::uint8_t>{1, 2, 255});
  file.add("weights", {2, 3}, floats);
  file.add("scalar", {}, std::vector<double>{-0.1});
  file.add("none", {4, 0, 2}, std::vector<float>{});
  file.add("i32", {2}, std::vector<std::int32_t>{-5, 1 << 30});
  file.add("i64", {1, 1}, std::vector<std::int64_t>{INT64_MIN});
  cz::save_safetensors(dir / "a.safetensors", file);
  const cz::safetensors_file back = cz::load_safetensors(dir / "a.safetensors");

  BOOST_TEST(back.source == dir / "a.safetensors");
  BOOST_TEST((back.metadata == file.metadata));
  BOOST_REQUIRE(back.arrays.size() == file.arrays.size());
  for (std::size_t i = 0; i < file.arrays.size(); ++i) {
    BOOST_TEST(back.arrays[i].name == file.arrays[i].name);
    BOOST_TEST((back.arrays[i].shape == file.arrays[i].shape));
  }
  const std::vector<float>& loaded = back.values<float>("weights", {2, 3});
  for (std::size_t i = 0; i < patterns.size(); ++i)
    BOOST_TEST(std::bit_cast<std::uint32_t>(loaded[i]) == patterns[i]);
  BOOST_TEST(back.values<std::uint8_t>("z.bytes") == file.values<std::uint8_t>("z.bytes"));
  BOOST_TEST(back.values<double>("scalar", {}) == std::vector<double>{-0.1});
  BOOST_TEST(back.values<std::int32_t>("i32") == file.values<std::int32_t>("i32"));
  BOOST_TEST(back.values<std::int64_t>("i64") == std::vector<std::int64_t>{INT64_MIN});

  cz::save_safetensors(dir / "b.safetensors", back);
  BOOST_TEST((content_of(dir / "a.safetensors") == content_of(dir / "b.safetensors")));
}

BOOST_AUTO_TEST_CASE(header_is_padded_and_arrays_are_aligned) {
  const temporary_folder dir;
  for (std::size_t length = 1; length <= 8; ++length) {
    cz::safetensors_file file;
    file.add(std::string(length, 'u'), {1}, std::vector<std::uint8_t>{7});
    file.add("d", {1}, std::vector<double>{1.5});
    cz::save_safetensors(dir / "x", file);
    const std::string bytes = content_of(dir / "x");
    BOOST_TEST(static_cast<unsigned char>(bytes[0]) % 8 == 0);
    BOOST_TEST(bytes.find("\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}") !=
               std::string::npos);
    BOOST_TEST(cz::load_safetensors(dir / "x").values<std::uint8_t>(std::string(length, 'u')).at(0) == 7);
  }
}

BOOST_AUTO_TEST_CASE(a_file_of_another_writer) {
  const temporary_folder dir;
  // Data in another order than the header, and padding in front of nothing, as other writers leave it.
  std::string bytes = encoded(R"({"b":{"data_offsets":[1,5],"shape":[1],"dtype":"F32"},)"
                              R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   )",
                              5);
  bytes[bytes.size() - 5] = 9;
  cz::write_file_atomically(dir / "x", bytes);
  const cz::safetensors_file file = cz::load_safetensors(dir / "x");
  BOOST_TEST(file.arrays.at(0).name == "b");
  BOOST_TEST(file.values<float>("b").at(0) == 0.0f);
  BOOST_TEST(file.values<std::uint8_t>("a").at(0) == 9);
  cz::write_file_atomically(dir / "empty", encoded("{}", 0));
  BOOST_TEST(cz::load_safetensors(dir / "empty").arrays.empty());
}

BOOST_AUTO_TEST_CASE(malformed_files) {
  const temporary_folder dir;
  struct defect {
    std::string bytes, message;
  };
  const auto one = [](const std::string& fields) { return encoded("{\"x\":{" + fields + "}}", 8); };
  std::string header_too_long = encoded("{}", 0);
  header_too_long[0] = 3;
  std::string header_huge = encoded("{}", 0);
  for (int i = 0; i < 8; ++i) header_huge[static_cast<std::size_t>(i)] = '\xff';
  const std::vector<defect> defects{
      {"", "found 0 bytes, wanted 8 for the length of the header"},
      {"abc", "found 3 bytes"},
      {header_too_long, "found a header length of 3 bytes"},
      {header_huge, "found a header length of 18446744073709551615 bytes"},
      {encoded("", 0), "header is not JSON"},
      {encoded("{\"x\":", 0), "header is not JSON"},
      {encoded("{\"\xff\":1}", 0), "header is not JSON"},
      {encoded("[1]", 0), "header is a JSON array, wanted an object"},
      {encoded(R"({"x":3})", 0), "header entry 'x' is a JSON number, wanted an object"},
      {encoded(R"({"__metadata__":{"a":1}})", 0), "metadata 'a' is 1, wanted a string"},
      {encoded(R"({"__metadata__":[]})", 0), "header entry '__metadata__' is a JSON array"},
      {one(R"("shape":[2],"data_offsets":[0,8])"), "array 'x': found no dtype"},
      {one(R"("dtype":4,"shape":[2],"data_offsets":[0,8])"), "array 'x': found no dtype"},
      {one(R"("dtype":"F32","data_offsets":[0,8])"), "found no shape"},
      {one(R"("dtype":"F32","shape":[2])"), "found no data_offsets"},
      {one(R"("dtype":"BF16","shape":[4],"data_offsets":[0,8])"), "found dtype \"BF16\", wanted F32"},
      {one(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"),
       "found shape [-2], wanted a list of integers"},
      {one(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])"), "found shape [2.0]"},
      {one(R"("dtype":"F32","shape":2,"data_offsets":[0,8])"), "found shape 2"},
      {one(R"("dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8])"), "found shape [1844"},
      {one(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8])"), "is too large"},
      {one(R"("dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,8])"), "is too large"},
      {one(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"),
       "found 8 bytes, wanted 12 for F32 of shape [3]"},
      {one(R"("dtype":"F32","shape":[3],"data_offsets":[0,12])"), "found data_offsets [0, 12]"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"), "found data_offsets [8, 0]"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,4,8])"), "found data_offsets [0, 4, 8]"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"), "found 8 bytes of data, wanted 4"},
      {one(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"), "wanted one at byte 0 (a gap)"},
      {one(R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])"), "header names 'dtype' twice"},
      {encoded(
           R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
           8),
       "header names 'x' twice"},
      {encoded(
           R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
           12),
       "(two overlap)"},
      {encoded(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9),
       "found 9 bytes of data, wanted 8"},
  };
  for (const defect& d : defects) {
    cz::write_file_atomically(dir / "bad", d.bytes);
    const std::string message = load_message(dir / "bad");
    BOOST_TEST(message.starts_with(dir / "bad"), message);
    BOOST_TEST(message.find(d.message) != std::string::npos, message << "\n  lacks: " << d.message);
  }
  BOOST_TEST(load_message(dir / "absent") == (dir / "absent") + ": cannot open: No such file or directory");
  BOOST_TEST(load_message(dir.path()).find("Is a directory") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_truncation_is_an_error) {
  const temporary_folder dir;
  cz::safetensors_file file;
  file.add("x", {2}, std::vector<float>{1, 2});
  cz::save_safetensors(dir / "whole", file);
  const std::string whole = content_of(dir / "whole");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    cz::write_file_atomically(dir / "cut", whole.substr(0, length));
    BOOST_CHECK_THROW(cz::load_safetensors(dir / "cut"), cz::error);
  }
}

BOOST_AUTO_TEST_CASE(asking_and_adding) {
  cz::safetensors_file file;
  file.source = "w";
  file.add("x", {2}, std::vector<float>{1, 2});
  const auto fails_with = [](const std::string& text) {
    return [text](const cz::error& e) { return std::string(e.what()) == text; };
  };
  BOOST_TEST(file.find("y") == nullptr);
  BOOST_CHECK_EXCEPTION(file.values<float>("y"), cz::error, fails_with("w: found no array 'y'"));
  BOOST_CHECK_EXCEPTION(file.values<double>("x"), cz::error,
                        fails_with("w: array 'x': found dtype F32, wanted F64"));
  BOOST_CHECK_EXCEPTION(file.values<float>("x", {1, 2}), cz::error,
                        fails_with("w: array 'x': found shape [2], wanted [1, 2]"));
  BOOST_CHECK_EXCEPTION(file.add("x", {1}, std::vector<float>{1}), cz::error,
                        fails_with("w: array 'x': is there already"));
  BOOST_CHECK_EXCEPTION(file.add("z", {3}, std::vector<float>{1}), cz::error,
                        fails_with("w: array 'z': found 1 values, wanted 3 for shape [3]"));
  BOOST_CHECK_EXCEPTION(file.add("z", {-1}, std::vector<float>{1}), cz::error,
                        fails_with("w: array 'z': negative extent in shape [-1]"));
}

BOOST_AUTO_TEST_CASE(refused_saves_leave_the_old_file) {
  const temporary_folder dir;
  const std::string path = dir / "x";
  cz::write_file_atomically(path, std::string("old"));
  cz::safetensors_file file;
  file.arrays.push_back({"a", {2}, std::vector<float>{1}});
  BOOST_CHECK_THROW(cz::save_safetensors(path, file), cz::error);
  file.arrays = {{"a", {1}, std::vector<float>{1}}, {"a", {1}, std::vector<float>{1}}};
  BOOST_CHECK_THROW(cz::save_safetensors(path, file), cz::error);
  file.arrays = {{"__metadata__", {1}, std::vector<float>{1}}};
  BOOST_CHECK_THROW(cz::save_safetensors(path, file), cz::error);
  file.arrays = {{"\xff", {1}, std::vector<float>{1}}};
  BOOST_CHECK_THROW(cz::save_safetensors(path, file), cz::error);
  BOOST_TEST(content_of(path) == "old");
  BOOST_TEST(dir.entries() == 1u);
}

BOOST_AUTO_TEST_CASE(atomic_writes) {
  const temporary_folder dir;
  const std::string path = dir / "x";
  cz::write_file_atomically(path, std::string("old"));
  {
    cz::atomic_file file(path);
    file.write(std::as_bytes(std::span("half", 4)));
    BOOST_TEST(content_of(path) == "old");
  }
  BOOST_TEST(content_of(path) == "old");
  BOOST_TEST(dir.entries() == 1u);

  fs::create_symlink("x", dir / "link");
  cz::write_file_atomically(dir / "link", std::string("new"));
  BOOST_TEST(fs::is_symlink(dir / "link"));
  BOOST_TEST(content_of(path) == "new");
  BOOST_TEST(dir.entries() == 2u);

  const auto message = [](const std::string& target) {
    return message_of([&] { cz::write_file_atomically(target, std::string("x")); });
  };
  BOOST_TEST(message(dir / "no/x") == (dir / "no/x") + ": cannot create: No such file or directory");
  BOOST_TEST(message(dir.path()) == dir.path() + ": cannot write: Is a directory");
  BOOST_TEST(message("/dev/null").find("wanted a regular file") != std::string::npos);
  BOOST_TEST(cz::file_exists(path));
  BOOST_TEST(!cz::file_exists(dir.path()));
  BOOST_TEST(!cz::file_exists(dir / "absent"));
}

BOOST_AUTO_TEST_CASE(a_failing_write_leaves_the_old_file) {
  const temporary_folder dir;
  const std::string path = dir / "x";
  cz::write_file_atomically(path, std::string("old"));
  // A limit on the size of files stands in for a full disk: write() stores a part, then fails.
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit limit{4096, old_limit.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const std::string message = message_of([&] { cz::write_file_atomically(path, std::string(10000, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  BOOST_TEST(message == path + ": cannot write: File too large");
  BOOST_TEST(content_of(path) == "old");
  BOOST_TEST(dir.entries() == 1u);
}
