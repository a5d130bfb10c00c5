#define BOOST_TEST_MODULE tar_pictures
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <coldzoom/data/streamed_images.hpp>
#include <coldzoom/io/tar_pictures.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.hpp"
#include "common/temporary_folder.hpp"

namespace cz = coldzoom;
using cz::index_t;
static_assert(cz::SegmentedSource<cz::tar_pictures>);

namespace {

using bytes = std::vector<std::uint8_t>;
using entries = std::vector<std::pair<std::string, std::string>>;  // name and content

std::string png(int value, index_t height = 2, index_t width = 3, index_t channels = 1) {
  const temporary_folder dir;
  cz::save_png(dir / "x", {height, width, channels,
                           bytes(static_cast<std::size_t>(height * width * channels),
                                 static_cast<std::uint8_t>(value))});
  return content_of(dir / "x");
}

using format_setter = int (*)(archive*);
void write_tar(const std::string& path, const entries& all,
               format_setter format = archive_write_set_format_ustar,
               format_setter filter = archive_write_add_filter_none) {
  const std::unique_ptr<archive, decltype(&archive_write_free)> out(archive_write_new(), archive_write_free);
  BOOST_REQUIRE(format(out.get()) == ARCHIVE_OK);
  BOOST_REQUIRE(filter(out.get()) == ARCHIVE_OK);
  BOOST_REQUIRE(archive_write_open_filename(out.get(), path.c_str()) == ARCHIVE_OK);
  const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(),
                                                                            archive_entry_free);
  for (const auto& [name, content] : all) {
    archive_entry_clear(entry.get());
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    BOOST_REQUIRE(archive_write_header(out.get(), entry.get()) == ARCHIVE_OK);
    BOOST_REQUIRE(archive_write_data(out.get(), content.data(), content.size()) >= 0);
  }
  BOOST_REQUIRE(archive_write_close(out.get()) == ARCHIVE_OK);
}

struct content {
  bytes values;  // the first of each image
  std::vector<std::int32_t> labels;
  std::vector<std::string> faults;
};
content read_all(const cz::tar_pictures& source) {
  content all;
  for (index_t k = source.segments() - 1; k >= 0; --k) {  // backwards: each on its own
    const cz::image_segment s = source.read(k);
    bytes values;
    for (std::size_t i = 0; i < s.pixels.size(); i += static_cast<std::size_t>(source.dims().image()))
      values.push_back(s.pixels[i]);
    all.values.insert(all.values.begin(), values.begin(), values.end());
    all.labels.insert(all.labels.begin(), s.labels.begin(), s.labels.end());
    all.faults.insert(all.faults.begin(), s.faults.begin(), s.faults.end());
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_picture_of_every_dialect_in_segments_of_any_size) {
  const temporary_folder dir;
  entries first, second;
  bytes expected;
  const std::string deep(150, 'n');  // longer than the 100 bytes of a plain header
  for (int i = 0; i < 23; ++i) {
    (i < 15 ? first : second)
        .emplace_back((i % 3 == 0   ? "./b/"
                       : i % 3 == 1 ? "a/" + deep + "/"
                                    : "c/") +
                          std::to_string(i) + ".png",
                      png(i));
    expected.push_back(static_cast<std::uint8_t>(i));
    if (i % 4 == 0) first.emplace_back("a/notes" + std::to_string(i) + ".txt", std::string(600, 'x'));
  }
  for (const format_setter format :
       {archive_write_set_format_ustar, archive_write_set_format_pax, archive_write_set_format_gnutar}) {
    write_tar(dir / "1.tar", first, format);
    write_tar(dir / "2.tar", second, format);
    for (const index_t in_segment : {1, 2, 4, 100}) {
      const cz::tar_pictures source({dir / "1.tar", dir / "2.tar"}, {}, 6 * in_segment);
      BOOST_TEST((source.dims() == cz::shape{23, 1, 2, 3}));
      BOOST_TEST(source.segments() == (15 + in_segment - 1) / in_segment + (8 + in_segment - 1) / in_segment);
      BOOST_TEST(source.class_names() == (std::vector<std::string>{"b", "c", deep}));
      const content found = read_all(source);
      BOOST_TEST(found.values == expected);
      BOOST_TEST(found.faults.empty());
      for (std::size_t i = 0; i < 23; ++i)
        BOOST_TEST(found.labels[i] == (i % 3 == 0 ? 0 : i % 3 == 1 ? 2 : 1));
    }
  }
}

BOOST_AUTO_TEST_CASE(splits_limits_sizes_and_channels) {
  const temporary_folder dir;
  entries all;
  bytes train, test;
  for (int i = 0; i < 100; ++i) {
    all.emplace_back("./" + std::to_string(i) + ".png",
                     png(i, i % 2 == 0 ? 2 : 4, i % 2 == 0 ? 3 : 6, i % 5 == 0 ? 3 : 1));
    (cz::in_test_split(std::to_string(i) + ".png") ? test : train).push_back(static_cast<std::uint8_t>(i));
  }
  write_tar(dir / "x.tar", all);
  const std::vector<std::string> path{dir / "x.tar"};
  const auto source = [&](cz::picture_split split, index_t limit = 0) {
    return cz::tar_pictures(path, {.height = 1, .width = 1, .channels = 3, .split = split, .limit = limit},
                            30);
  };
  BOOST_TEST(!test.empty());
  BOOST_TEST(read_all(source(cz::picture_split::train)).values == train);
  BOOST_TEST(read_all(source(cz::picture_split::test)).values == test);
  BOOST_TEST((source(cz::picture_split::all).dims() == cz::shape{100, 3, 1, 1}));
  BOOST_TEST(source(cz::picture_split::all).classes() == 0);
  BOOST_TEST(read_all(source(cz::picture_split::all, 17)).values.size() == 17u);
  BOOST_TEST(source(cz::picture_split::all).fingerprint() == source(cz::picture_split::all).fingerprint());
  BOOST_TEST(source(cz::picture_split::all).fingerprint() != source(cz::picture_split::train).fingerprint());
  BOOST_TEST(source(cz::picture_split::all).fingerprint() !=
             cz::tar_pictures(path, {.height = 1, .width = 2}).fingerprint());
}

BOOST_AUTO_TEST_CASE(bad_pictures_give_their_places_to_neighbours) {
  const temporary_folder dir;
  const std::string path = dir / "x.tar", text = "Dear all,";
  write_tar(path, {{"0.png", text},
                   {"1.png", ""},
                   {"2.png", png(2)},
                   {"3.png", png(3, 9, 9)},
                   {"4.png", png(4)},
                   {"5.jpg", png(5).substr(0, 60)}});
  const cz::tar_pictures source({path});
  const content found = read_all(source);
  BOOST_TEST(found.values == (bytes{2, 2, 2, 2, 4, 4}));
  BOOST_REQUIRE(found.faults.size() == 4u);
  BOOST_TEST(found.faults[0] ==
             path + ": 0.png: found a file that begins with \"Dear all\", wanted a PNG or a JPEG");
  BOOST_TEST(found.faults[1] == path + ": 1.png: found no bytes, wanted a PNG or a JPEG");
  BOOST_TEST(found.faults[2] ==
             path +
                 ": 3.png: found 9 x 9 pixels, wanted the 2 x 3 of the first picture, or a size to be "
                 "asked for");
  BOOST_TEST(found.faults[3].starts_with(path + ": 5.jpg: cannot read the PNG"));
  BOOST_TEST(message_of([&] {
               cz::tar_pictures({path}, {.strict = true});
             }).starts_with(path + ": 0.png: found a file"));
  BOOST_TEST(message_of([&] {
               read_all(cz::tar_pictures({path}, {}, 6));
             }).starts_with(path + ": found 1 bad pictures in a row; the first: " + path + ": 5.jpg"));
}

BOOST_AUTO_TEST_CASE(archives_that_are_refused) {
  const temporary_folder dir;
  const std::string path = dir / "x.tar";
  const auto message = [&] { return message_of([&] { read_all(cz::tar_pictures({path})); }); };
  BOOST_TEST(message() == path + ": cannot open: No such file or directory");
  write_tar(path, {{"a.txt", "text"}});
  BOOST_TEST(message() == path + ": found no picture (.png, .jpg, .jpeg)");
  write_tar(path, {{"a.png", "text"}});
  BOOST_TEST(message().starts_with(path + ": found bad pictures alone; the last: " + path +
                                   ": a.png: found a file"));
  write_tar(path, {{"a.png", png(1)}}, archive_write_set_format_ustar, archive_write_add_filter_gzip);
  BOOST_TEST(message().starts_with(path + ": cannot read the tar archive, which must not be compressed: "),
             message());
  cz::write_file_atomically(path, std::string("text"));
  BOOST_TEST(message().starts_with(path + ": cannot read the tar archive"), message());
  write_tar(path, {{"a.png", png(1)}, {"b.png", png(2, 50, 50)}});
  const std::string whole = content_of(path);
  cz::write_file_atomically(path, whole.substr(0, 512 + 512 + 512 + 20));  // within the second picture
  BOOST_TEST(message() != "no error");
  BOOST_TEST(message().starts_with(path + ": "));
}
