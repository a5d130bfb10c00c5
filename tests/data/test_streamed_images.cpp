#define BOOST_TEST_MODULE streamed_images
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/data/image_buffer.hpp>
#include <coldzoom/data/streamed_images.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

/// Images of two bytes that hold their number; segments of a size, the last with the rest.
struct numbered {
  index_t count, in_segment;
  index_t broken = -1;  // a segment that cannot be read

  cz::shape dims() const { return {count, 1, 1, 2}; }
  index_t classes() const { return 7; }
  index_t segments() const { return (count + in_segment - 1) / in_segment; }
  cz::image_segment read(index_t k) const {
    if (k == broken) throw cz::error("numbered", "broken");
    cz::image_segment segment;
    for (index_t i = k * in_segment; i < std::min(count, (k + 1) * in_segment); ++i) {
      segment.pixels.push_back(static_cast<std::uint8_t>(i / 256));
      segment.pixels.push_back(static_cast<std::uint8_t>(i % 256));
      segment.labels.push_back(static_cast<std::int32_t>(i % 7));
    }
    if (k == 0) segment.faults.emplace_back("no good");
    return segment;
  }
};
static_assert(cz::SegmentedSource<numbered>);

using backend = cz::cpu_backend<float>;
using stream = cz::streamed_images<backend, cz::unit, numbered>;
static_assert(cz::StreamedDataset<stream> && cz::LabelledDataset<stream>);
static_assert(!cz::StreamedDataset<cz::dataset<backend, cz::unit>>);

/// The numbers of the next images, whose labels are checked.
std::vector<index_t> next(backend& b, const stream& images, index_t n) {
  cz::image_buffer<backend, cz::unit> out(b, {n, 1, 1, 2});
  const cz::vector_view<const std::int32_t> order{nullptr, n};
  images.gather(b, order, out.view());
  std::vector<std::int32_t> labels(static_cast<std::size_t>(n));
  images.gather_labels(b, order, labels.data());
  const std::vector<float> pixels = out.to_host(b);
  std::vector<index_t> numbers;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    numbers.push_back(256 * std::lround(pixels[2 * i] * 255) + std::lround(pixels[2 * i + 1] * 255));
    BOOST_REQUIRE(labels[i] == numbers.back() % 7);
  }
  return numbers;
}

std::vector<index_t> epoch_of(const numbered& source, cz::stream_options options, std::uint64_t seed,
                              std::uint64_t epoch, index_t batch) {
  backend b(1);
  const stream images(source, options);
  images.start(seed, epoch);
  std::vector<index_t> all;
  for (index_t i = 0; i < source.count; i += batch) {
    const std::vector<index_t> some = next(b, images, std::min(batch, source.count - i));
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_image_once_in_the_same_order_for_any_threads_and_batches) {
  const numbered source{1000, 64};
  const std::vector<index_t> order = epoch_of(source, {100, 1}, 5, 3, 1000);
  std::vector<index_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (index_t i = 0; i < 1000; ++i) BOOST_REQUIRE(sorted[static_cast<std::size_t>(i)] == i);
  BOOST_TEST(order != sorted);
  for (const int threads : {1, 2, 5}) {
    for (const index_t batch : {1, 7, 128})
      BOOST_TEST(epoch_of(source, {100, threads}, 5, 3, batch) == order);
  }
  BOOST_TEST(epoch_of(source, {100, 1}, 5, 4, 1000) != order);
  BOOST_TEST(epoch_of(source, {100, 1}, 6, 3, 1000) != order);
}

BOOST_AUTO_TEST_CASE(an_epoch_begins_afresh_wherever_the_last_one_was_left) {
  const numbered source{300, 16};
  backend b(1);
  const stream images(source, {32, 2});
  images.start(1, 1);
  next(b, images, 77);
  images.start(1, 2);
  const std::vector<index_t> expected = epoch_of(source, {32, 1}, 1, 2, 300);
  BOOST_TEST(next(b, images, 300) == expected);
  BOOST_TEST(message_of([&] { next(b, images, 1); }) ==
             "streamed_images: found no image left in the epoch; call start for the next one");
  BOOST_TEST(images.faults() == 1);
  BOOST_TEST(images.named_faults() == std::vector<std::string>{"no good"});
  images.start_in_order();
  const std::vector<index_t> in_order = next(b, images, 300);
  for (index_t i = 0; i < 300; ++i) BOOST_REQUIRE(in_order[static_cast<std::size_t>(i)] == i);
}

BOOST_AUTO_TEST_CASE(a_window_of_all_images_gives_all_orders_alike) {
  // 24 orders of 4 images in 4 segments: chi-square with 23 degrees of freedom, 99.9 % below 49.7.
  const numbered source{4, 1};
  std::vector<int> counts(256);
  constexpr int draws = 2400;
  backend b(1);
  const stream images(source, {4, 1});
  for (int i = 0; i < draws; ++i) {
    images.start(9, static_cast<std::uint64_t>(i));
    const std::vector<index_t> order = next(b, images, 4);
    ++counts[static_cast<std::size_t>(order[0] + 4 * order[1] + 16 * order[2] + 64 * order[3])];
  }
  double chi = 0;
  int seen = 0;
  for (const int count : counts) {
    if (count == 0) continue;
    ++seen;
    chi += (count - 100.0) * (count - 100.0) / 100;
  }
  BOOST_TEST(seen == 24);
  BOOST_TEST(chi < 49.7);
}

BOOST_AUTO_TEST_CASE(the_window_bounds_how_early_an_image_comes) {
  const std::vector<index_t> order =
      epoch_of({500, 500}, {20, 1}, 2, 1, 500);  // one segment: the order is 0 to 499
  for (std::size_t i = 0; i < order.size(); ++i) BOOST_REQUIRE(order[i] < static_cast<index_t>(i) + 20);
}

BOOST_AUTO_TEST_CASE(errors_of_the_source_come_out_and_an_epoch_after_them_works) {
  backend b(1);
  const numbered source{100, 10, 4};
  const stream images(source, {8, 2});
  images.start_in_order();
  BOOST_TEST(next(b, images, 35).back() == 34);
  BOOST_TEST(message_of([&] { next(b, images, 10); }) == "numbered: broken");
  images.start_in_order();
  BOOST_TEST(next(b, images, 20).back() == 19);
  BOOST_TEST(message_of([&] {
               stream(source, {0, 1});
             }) == "streamed_images: the window is 0 images; it must be at least 1");
  BOOST_TEST(message_of([&] {
               stream(source, {8, 0}).start(1, 1);
             }) == "prefetched: found 0 threads and 0 results ahead, wanted at least 1 of each");
}
