// Images whose rim is bright or dark with equal chance, which their middle does not tell: a soft frontier draws both
// kinds, a reconstructor trained by mean square draws their mean.
#define BOOST_TEST_MODULE two_peaks
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/degradation/soft_frontier.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/conditioned.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/frontier.hpp>
#include <coldzoom/nn/model.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <coldzoom/sampling/adams_bashforth.hpp>
#include <coldzoom/sampling/restore.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/trainer.hpp>

#include "common/engine.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::shape image{1, 1, 4, 4};
constexpr index_t count = 1024;
constexpr cz::zoom_order order{2};  // what is left at last are the 2 x 2 pixels in the middle

/// The rim is (0.2 + 0.2 u) or its negative, u uniform, the same for all its pixels; the middle is 0.
host_images make_pictures(std::uint64_t seed) {
  host_images pictures(image.with_n(count));
  for (index_t n = 0; n < count; ++n) {
    const cz::sample_key key = cz::key_sequence{seed, cz::stream::user, 0}[n];
    const float size = 0.2f + 0.2f * cz::random_uniform(key, 0);
    for (index_t y = 0; y < 4; ++y) {
      for (index_t x = 0; x < 4; ++x) {
        const bool middle = y > 0 && y < 3 && x > 0 && x < 3;
        pictures.view()(n, 0, y, x) = middle ? 0 : cz::random_uniform(key, 1) < 0.5f ? size : -size;
      }
    }
  }
  return pictures;
}

/// Means over the rims, in order.
std::vector<float> rims(const host_images& pictures) {
  std::vector<float> means;
  for (index_t n = 0; n < pictures.dims.n; ++n) {
    float total = 0;
    for (index_t i = 0; i < 16; ++i) {
      const bool middle = i / 4 > 0 && i / 4 < 3 && i % 4 > 0 && i % 4 < 3;
      if (!middle) total += pictures.pixels[static_cast<std::size_t>(n * 16 + i)] / 12;
    }
    means.push_back(total);
  }
  std::sort(means.begin(), means.end());
  return means;
}

/// The largest difference between the shares of the two sets below a number (Kolmogorov and Smirnov).
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (const std::vector<float>* set : {&a, &b}) {
    for (const float at : *set) {
      const auto below = [at](const std::vector<float>& values) {
        return static_cast<double>(std::upper_bound(values.begin(), values.end(), at) - values.begin()) /
               static_cast<double>(values.size());
      };
      worst = std::max(worst, std::abs(below(a) - below(b)));
    }
  }
  return worst;
}

auto make_network(index_t channels) {
  return cz::embedded(
      cz::time_label_embedding(16, 0, cz::time_features::geometric(4)),
      cz::sequence(cz::conv2d::same(channels, 32, 5), cz::film(16, 32), cz::silu{},
                   cz::conv2d::same(32, 32, 5), cz::film(16, 32), cz::silu{}, cz::conv2d::same(32, 1, 3)));
}

/// Trains on pictures of one seed and restores those of another from D(x, T).
template <class Method, class Sampler>
host_images learn_and_draw(const Method& method, const Sampler& sampler, int calls) {
  backend b(2);
  const host_images pictures = make_pictures(1), others = make_pictures(2);
  const cz::dataset<backend, cz::centred, float> data(b, pictures.dims, pictures.pixels.data());
  cz::trainer t(b, method, make_network(method.input.channels(image)), image,
                {.batch_size = 64, .seed = 4, .average_decays = {0.99}});
  const cz::warmup_cosine rate{5e-3, 20, 80 * t.batches(data)};
  for (index_t epoch = 1; epoch <= 80; ++epoch) t.train_epoch(data, epoch, rate);
  cz::model m(b, method.predict, t.network(), image, cz::to_host(b, t.best()), method.input);
  host_images z(others.dims);
  cz::degrade_and_restore(b, sampler, m, method.degradation, method.schedule, calls,
                          {7, cz::stream::sampling, 0}, others.view(), z.view());
  return z;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_soft_frontier_draws_both_kinds_and_a_mean_neither) {
  const std::vector<float> wanted = rims(make_pictures(3));
  const cz::soft_frontier<cz::zoom_order> frontier{order, 0.5f, 0.5f};
  const host_images drawn =
      learn_and_draw(cz::make_method(cz::centred{}, frontier, cz::linear_schedule(60), cz::predict_flow{},
                                     cz::frontier_input(frontier), cz::frontier_weight(frontier)),
                     cz::adams_bashforth_sampler{.spacing = 1.3}, 12);
  const host_images mean = learn_and_draw(
      cz::make_method(cz::centred{}, cz::masked<cz::zoom_order>{order}, cz::linear_schedule(2)),
      cz::tacos_sampler{}, 2);
  // Two sets of 1,024 draws of one law differ by 0.12 once in a million (Smirnov's bound).
  BOOST_TEST(distance(rims(make_pictures(5)), wanted) < 0.12);
  const double of_frontier = distance(rims(drawn), wanted), of_mean = distance(rims(mean), wanted);
  BOOST_TEST_MESSAGE("distance of the frontier " << of_frontier << ", of the mean " << of_mean);
  // A network of seconds is a bit off; drawing one kind alone would be 0.5, the mean of both likewise.
  BOOST_TEST(of_frontier < 0.2);
  BOOST_TEST(of_mean > 0.4);
}
