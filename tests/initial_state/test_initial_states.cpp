#define BOOST_TEST_MODULE latents
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/initial_state/constant_state.hpp>
#include <coldzoom/initial_state/gaussian_state.hpp>
#include <coldzoom/initial_state/patch_bank.hpp>
#include <coldzoom/initial_state/pixel_histogram.hpp>
#include <coldzoom/interpolation/bilinear.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <limits>

#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using histogram = cz::pixel_histogram<cz::centred>;
using bank = cz::patch_bank<cz::centred, cz::bilinear, backend>;
using cz::index_t;

namespace {

static_assert(cz::InitialState<cz::gaussian_state<cz::unit>, backend> &&
              cz::InitialState<cz::constant_state<cz::unit>, backend>);
static_assert(cz::InitialState<histogram, backend> && cz::InitialState<bank, backend> &&
              !cz::InitialState<int, backend>);

constexpr cz::key_sequence keys{5, cz::stream::initial_state, 1000};

template <class L> host_images draw(const L& latent, cz::shape dims, int threads = 2) {
  backend b(threads);
  host_images out(dims);
  latent.draw(b, keys, out.view());
  return out;
}

/// Sample i has the same bits in every batch and for every thread count.
template <class L> void check_bits(const L& latent, cz::shape dims) {
  const host_images whole = draw(latent, dims);
  BOOST_TEST((draw(latent, dims, 1) == whole));
  BOOST_TEST((draw(latent, dims, 3) == whole));
  host_images parts(dims);
  backend b(2);
  for (index_t first = 0, n = 1; first < dims.n; first += n, n = std::min(n + 3, dims.n - first))
    latent.draw(b, keys.from(first), parts.view().images(first, n));
  BOOST_TEST((parts == whole));
  BOOST_TEST(
      (draw(latent, dims.with_n(1)).pixels.back() == whole.view()(0, dims.c - 1, dims.h - 1, dims.w - 1)));
}

std::array<std::uint64_t, 256> uneven_counts() {
  std::array<std::uint64_t, 256> counts{};
  counts[0] = 5000;  // mostly background, as digits are
  for (std::size_t k = 50; k < 256; ++k) counts[k] = k;
  counts[255] = 3000;
  return counts;
}

}  // namespace

BOOST_AUTO_TEST_CASE(histogram_counts) {
  // Bin k is [k / 256 - 1/2, (k + 1) / 256 - 1/2); 1/2 itself and what lies outside fall into the end bins,
  // and what is no number into the first.
  host_images images({1, 1, 1, 256 * 2 + 6});
  std::size_t i = 0;
  for (int k = 0; k < 256; ++k) {
    images.pixels[i++] = static_cast<float>(k) / 256 - 0.5f;
    images.pixels[i++] = (static_cast<float>(k) + 0.999f) / 256 - 0.5f;
  }
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float value : {0.5f, 7.0f, -7.0f, infinity, -infinity, nan}) images.pixels[i++] = value;
  const auto counts = histogram::count(images.view());
  for (std::size_t k = 0; k < 256; ++k)
    BOOST_TEST(counts[k] == (k == 0 ? 5u : k == 255 ? 5u : 2u), "bin " << k << ": " << counts[k]);
  BOOST_TEST((histogram(counts, 4, 4).counts() == counts));
}

BOOST_AUTO_TEST_CASE(histogram_frequencies) {
  const auto counts = uneven_counts();
  const cz::shape dims{20000, 1, 4, 4};
  const host_images drawn = draw(histogram(counts, 4, 4), dims);
  std::array<std::uint64_t, 256> found{};
  for (const float pixel : drawn.pixels) {
    const float bin = (pixel + 0.5f) * 256;
    BOOST_REQUIRE((bin >= 0 && bin < 256 && bin == std::floor(bin)));  // a left edge, to the bit
    ++found[static_cast<std::size_t>(bin)];
  }
  double total = 0;
  int bins = 0;
  for (const auto count : counts) {
    total += static_cast<double>(count);
    bins += count > 0;
  }
  std::vector<double> expected;
  for (std::size_t k = 0; k < 256; ++k) {
    expected.push_back(static_cast<double>(counts[k]) / total * static_cast<double>(dims.size()));
    if (counts[k] == 0) BOOST_TEST(found[k] == 0u);
  }
  const double x = chi_square(found, expected);
  BOOST_TEST(x < chi_square_bound(bins - 1));
  BOOST_TEST_MESSAGE("chi square " << x << " for " << bins - 1);

  // The 16 pixels are independent: of neighbours, both are background as often as the product says.
  double both = 0;
  const double p = 5000 / total, pairs = static_cast<double>(dims.size()) / 2;
  for (std::size_t i = 0; i < drawn.pixels.size(); i += 2)
    both += drawn.pixels[i] == -0.5f && drawn.pixels[i + 1] == -0.5f;
  BOOST_TEST(std::abs(both - pairs * p * p) < 6 * std::sqrt(pairs * p * p));
}

BOOST_AUTO_TEST_CASE(histogram_of_one_bin) {
  for (const std::size_t bin : {std::size_t{0}, std::size_t{137}, std::size_t{255}}) {
    std::array<std::uint64_t, 256> counts{};
    counts[bin] = 1;
    const host_images drawn = draw(histogram(counts, 4, 4), {100, 1, 4, 4});
    const float edge = static_cast<float>(bin) / 256 - 0.5f;
    BOOST_TEST(std::count(drawn.pixels.begin(), drawn.pixels.end(), edge) == 1600);
  }
}

BOOST_AUTO_TEST_CASE(histogram_blocks) {
  // 4 x 4 blocks of 7 x 7 pixels, a grid for each channel; where it does not divide, by the nearest rule.
  for (const auto& [h, w, rows, cols] : {std::array<index_t, 4>{28, 28, 4, 4}, {10, 7, 3, 5}, {2, 2, 4, 4}}) {
    const host_images image = draw(histogram(uneven_counts(), rows, cols), {3, 2, h, w});
    host_images small = draw(histogram(uneven_counts(), rows, cols), {3, 2, rows, cols});
    index_t differing = 0;
    for (index_t n = 0; n < 3; ++n)
      for (index_t c = 0; c < 2; ++c)
        for (index_t y = 0; y < h; ++y)
          for (index_t x = 0; x < w; ++x)
            differing += image.view()(n, c, y, x) != small.view()(n, c, y * rows / h, x * cols / w);
    BOOST_TEST(differing == 0, h << " x " << w);
    // Every image and channel has its own.
    const auto grid = small.pixels.begin();
    for (index_t i = 1; i < 6; ++i) BOOST_TEST(!std::equal(grid, grid + rows * cols, grid + i * rows * cols));
  }
}

BOOST_AUTO_TEST_CASE(histogram_bits_and_errors) {
  check_bits(histogram(uneven_counts(), 4, 4), {23, 3, 28, 28});
  BOOST_TEST(message_of([] { histogram({}, 4, 4); }) ==
             "pixel_histogram: every count is zero; the histogram needs at least one pixel");
  BOOST_TEST(message_of([] { histogram(uneven_counts(), 0, 4); }) ==
             "pixel_histogram: the grid is 0 x 4; both must be positive");
}

namespace {

/// The bank draws D(x, T) of its images, each as often as the others; D by the zoom itself.
template <class I> void check_bank(int last_step) {
  const cz::shape dims{20, 2, 28, 28};
  const host_images images = random_images(dims, 1);
  const cz::zoom<I> zoom{.last_step = last_step};
  backend b(2);
  host_images zoomed(dims);
  const std::vector<float> levels(20, 1.0f);
  cz::degrade(b, zoom, images.view(), {levels.data(), 20}, {}, zoomed.view());

  const cz::image_window at = zoom.window(last_step, 28, 28);
  host_images centres({20, 2, at.h, at.w});
  for (index_t n = 0; n < 20; ++n)
    for (index_t c = 0; c < 2; ++c)
      for (index_t y = 0; y < at.h; ++y)
        for (index_t x = 0; x < at.w; ++x)
          centres.view()(n, c, y, x) = images.view()(n, c, at.top + y, at.left + x);
  const cz::patch_bank<cz::centred, I, backend> latent(b, centres.dims, centres.pixels);
  BOOST_TEST(latent.size() == 20);

  constexpr index_t draws = 2000;
  const host_images drawn = draw(latent, dims.with_n(draws));
  std::vector<int> found(20);
  int strangers = 0;
  for (index_t i = 0; i < draws; ++i) {
    const float* sample = drawn.pixels.data() + i * dims.image();
    index_t n = 0;
    while (n < 20 && !std::equal(sample, sample + dims.image(), zoomed.pixels.data() + n * dims.image())) ++n;
    n < 20 ? ++found[static_cast<std::size_t>(n)] : ++strangers;
  }
  BOOST_TEST(strangers == 0, strangers << " samples are no D(x, T)");
  BOOST_TEST(chi_square(found, std::vector<double>(20, draws / 20.0)) < chi_square_bound(19));
  check_bits(latent, {23, 2, 28, 28});
}

}  // namespace

BOOST_AUTO_TEST_CASE(patches_are_zoomed_images) {
  check_bank<cz::nearest>(24);
  check_bank<cz::bilinear>(23);
}

BOOST_AUTO_TEST_CASE(patch_errors) {
  backend b(1);
  BOOST_TEST(message_of([&] {
               bank(b, {2, 1, 2, 2}, std::vector<float>(7));
             }) ==
             "patch_bank: there are 7 values for the shape 2 x 1 x 2 x 2; the bank needs at least one patch "
             "and matching sizes");
  BOOST_TEST(message_of([&] { bank(b, {0, 1, 2, 2}, {}); }) != "no error");
  const bank grey(b, {1, 1, 2, 2}, std::vector<float>(4));
  BOOST_TEST(message_of([&] {
               draw(grey, {1, 3, 4, 4});
             }) == "patch_bank: the output has 3 channels, the patches 1");
}

BOOST_AUTO_TEST_CASE(gaussian) {
  const cz::gaussian_state<cz::centred> latent;
  check_bits(latent, {23, 3, 9, 5});  // 135 values an image, no multiple of four
  const cz::shape dims{200, 2, 11, 7};
  const host_images drawn = draw(latent, dims);
  const double count = static_cast<double>(dims.size());
  double mean = 0, variance = 0, neighbours = 0;
  for (std::size_t i = 0; i < drawn.pixels.size(); ++i) {
    const double e = static_cast<double>(drawn.pixels[i]);
    mean += e / count;
    variance += e * e / count;
    if (i > 0) neighbours += e * static_cast<double>(drawn.pixels[i - 1]) / count;
  }
  // Six standard deviations of each estimate.
  BOOST_TEST(std::abs(mean) < 6 / std::sqrt(count));
  BOOST_TEST(std::abs(variance - 1) < 6 * std::sqrt(2 / count));
  BOOST_TEST(std::abs(neighbours) < 6 / std::sqrt(count));
  // Element i of sample n is normal number i of its key.
  BOOST_TEST(drawn.view()(3, 1, 2, 4) == cz::random_normal(keys[3], 77 + 2 * 7 + 4));
}

BOOST_AUTO_TEST_CASE(one_colour) {
  const cz::shape dims{5, 3, 4, 7};
  const cz::constant_state<cz::centred> colours({0.5f, -0.25f, 0}), grey({-0.5f});
  check_bits(colours, dims);
  const host_images drawn = draw(colours, dims), black = draw(grey, dims);
  for (index_t n = 0; n < dims.n; ++n) {
    for (index_t y = 0; y < dims.h; ++y) {
      for (index_t x = 0; x < dims.w; ++x) {
        BOOST_REQUIRE((drawn.view()(n, 0, y, x) == 0.5f && drawn.view()(n, 1, y, x) == -0.25f &&
                       drawn.view()(n, 2, y, x) == 0));
        for (index_t c = 0; c < dims.c; ++c) BOOST_REQUIRE(black.view()(n, c, y, x) == -0.5f);
      }
    }
  }
  BOOST_TEST(message_of([&] {
               draw(colours, {1, 1, 4, 4});
             }) == "constant_state: the colour has 3 channels, the images 1");
  BOOST_TEST(message_of([] { cz::constant_state<cz::centred>({}); }) ==
             "constant_state: found no colour, wanted a number, or one for each channel");
}
