#define BOOST_TEST_MODULE picture_data
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <coldzoom/io/npy.hpp>
#include <coldzoom/io/png.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "common/data.hpp"
#include "common/errors.hpp"
#include "common/temporary_folder.hpp"

using namespace coldzoom;
using namespace programs;

namespace {

using bytes = std::vector<std::uint8_t>;

/// A folder of flat pictures, whose value tells them apart.
struct pictures_on_disk : temporary_folder {
  void add(const std::string& name, int value, index_t height = 4, index_t width = 4,
           index_t channels = 1) const {
    std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
    save_png(*this / name,
             {height, width, channels,
              bytes(static_cast<std::size_t>(height * width * channels), static_cast<std::uint8_t>(value))});
  }
  void add_text(const std::string& name) const {
    write_file_atomically(*this / name, std::string("Dear all,"));
  }
};

/// The first value of each image.
bytes values_of(const labelled_images& set) {
  bytes values;
  for (index_t i = 0; i < set.dims.n; ++i)
    values.push_back(set.pixels[static_cast<std::size_t>(i * set.dims.image())]);
  return values;
}

/// What load_data writes to stderr; the sets through `data`.
std::string said_by(const std::string& name, const picture_policy& policy, split_pair& data) {
  const temporary_folder dir;
  std::fflush(stderr);
  const int kept = ::dup(2);
  FILE* file = std::freopen((dir / "err").c_str(), "w", stderr);
  BOOST_REQUIRE(file != nullptr);
  data = load_data(name, policy);
  std::fflush(stderr);
  ::dup2(kept, 2);
  ::close(kept);
  return content_of(dir / "err");
}

}  // namespace

BOOST_AUTO_TEST_CASE(subfolders_are_labels_and_train_and_test_are_splits) {
  const pictures_on_disk dir;
  dir.add("train/cat/a.png", 10);
  dir.add("train/cat/b.png", 11);
  dir.add("train/dog/a.png", 20);
  dir.add("val/dog/a.png", 21);
  split_pair data;
  BOOST_TEST(said_by(dir.path() + "/", {}, data) == "labels: 0 cat, 1 dog\n");
  BOOST_TEST((data.train.dims == shape{3, 1, 4, 4}));
  BOOST_TEST(values_of(data.train) == (bytes{10, 11, 20}));
  BOOST_TEST(data.train.labels == (bytes{0, 0, 1}));
  BOOST_TEST(values_of(data.test) == bytes{21});
  BOOST_TEST(data.test.labels == bytes{1});
  dir.add("val/bird/a.png", 1);
  BOOST_TEST(message_of([&] { load_data(dir.path()); }) ==
             (dir / "val") + ": found pictures of the class bird, which the training pictures have not");
}

BOOST_AUTO_TEST_CASE(a_split_by_names_stays_as_pictures_come) {
  const pictures_on_disk dir;
  for (int i = 0; i < 200; ++i) dir.add("picture " + std::to_string(i) + ".png", i, 1, 1);
  const split_pair data = load_data(dir.path());
  // Of 200 independent draws of one in ten: mean 20, deviation 4.2.
  BOOST_TEST(data.test.dims.n >= 8);
  BOOST_TEST(data.test.dims.n <= 33);
  BOOST_TEST(data.train.dims.n + data.test.dims.n == 200);
  dir.add("another.png", 255, 1, 1);
  bytes test = values_of(load_data(dir.path()).test);
  if (!test.empty() && test.front() == 255) test.erase(test.begin());
  BOOST_TEST(test == values_of(data.test));

  const pictures_on_disk two;
  two.add("a.png", 1);
  BOOST_TEST(message_of([&] { load_data(two.path()); }) ==
             two.path() + ": found no picture for tests, wanted one at least");
  two.add("b.png", 2);
  BOOST_TEST(load_data(two.path()).train.dims.n == 1);
  BOOST_TEST(load_data(two.path()).test.dims.n == 1);
}

BOOST_AUTO_TEST_CASE(sizes_and_channels) {
  const pictures_on_disk dir;
  for (int i = 0; i < 5; ++i) dir.add(std::to_string(i) + ".png", i);
  dir.add("large.png", 50, 8, 16);
  dir.add("rgb.png", 60, 4, 4, 3);
  BOOST_TEST(
      message_of([&] { load_data(dir.path()); }) ==
      dir.path() +
          ": found pictures of 2 sizes: 4 x 4 (6), 8 x 16 (1); wanted one, or --image-size, to which they "
          "are cropped and resized");
  split_pair data;
  BOOST_TEST(said_by(dir.path(), {"4"}, data) ==
             dir.path() + ": 1 of 7 pictures cropped about the centre and resized to 4 x 4\n" + dir.path() +
                 ": 6 of 7 pictures made RGB out of grey\n");
  BOOST_TEST((data.train.dims.with_n(1) == shape{1, 3, 4, 4}));
  BOOST_TEST((data.test.dims.with_n(1) == shape{1, 3, 4, 4}));
  BOOST_TEST((load_data(dir.path(), {"2x6", 1}).train.dims.with_n(1) == shape{1, 1, 2, 6}));
  for (const std::string wrong : {"0", "x", "4x", "x4", "4x4x4", "-3", "4 x 4", "1e3", "70000"}) {
    BOOST_TEST(message_of([&] { parse_image_size(wrong); }) ==
               "--image-size: found '" + wrong +
                   "', wanted a side such as 32, or HxW such as 28x40, to 65536");
  }
}

BOOST_AUTO_TEST_CASE(bad_files_are_named_and_left_out) {
  const pictures_on_disk dir;
  for (int i = 0; i < 30; ++i) dir.add("p" + std::to_string(i) + ".png", i);
  split_pair whole, data;
  BOOST_TEST(said_by(dir.path(), {}, whole) == "");
  for (int i = 0; i < 12; ++i) dir.add_text("bad" + std::to_string(i) + ".png");
  const std::string said = said_by(dir.path(), {}, data);
  BOOST_TEST(
      said.starts_with("left out: " + (dir / "bad0.png") + ": found a file that begins with \"Dear all\""),
      said);
  BOOST_TEST(std::count(said.begin(), said.end(), '\n') == 11);
  BOOST_TEST(said.ends_with("\nleft out: 2 more\n"), said);
  BOOST_TEST(fingerprint(data) == fingerprint(whole));
  BOOST_TEST(message_of([&] {
               load_data(dir.path(), {.strict = true});
             }).starts_with("--strict: " + (dir / "bad0.png") + ": found a file"));
  for (int i = 12; i < 31; ++i) dir.add_text("bad" + std::to_string(i) + ".png");
  BOOST_TEST(message_of([&] { load_data(dir.path()); })
                 .starts_with(dir.path() + ": found 31 bad pictures of 61, more than half; the first: " +
                              (dir / "bad0.png")));
}

BOOST_AUTO_TEST_CASE(arrays) {
  const temporary_folder dir;
  const auto path = dir / "x.npy";
  bytes pixels(20 * 2 * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(2 * i);
  save_npy(path, pixels, {20, 2, 3});
  const split_pair grey = load_data(path);
  BOOST_TEST((grey.train.dims == shape{18, 1, 2, 3}));
  BOOST_TEST(values_of(grey.test) == (bytes{9 * 12, 19 * 12}));  // each tenth image of 6 pixels
  BOOST_TEST(std::equal(pixels.begin(), pixels.begin() + 9 * 6, grey.train.pixels.begin()));

  std::vector<float> floats;
  for (const std::uint8_t p : pixels) floats.push_back(static_cast<float>(p) / 255);
  save_npy(path, floats, {20, 2, 3});
  BOOST_TEST(fingerprint(load_data(path)) == fingerprint(grey));
  floats[7] = 1.5f;
  save_npy(path, floats, {20, 2, 3});
  split_pair data;
  BOOST_TEST(said_by(path, {}, data) == "left out: " + path + ": found 1.500000 in image 1, wanted [0, 1]\n");
  BOOST_TEST(data.train.dims.n == 17);

  // Channels first and last: the same images.
  const bytes first{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, last{1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12};
  bytes many_first, many_last;
  for (int i = 0; i < 10; ++i) {
    many_first.insert(many_first.end(), first.begin(), first.end());
    many_last.insert(many_last.end(), last.begin(), last.end());
  }
  save_npy(path, many_first, {10, 3, 2, 2});
  const split_pair planes = load_data(path);
  BOOST_TEST(std::equal(first.begin(), first.end(), planes.train.pixels.begin()));
  save_npy(path, many_last, {10, 2, 2, 3});
  BOOST_TEST(fingerprint(load_data(path)) == fingerprint(planes));
  save_npy(path, bytes(10 * 3 * 2 * 3), {10, 3, 2, 3});
  BOOST_TEST(message_of([&] { load_data(path); }) ==
             path +
                 ": found shape [10, 3, 2, 3], of which 1 or 3 channels may stand at either end, wanted N x "
                 "H x W, N x C "
                 "x H x W or N x H x W x C with 1 or 3 channels, none of them 0");
  save_npy(path, std::vector<double>(8), {2, 2, 2});
  BOOST_TEST(message_of([&] { load_data(path); }) ==
             path + ": found elements of type '<f8', wanted uint8 ('|u1') or float32 ('<f4') in [0, 1]");
}

BOOST_AUTO_TEST_CASE(folders_of_arrays_with_labels) {
  const temporary_folder dir;
  save_npy(dir / "train.npy", bytes{1, 2, 3}, {3, 1, 1});
  save_npy(dir / "test.npy", bytes{4}, {1, 1, 1});
  save_npy(dir / "train-labels.npy", std::vector<std::int64_t>{7, 0, 255}, {3});
  const split_pair data = load_data(dir.path());
  BOOST_TEST(values_of(data.train) == (bytes{1, 2, 3}));
  BOOST_TEST(data.train.labels == (bytes{7, 0, 255}));
  BOOST_TEST(values_of(data.test) == bytes{4});
  BOOST_TEST(data.test.labels == bytes{0});
  save_npy(dir / "test-labels.npy", bytes{1, 2}, {2});
  BOOST_TEST(message_of([&] { load_data(dir.path()); }) ==
             (dir / "test-labels.npy") + ": found 2 labels, wanted 1, one for each image");
  save_npy(dir / "test-labels.npy", std::vector<std::int32_t>{256}, {1});
  BOOST_TEST(message_of([&] { load_data(dir.path()); }) ==
             (dir / "test.npy") + ", image 0: found label 256, wanted 0 to 255");
}

BOOST_AUTO_TEST_CASE(known_data_are_resized_too) {
  const split_pair digits = load_data("embedded"), same = load_data("embedded", {"28", 1}),
                   padded = load_data("embedded", {"32", 3});
  BOOST_TEST(fingerprint(same) == fingerprint(digits));
  BOOST_TEST((padded.train.dims == shape{digits.train.dims.n, 3, 32, 32}));
  BOOST_TEST(padded.test.labels == digits.test.labels);
  BOOST_TEST(message_of([] {
               load_data("no such");
             }).starts_with("no such: found no such folder; --data takes embedded"));
}

BOOST_AUTO_TEST_CASE(an_archive_is_its_folder_as_a_stream) {
  const pictures_on_disk dir, out;
  for (int i = 0; i < 100; ++i) dir.add((i % 3 == 0 ? "dog/" : "cat/") + std::to_string(i) + ".png", i);
  const std::string path = out / "x.tar";
  // In the order in which a folder is listed.
  BOOST_REQUIRE(std::system(("tar cf " + path + " --sort=name -C " + dir.path() + " .").c_str()) == 0);
  const data_sets folder = load_data(dir.path()), archive = load_data(path);
  BOOST_TEST(!folder.stream);
  BOOST_REQUIRE(archive.stream);
  BOOST_TEST(archive.training_images() == folder.training_images());
  BOOST_TEST(archive.stream->classes() == 2);
  BOOST_TEST(archive.train.pixels == folder.train.pixels);
  BOOST_TEST(archive.train.labels == folder.train.labels);
  BOOST_TEST(archive.test.pixels == folder.test.pixels);
  BOOST_TEST(archive.test.labels == folder.test.labels);
  BOOST_TEST(fingerprint(archive) != fingerprint(folder));
  BOOST_TEST(fingerprint(archive) == fingerprint(load_data(out.path())));
  const data_sets some = load_data(path, {"2", 3}, 10);
  BOOST_TEST((some.stream->dims() == shape{10, 3, 2, 2}));
  BOOST_TEST((some.train.dims == shape{10, 3, 2, 2}));
  BOOST_TEST((some.test.dims.with_n(1) == shape{1, 3, 2, 2}));
  BOOST_TEST(fingerprint(some) != fingerprint(archive));
}

BOOST_AUTO_TEST_CASE(archives_by_names_are_splits) {
  const pictures_on_disk dir, out;
  dir.add("a/1.png", 1);
  dir.add("a/2.png", 2);
  dir.add("b/3.png", 3);
  const auto pack = [&](const std::string& tar, const std::string& files) {
    BOOST_REQUIRE(std::system(("tar cf " + (out / tar) + " -C " + dir.path() + " " + files).c_str()) == 0);
  };
  pack("train-0.tar", "a/1.png");
  pack("train-1.tar", "b/3.png");
  pack("val.tar", "a/2.png");
  split_pair data;
  BOOST_TEST(said_by(out.path(), {}, data) ==
             "labels: 0 a, 1 b\n" + out.path() + ": 2 training pictures as a stream\n");
  BOOST_TEST(values_of(data.train) == (bytes{1, 3}));
  BOOST_TEST(data.train.labels == (bytes{0, 1}));
  BOOST_TEST(values_of(data.test) == bytes{2});
  BOOST_TEST(data.test.labels == bytes{0});
  dir.add("c/4.png", 4);
  pack("val.tar", "c/4.png");
  BOOST_TEST(message_of([&] { load_data(out.path()); }) ==
             (out / "val.tar") + ": found the class c, which is none of those that are wanted");
}
