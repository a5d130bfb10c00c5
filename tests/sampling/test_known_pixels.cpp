// Pixels that are known stay as they are, through every prediction and sampler.
#define BOOST_TEST_MODULE known_pixels
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/degradation/order.hpp>
#include <coldzoom/degradation/soft_frontier.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/known_pixels.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>

#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::reference_backend<float>;
using cz::index_t;

namespace {

constexpr cz::key_sequence keys{5, cz::stream::sampling, 100};
const cz::shape dims{2, 2, 6, 5};

/// Answers with numbers that have nothing to do with the picture.
template <class P> struct stranger {
  using prediction = P;
  void operator()(cz::tensor_view<const float> x, const cz::sampling_step& step, cz::tensor_view<float> y) {
    const host_images drawn = random_images(x.dims, static_cast<std::uint64_t>(step.t));
    std::copy(drawn.pixels.begin(), drawn.pixels.end(), y.data);
  }
};

/// Every third pixel is known.
host_images every_third() {
  host_images mask(dims);
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) mask.pixels[i] = i % 3 == 0;
  return mask;
}

/// The largest distance of x0_hat from the known pixels in any step of the sampler, where they have noise to
/// lose, and of the samples at the end; it checks that answers to the others are those of the model.
template <class P, class Sampler, class D, class S>
double distance(const Sampler& sampler, const D& degradation, const S& schedule) {
  backend b;
  const host_images known = random_images(dims, 1), mask = every_third();
  stranger<P> model;
  cz::known_pixels keeping(b, model, degradation, schedule, known.view(), mask.view());
  host_images z = random_images(dims, 2);
  for (float& pixel : z.pixels) pixel *= 4;
  host_images bare(dims), kept(dims);
  const int T = schedule.steps();
  const cz::sampling_step step{T, 1, schedule.level(T), keys};
  model(z.view(), step, bare.view());
  keeping(z.view(), step, kept.view());
  for (std::size_t i = 0; i < z.pixels.size(); ++i) {
    if (i % 3 != 0) BOOST_REQUIRE(kept.pixels[i] == bare.pixels[i]);
    if (i % 3 == 0) BOOST_REQUIRE(kept.pixels[i] != bare.pixels[i]);
  }
  double worst = 0;
  const auto compare = [&](const float* found) {
    for (std::size_t i = 0; i < z.pixels.size(); i += 3)
      worst = std::max(worst, std::abs(static_cast<double>(found[i]) - static_cast<double>(known.pixels[i])));
  };
  sampler(b, keeping, degradation, schedule, T, keys, z.view(),
          [&](int, auto, auto x0_hat) { compare(x0_hat.data); });
  compare(z.pixels.data());
  return worst;
}

}  // namespace

// x0_hat = (z - n y) / s: the rounding of y, of size 10 and less, to 2^-24 of it moves x0_hat by 10 * 2^-24 n / s;
// at the last step of these schedules n / s is below 40.
BOOST_AUTO_TEST_CASE(noise_of_every_prediction) {
  constexpr double bound = 40 * 10 * 0x1p-24;
  const auto schedule = cz::ddpm_schedule::linear(20, 1e-4, 0.5);
  BOOST_REQUIRE(schedule.noise(20) / schedule.signal(20) < 40);
  BOOST_TEST(distance<cz::predict_x0>(cz::ddim_sampler{false}, cz::gaussian_noise{}, schedule) <= bound);
  BOOST_TEST(distance<cz::predict_noise>(cz::ddim_sampler{false}, cz::gaussian_noise{}, schedule) <= bound);
  BOOST_TEST(distance<cz::predict_velocity>(cz::ddim_sampler{false}, cz::gaussian_noise{}, schedule) <=
             bound);
  BOOST_TEST(distance<cz::predict_flow>(cz::ddim_sampler{false}, cz::flow_noise{}, cz::linear_schedule(20)) <=
             bound);
}

BOOST_AUTO_TEST_CASE(masks_keep_them_to_the_bit) {
  using mask = cz::masked<cz::inpainting_order>;
  BOOST_TEST(distance<cz::predict_x0>(cz::naive_sampler{}, mask{}, cz::linear_schedule(10)) == 0);
}

BOOST_AUTO_TEST_CASE(an_element_without_noise_is_left_alone) {
  backend b;
  const cz::soft_frontier<cz::inpainting_order> frontier{{}, 0.3f, 0.5f};
  const cz::linear_schedule schedule(10);
  const host_images known = random_images(dims, 1), z = random_images(dims, 2);
  host_images mask(dims), bare(dims), kept(dims);
  std::fill(mask.pixels.begin(), mask.pixels.end(), 1.0f);
  stranger<cz::predict_flow> model;
  cz::known_pixels keeping(b, model, frontier, schedule, known.view(), mask.view());
  const cz::sampling_step step{3, 0.3f, schedule.level(3), keys};
  model(z.view(), step, bare.view());
  keeping(z.view(), step, kept.view());
  index_t left = 0;
  for (index_t i = 0; i < dims.size(); ++i) {
    const auto [n, c, y, x] = cz::element_place::at(i, dims);
    const auto at = static_cast<std::size_t>(i);
    if (frontier.amplitudes(schedule.level(3), dims.with_n(1), c, y, x).noise > 0) {
      BOOST_CHECK(kept.pixels[at] != bare.pixels[at]);
    } else {
      BOOST_CHECK(kept.pixels[at] == bare.pixels[at]);
      ++left;
    }
  }
  BOOST_TEST((left > 0 && left < dims.size()));
}

BOOST_AUTO_TEST_CASE(errors_name_what_was_found) {
  backend b;
  stranger<cz::predict_x0> model;
  const cz::gaussian_noise noise;
  const auto schedule = cz::ddpm_schedule::linear(20);
  host_images known(dims), mask(dims.with_n(1)), z({1, 2, 6, 5});
  const auto make = [&](auto pixels, auto of) {
    return cz::known_pixels(b, model, noise, schedule, pixels, of);
  };
  BOOST_CHECK_EXCEPTION(make(known.view(), mask.view()), cz::error,
                        says("found pixels of 2 x 2 x 6 x 5 and a mask of 1 x 2 x 6 x 5"));
  auto keeping = make(known.view(), known.view());
  BOOST_CHECK_EXCEPTION(keeping(z.view(), {}, z.view()), cz::error, says("found images of 1 x 2 x 6 x 5"));
}
