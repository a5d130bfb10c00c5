#define BOOST_TEST_MODULE in_range
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/in_range.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/testing/degradation_laws.hpp>

#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

/// Darkens, and mixes in a random grey: what it does depends on the range it is used in.
struct fade_to_grey {
  using range = cz::unit;
  COLDZOOM_HD float operator()(cz::image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               cz::sample_key key) const {
    return x0(c, y, x) * (1 - level) + 0.5f * level * cz::random_uniform(key, 0);
  }
};

using fade_centred = decltype(cz::in_range<cz::centred>(fade_to_grey{}));
static_assert(cz::Degradation<fade_centred, backend>);
static_assert(cz::AcceptsRange<fade_centred, cz::centred> && !cz::AcceptsRange<fade_centred, cz::unit>);
// Nothing is wrapped where nothing has to be converted.
static_assert(std::same_as<decltype(cz::in_range<cz::unit>(fade_to_grey{})), fade_to_grey>);
static_assert(
    std::same_as<decltype(cz::in_range<cz::centred>(cz::zoom<cz::nearest>{})), cz::zoom<cz::nearest>>);

constexpr cz::shape dims{5, 2, 9, 7};

template <class B> void check_against_the_closed_form(B& b) {
  const host_images x0 = random_images(dims, 1);
  const std::vector<float> level{0, 0.25f, 0.5f, 0.75f, 1};
  const cz::key_sequence keys{3, cz::stream::user, 11};
  host_images out(dims);
  cz::degrade(b, cz::in_range<cz::centred>(fade_to_grey{}), x0.view(), {level.data(), 5}, keys, out.view());
  double worst = 0;
  for (index_t i = 0; i < dims.size(); ++i) {
    const index_t n = i / dims.image();
    const double l = static_cast<double>(level[static_cast<std::size_t>(n)]);
    const double grey = static_cast<double>(cz::random_uniform(keys[n], 0));
    const double unit = static_cast<double>(x0.pixels[static_cast<std::size_t>(i)]) + 0.5;
    const double wanted = unit * (1 - l) + 0.5 * l * grey - 0.5;
    worst = std::max(worst, std::abs(static_cast<double>(out.pixels[static_cast<std::size_t>(i)]) - wanted));
  }
  // Six operations on numbers of at most 1.
  BOOST_TEST(worst < 6 * 0x1p-24);
}

}  // namespace

BOOST_AUTO_TEST_CASE(converts_there_and_back) {
  backend b(2);
  check_against_the_closed_form(b);
  cz::reference_backend<float> reference;
  check_against_the_closed_form(reference);
}

BOOST_AUTO_TEST_CASE(keeps_the_laws) {
  backend two(2), one(1);
  cz::testing::degradation_laws<cz::centred>(cz::in_range<cz::centred>(fade_to_grey{}),
                                             {.identity_at_zero = false, .random = true}, dims, two, one);
}

BOOST_AUTO_TEST_CASE(strided_images) {
  // Every second image of a larger batch.
  const host_images x0 = random_images(dims.with_n(10), 1);
  host_images dense(dims), wanted(dims), out(dims);
  for (index_t n = 0; n < 5; ++n) {
    std::copy_n(x0.pixels.begin() + 2 * n * dims.image(), dims.image(),
                dense.pixels.begin() + n * dims.image());
  }
  const std::vector<float> level(5, 0.5f);
  const auto fade = cz::in_range<cz::centred>(fade_to_grey{});
  backend b(1);
  cz::tensor_view<const float> second(x0.pixels.data(), dims);
  second.stride_n *= 2;
  cz::degrade(b, fade, host_images::const_batch(second), {level.data(), 5}, {}, out.view());
  cz::degrade(b, fade, std::as_const(dense).view(), {level.data(), 5}, {}, wanted.view());
  BOOST_TEST((out == wanted));
}
