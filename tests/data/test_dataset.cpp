#define BOOST_TEST_MODULE dataset
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/data/dataset.hpp>

#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;
using order = std::vector<std::int32_t>;

namespace {

template <class R, class Stored>
std::vector<float> gathered(const cz::dataset<backend, R, Stored>& images, const order& which) {
  backend b(2);
  const auto n = static_cast<index_t>(which.size());
  std::vector<float> out(static_cast<std::size_t>(n * images.dims().image()));
  images.gather(b, {which.data(), n},
                cz::image_batch<R, float>(cz::tensor_view<float>(out.data(), images.dims().with_n(n))));
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(bytes) {
  backend b(1);
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 256; ++i) pixels.push_back(static_cast<std::uint8_t>(i));
  const cz::dataset<backend, cz::centred> images(b, {16, 1, 4, 4}, pixels.data());
  pixels.assign(256, 0);  // the set has its own copy
  BOOST_TEST(images.size() == 16);
  BOOST_TEST((images.dims() == cz::shape{16, 1, 4, 4}));
  const order which{15, 0, 3, 15};
  const std::vector<float> out = gathered(images, which);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double wanted = (which[i / 16] * 16 + static_cast<int>(i % 16)) / 255.0 - 0.5;
    BOOST_TEST(std::abs(static_cast<double>(out[i]) - wanted) <=
               2 * 0x1p-24);  // two roundings of values <= 1
  }
  BOOST_TEST(out[15] == 0.5f);
  BOOST_TEST(out[16] == -0.5f);
}

BOOST_AUTO_TEST_CASE(floats) {
  backend b(1);
  const host_images source = random_images({5, 2, 3, 4}, 1);
  using set = cz::dataset<backend, cz::centred, float>;
  const order all{0, 1, 2, 3, 4};
  BOOST_TEST(gathered(set(b, source.dims, source.pixels.data()), all) == source.pixels);
  BOOST_TEST(gathered(set::from_view(b, source.view()), all) == source.pixels);
  // Every other image, upside down.
  const cz::tensor_view<const float> odd(source.pixels.data() + 24 + 8, {2, 2, 3, 4}, 48, 12, -4, 1);
  const std::vector<float> out = gathered(set::from_view(b, odd), {1, 0});
  for (index_t i = 0; i < 48; ++i)
    BOOST_TEST(out[static_cast<std::size_t>(i)] ==
               source.view()(i < 24 ? 3 : 1, i / 12 % 2, 2 - i / 4 % 3, i % 4));
  BOOST_TEST(message_of([&] {
               set(b, {0, 1, 3, 4}, nullptr);
             }) == "dataset: the shape is 0 x 1 x 3 x 4; there are no images");
}

BOOST_AUTO_TEST_CASE(labels) {
  backend b(1);
  const std::vector<std::uint8_t> pixels(12);
  cz::dataset<backend, cz::unit> images(b, {3, 1, 2, 2}, pixels.data());
  const auto message = [&](const std::vector<std::int64_t>& of_images, index_t classes) {
    return message_of([&] { images.set_labels(b, of_images, classes); });
  };
  BOOST_TEST(message({0, 1}, 0) == "dataset: there are 2 labels for 3 images");
  BOOST_TEST(message({0, 1, 2}, 2) == "dataset: found label 2, wanted 0 to 1");
  BOOST_TEST(message({0, -1, 2}, 0) == "dataset: found label -1, wanted 0 to 2");
  BOOST_TEST(message({0, std::int64_t{1} << 33, 2}, 0) ==
             "dataset: found label 8589934592, wanted 0 to 2147483646");
  BOOST_TEST(images.classes() == 0);  // labels that are refused change nothing
  BOOST_TEST(message({0, 4, 2}, 0) == "no error");
  BOOST_TEST(images.classes() == 5);
  const order which{1, 0};
  std::vector<std::int32_t> found(2);
  images.gather_labels(b, {which.data(), 2}, found.data());
  BOOST_TEST(found == (std::vector<std::int32_t>{4, 0}));
}

BOOST_AUTO_TEST_CASE(orders) {
  BOOST_TEST(cz::natural_order(4) == (order{0, 1, 2, 3}));
  const order first = cz::shuffled_order(1000, 1, 0);
  order sorted = first;
  std::sort(sorted.begin(), sorted.end());
  BOOST_TEST(sorted == cz::natural_order(1000));
  BOOST_TEST(first == cz::shuffled_order(1000, 1, 0));
  BOOST_TEST(first != cz::shuffled_order(1000, 1, 1));
  BOOST_TEST(first != cz::shuffled_order(1000, 2, 0));
  BOOST_TEST(cz::shuffled_order(1, 0, 0) == order{0});
  BOOST_TEST(cz::shuffled_order(0, 0, 0) == order{});
}

BOOST_AUTO_TEST_CASE(all_orders_come_as_often) {
  std::vector<int> found(24);
  for (std::uint64_t epoch = 0; epoch < 24000; ++epoch) {
    const order o = cz::shuffled_order(4, 3, epoch);
    const auto smaller = [&](std::size_t i) {
      return std::count_if(o.begin() + static_cast<index_t>(i), o.end(), [&](int v) { return v < o[i]; });
    };
    ++found[static_cast<std::size_t>(smaller(0) * 6 + smaller(1) * 2 + smaller(2))];
  }
  BOOST_TEST(chi_square(found, std::vector<double>(24, 1000.0)) < chi_square_bound(23));
}
