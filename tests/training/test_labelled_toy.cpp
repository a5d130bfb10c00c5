// Two classes of images: trained with labels, some left out, and sampled with guidance.
#define BOOST_TEST_MODULE labelled_toy
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/initial_state/gaussian_state.hpp>
#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/any_model.hpp>
#include <coldzoom/nn/conditioned.hpp>
#include <coldzoom/nn/conv2d.hpp>
#include <coldzoom/nn/sequence.hpp>
#include <coldzoom/sampling/dpm_solver.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/trainer.hpp>

#include "common/engine.hpp"
#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::shape image{1, 1, 6, 6};
constexpr index_t count = 1024;
constexpr std::int32_t left = 0, right = 1, none = 2;

/// Where a pixel stands, -1 to 1: convolutions alone do not know.
struct column {
  COLDZOOM_HD float operator()(float, const cz::shape& planes, index_t, index_t, index_t x) const {
    return static_cast<float>(2 * x + 1) / static_cast<float>(planes.w) - 1;
  }
};
const auto method =
    cz::make_method(cz::centred{}, cz::flow_noise{}, cz::linear_schedule(20), cz::predict_flow{},
                    cz::inputs(cz::plain_input{}, cz::mask_input(column{})));

auto make_network() {
  return cz::embedded(
      cz::time_label_embedding(16, 2, cz::time_features::geometric(4)),
      cz::sequence(cz::conv2d::same(2, 16, 3), cz::film(16, 16), cz::silu{}, cz::conv2d::same(16, 16, 3),
                   cz::film(16, 16), cz::silu{}, cz::conv2d::same(16, 1, 3)));
}

/// 1/4 in the half of its class and -1/4 in the other, give or take 0.1.
host_images make_pictures() {
  host_images pictures(image.with_n(count));
  for (index_t i = 0; i < pictures.dims.size(); ++i) {
    const bool bright = (i % 6 < 3) == (i / 36 % 2 == left);
    pictures.pixels[static_cast<std::size_t>(i)] =
        (bright ? 0.25f : -0.25f) + 0.1f * cz::random_normal({1}, static_cast<std::uint64_t>(i));
  }
  return pictures;
}

/// Share of the samples whose left half is the brighter one.
double share_of_left(const host_images& samples) {
  index_t found = 0;
  for (index_t n = 0; n < samples.dims.n; ++n) {
    double difference = 0;
    for (index_t i = 0; i < 36; ++i)
      difference +=
          (i % 6 < 3 ? 1 : -1) * static_cast<double>(samples.pixels[static_cast<std::size_t>(36 * n + i)]);
    found += difference > 0;
  }
  return static_cast<double>(found) / static_cast<double>(samples.dims.n);
}

}  // namespace

BOOST_AUTO_TEST_CASE(samples_are_of_the_asked_class) {
  backend b(1);
  const host_images pictures = make_pictures();
  cz::dataset<backend, cz::centred, float> data(b, pictures.dims, pictures.pixels.data());
  std::vector<std::int32_t> labels;
  for (index_t n = 0; n < count; ++n) labels.push_back(static_cast<std::int32_t>(n % 2));
  data.set_labels(b, labels);
  cz::trainer t(b, method, make_network(), image,
                cz::trainer_options{.batch_size = 64, .label_dropout = 0.2, .average_decays = {0.99}});
  double loss = 0;
  for (index_t epoch = 1; epoch <= 25; ++epoch) loss = t.train_epoch(data, epoch, cz::constant_rate{5e-3});
  BOOST_TEST_MESSAGE("loss " << loss);

  constexpr index_t n = 500;
  cz::model model(b, method.predict, t.network(), image, cz::to_host(b, t.best()), method.input);
  cz::guided guide(b, model, 1.5f, none);
  host_images z(image.with_n(n));
  const auto sample = [&](auto& network, std::int32_t asked) {
    const std::vector<std::int32_t> all(n, asked);
    model.set_labels({all.data(), n});
    cz::gaussian_state<cz::centred>{}.draw(b, {7, cz::stream::initial_state, 0}, z.view());
    cz::dpm_solver_sampler{}(b, network, method.degradation, method.schedule, 8, {}, z.view());
    return share_of_left(z);
  };
  const double as_left = sample(guide, left), as_right = sample(guide, right), free = sample(model, none);
  BOOST_TEST_MESSAGE("bright on the left: " << as_left << " asked for left, " << as_right << " for right, "
                                            << free << " for nothing");
  BOOST_TEST(as_left >= 0.99);
  BOOST_TEST(as_right <= 0.01);
  // Whoever is not asked draws both classes: labels were left out in training.
  BOOST_TEST((free > 0.1 && free < 0.9));

  // Guidance is the sum that it is documented to be; scale 1 is the model itself.
  const auto answer = [&](auto& network, std::int32_t asked) {
    const std::vector<std::int32_t> all(n, asked);
    model.set_labels({all.data(), n});
    host_images y(z.dims);
    network(cz::tensor_view<const float>(z.pixels.data(), z.dims), cz::sampling_step{10, 0.5f, 0.5f, {}},
            y.view());
    return y;
  };
  const host_images with = answer(model, right), without = answer(model, none), found = answer(guide, right);
  for (std::size_t i = 0; i < with.pixels.size(); ++i) {
    const double y = static_cast<double>(with.pixels[i]), y0 = static_cast<double>(without.pixels[i]);
    const double allowed = 4 * 0x1p-24 * (std::abs(y) + std::abs(y0));
    BOOST_TEST(std::abs(static_cast<double>(found.pixels[i]) - (y0 + 1.5 * (y - y0))) <= allowed);
  }
  cz::guided unguided(b, model, 0.0f, none);
  BOOST_TEST((answer(unguided, right) == without));

  model.set_labels({});
  BOOST_TEST(message_of([&] { guide(z.view(), {}, z.view()); }) ==
             "guided: the model has no labels; call its set_labels first");

  // Behind an any_model the bits are the same, labels and guidance included.
  const std::vector<std::int32_t> asked(n, left);
  const auto draw = [&](auto& network) {
    network.set_labels({asked.data(), n});
    host_images y(z.dims);
    network(z.view(), cz::sampling_step{10, 0.5f, 0.5f, {}}, y.view());
    return y;
  };
  const host_images direct = draw(model);
  cz::any_model<backend, cz::predict_flow> any(std::move(model));
  BOOST_TEST((draw(any) == direct));
  const auto unlabelled =
      cz::predicting<cz::predict_flow>([](auto x, const auto&, auto y) { y.data[0] = x.data[0]; });
  cz::any_model<backend, cz::predict_flow> reads_none(unlabelled);
  BOOST_TEST(message_of([&] {
               reads_none.set_labels({asked.data(), n});
             }) == "any_model: this model reads no labels");
}
