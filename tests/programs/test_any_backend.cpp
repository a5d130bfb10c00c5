// What the programs ask of a backend gives the same on one whose memory is not the host's.
#define BOOST_TEST_MODULE any_backend
#include <boost/test/unit_test.hpp>
#include <coldzoom/testing/transfer.hpp>

#include "common/any_backend_on.hpp"
#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;
using programs::host_images;

namespace {

/// Stands for a device: views of its memory are of another type, so that what takes one for the other does
/// not compile, and everything goes through upload and download.
struct far_space {};
struct far_backend : cz::reference_backend<float> {
  using space = far_space;
};
static_assert(cz::Backend<far_backend> && !cz::HostBackend<far_backend>);

constexpr cz::shape image{1, 1, 8, 8};
constexpr index_t images_of_one = 300;  // more than one batch of features or samples
// The fast operations of the CPU round otherwise than the generic ones: some 1e-6 after a few layers.
constexpr float tolerance = 1e-4f;

struct fixture {
  backend host{1};
  far_backend far;
  std::unique_ptr<programs::any_backend> near_one = programs::any_backend_on(host, host),
                                         far_one = programs::any_backend_on(far, host);
  cz::labelled_images digits{image.with_n(images_of_one), {}, {}};

  fixture() {
    for (std::uint64_t i = 0; i < images_of_one * 64; ++i)
      digits.pixels.push_back(static_cast<std::uint8_t>(cz::random_below({1}, i, 256)));
  }
};

void check_near(const std::vector<float>& found, const std::vector<float>& wanted) {
  BOOST_REQUIRE(found.size() == wanted.size());
  BOOST_REQUIRE(!wanted.empty());
  float worst = 0, spread = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    worst = std::max(worst, std::abs(found[i] - wanted[i]));
    spread = std::max(spread, std::abs(wanted[i] - wanted[0]));
  }
  BOOST_TEST(worst <= tolerance);
  BOOST_TEST(spread > 100 * tolerance);  // there was something to compare
}

void append(std::vector<float>& all, host_images part) {
  all.insert(all.end(), part.data, part.data + part.dims.size());
}

programs::trained_model model_of(const std::string& kind) {
  const cz::reconstructor network(image, {4, 4}, 3);
  return {{kind, 6, 6, 0.2}, "", {}, network, cz::initial_parameters(network, 2)};
}

/// All that `b` makes of a model of one kind, one after the other.
std::vector<std::vector<float>> work_on(programs::any_backend& b, const programs::trained_model& model,
                                        const cz::labelled_images& digits) {
  std::vector<float> degraded, drawn, states;
  b.for_each_degraded(digits, model.method, 4, {5, cz::stream::user, 0},
                      [&](index_t, host_images, host_images z) { append(degraded, z); });
  const std::string& kind = model.method.kind;
  const programs::latent_source latents =
      programs::make_latents(b, programs::default_latent(kind), kind, 6, "digits", digits);
  b.for_each_latent(latents, 1500, 7, [&](index_t first, host_images z) {
    BOOST_TEST(first == static_cast<index_t>(drawn.size()) / 64);
    append(drawn, z);
  });
  const auto network = b.run(model);
  std::vector<float> answer(degraded.size());
  const cz::shape dims = digits.dims;
  (*network)(host_images(cz::tensor_view<float>(degraded.data(), dims)), 0.5f,
             host_images(cz::tensor_view<float>(answer.data(), dims)));
  programs::sampling_options options = programs::grid_sampling(model.method, images_of_one, 3);
  std::vector<float> samples =
      network->draw(latents, options, [&](index_t, int, host_images state, host_images x0_hat) {
        append(states, state);
        append(states, x0_hat);
      });
  return {degraded, drawn, answer, samples, states};
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(models_of_every_kind, fixture) {
  for (const programs::model_kind& kind : programs::model_kinds) {
    BOOST_TEST_CONTEXT(kind.name) {
      const programs::trained_model model = model_of(kind.name);
      const auto wanted = work_on(*near_one, model, digits), found = work_on(*far_one, model, digits);
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        BOOST_TEST_CONTEXT("result " << i) { check_near(found[i], wanted[i]); }
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(the_classifier, fixture) {
  const programs::digit_classifier network(image);
  const programs::classifier_model model{network, cz::initial_parameters(network, 1), "digits", 1, 0};
  const std::vector<float> pixels = cz::testing::random_values(images_of_one * 64, 3, 0, 1);
  const cz::image_batch<cz::unit, const float> images(
      cz::tensor_view<const float>(pixels.data(), image.with_n(images_of_one)));
  const auto here = near_one->run(model), there = far_one->run(model);
  const cz::feature_set wanted = cz::extract_features(near_one->host(), *here, images),
                        found = cz::extract_features(far_one->host(), *there, images);
  check_near(found.values, wanted.values);
  check_near(there->logits(wanted.values.data(), wanted.n), here->logits(wanted.values.data(), wanted.n));
}

BOOST_FIXTURE_TEST_CASE(images_with_gaps_are_refused, fixture) {
  const auto network = far_one->run(model_of("zoom_nearest"));
  std::vector<float> pixels(256);
  cz::tensor_view<float> gaps(pixels.data(), image.with_n(2));
  gaps.stride_n *= 2;
  BOOST_TEST(message_of([&] { (*network)(host_images(gaps), 0.5f, host_images(gaps)); }) ==
             "on_host_images: found images with gaps between them, wanted dense ones");
}
