// What the programs ask of a machine gives the same on one whose memory is not the host's.
#define BOOST_TEST_MODULE machine
#include <boost/test/unit_test.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/interpolation/bilinear.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/testing/transfer.hpp>

#include "common/classifier_on.hpp"
#include "common/errors.hpp"
#include "common/method_on.hpp"
#include "common/options.hpp"
#include "common/restoration.hpp"
#include "common/worse.hpp"

namespace cz = coldzoom;
using cz::index_t;
using programs::host_backend, programs::host_images;

namespace {

/// Stands for a device: views of its memory are of another type, so that what takes one for the other does
/// not compile, and everything goes through upload and download.
struct far_space {};
struct far_backend : cz::reference_backend<float> {
  using space = far_space;
};
static_assert(cz::Backend<far_backend> && !cz::HostBackend<far_backend>);
using both = programs::backend_list<host_backend, far_backend>;

constexpr cz::shape image{1, 1, 8, 8};
constexpr index_t images_of_one = 300;  // more than one batch of features or samples
// The fast operations of the CPU round otherwise than the generic ones: some 1e-6 after a few layers.
constexpr float tolerance = 1e-4f;

/// A degradation of another range than the programs', and random.
struct grey_dots {
  using range = cz::unit;
  COLDZOOM_HD float operator()(cz::image_view<const float> x0, index_t c, index_t y, index_t x, float level,
                               cz::sample_key key) const {
    const auto at = static_cast<std::uint64_t>((c * x0.h + y) * x0.w + x);
    return cz::random_uniform(key, at) < 0.5f * level ? 0.5f : x0(c, y, x);
  }
};

using entry = std::unique_ptr<programs::method_entry>;
/// One of each kind, for both backends.
std::vector<entry> entries() {
  std::vector<entry> all;
  all.push_back(programs::make_entry<both>(
      {.name = "zoom", .help = "", .steps = 6},
      [](const programs::method_settings& s) {
        return cz::make_method(cz::centred{}, cz::zoom<cz::bilinear>{.last_step = s.steps},
                               cz::linear_schedule(s.steps));
      },
      programs::patch_latents{}, programs::histogram_latents{}, cz::naive_sampler{}, cz::tacos_sampler{}));
  all.push_back(programs::make_entry<both>(
      {.name = "noise",
       .help = "",
       .steps = 6,
       .numbers = {{.name = "beta_max", .help = "", .otherwise = 0.2}}},
      [](const programs::method_settings& s) {
        return cz::make_method(cz::centred{}, cz::gaussian_noise{},
                               cz::ddpm_schedule::linear(s.steps, 1e-4, s.number("beta_max")),
                               cz::predict_velocity{});
      },
      programs::gaussian_latents{}, cz::ddim_sampler{}));
  all.push_back(programs::make_entry<both>(
      {.name = "dots", .help = "", .steps = 6},
      [](const programs::method_settings& s) {
        return cz::make_method(cz::unit{}, grey_dots{}, cz::linear_schedule(s.steps));
      },
      cz::naive_sampler{}));
  return all;
}

const auto make_network = programs::network_maker<both>([](const programs::network_settings& s) {
  return cz::reconstructor(s.image, {4, 4}, 3);
});

cz::labelled_images random_bytes(cz::shape dims, std::uint64_t seed) {
  cz::labelled_images images{dims, {}, {}};
  for (index_t i = 0; i < dims.size(); ++i)
    images.pixels.push_back(
        static_cast<std::uint8_t>(cz::random_below({seed}, static_cast<std::uint64_t>(i), 256)));
  return images;
}

struct fixture {
  host_backend host{1};
  far_backend far;
  programs::machine near_one{host, host}, far_one{far, host};
  programs::network_entry networks{{.name = "small", .help = "", .options = {}}, make_network};
  programs::model_network network = networks.make({image, 1, {}});
  std::vector<float> parameters = cz::initial_parameters(network, 2);
  cz::labelled_images digits = random_bytes(image.with_n(images_of_one), 1);
};

void check_near(const std::vector<float>& found, const std::vector<float>& wanted) {
  BOOST_REQUIRE(found.size() == wanted.size());
  BOOST_REQUIRE(!wanted.empty());
  float worst = 0, spread = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    worst = worse(worst, std::abs(found[i] - wanted[i]));
    spread = std::max(spread, std::abs(wanted[i] - wanted[0]));
  }
  BOOST_TEST(worst <= tolerance);
  BOOST_TEST(spread > 100 * tolerance);  // there was something to compare
}

void append(std::vector<float>& all, host_images part) {
  all.insert(all.end(), part.data, part.data + part.dims.size());
}

/// What the network makes of images that are larger than its own, by tiles: in one call, by the sampler, and by the sampler
/// that keeps a third of the pixels.
std::vector<std::vector<float>> restored_by_tiles(programs::method_at_work& work,
                                                  programs::model_at_work& model) {
  const cz::labelled_images images = random_bytes({images_of_one, 1, 12, 9}, 3);
  const cz::key_sequence keys{5, cz::stream::sampling, 7};
  std::vector<float> clean, mask;
  for (const std::uint8_t pixel : images.pixels) {
    clean.push_back(cz::from_byte<cz::centred>(pixel));
    mask.push_back(mask.size() % 3 == 0);
  }
  const auto view = [&](std::vector<float>& pixels) {
    return host_images(cz::tensor_view<float>(pixels.data(), images.dims));
  };
  std::vector<float> z = programs::degraded(work, images, 4, keys), direct(z.size()), walked = z, kept = z;
  model.restore(view(z), 4, view(direct));
  programs::sampling_options options;
  options.calls = 3;
  model.walk_back(view(walked), 4, keys, options, {});
  model.walk_back(view(kept), 4, keys, options, {view(clean), view(mask)});
  return {z, direct, walked, kept};
}

/// All that a machine makes of a model of one method, one after the other.
std::vector<std::vector<float>> work_on(programs::machine& m, const programs::method_entry& method,
                                        const fixture& f) {
  const programs::method_settings settings{6, 6, method.info().default_numbers()};
  const auto work = method.on(m, settings);
  std::vector<float> degraded, drawn, states;
  work->for_each_degraded(f.digits, 4, {5, cz::stream::user, 0},
                          [&](index_t, host_images, host_images z) { append(degraded, z); });
  const programs::latent_source latents =
      programs::make_latents(m, {settings, &method}, method.latents().front(), "digits", f.digits);
  work->for_each_latent(latents, 1500, 7, [&](index_t first, host_images z) {
    BOOST_TEST(first == static_cast<index_t>(drawn.size()) / 64);
    append(drawn, z);
  });
  const auto model = work->run(f.network, f.parameters);
  std::vector<float> restored(degraded.size());
  const cz::shape dims = f.digits.dims;
  model->restore(host_images(cz::tensor_view<float>(degraded.data(), dims)), 4,
                 host_images(cz::tensor_view<float>(restored.data(), dims)));
  programs::sampling_options options;
  options.seed = 3;
  options.count = images_of_one;
  std::vector<float> samples =
      model->draw(latents, options, [&](index_t, int, host_images state, host_images x0_hat) {
        append(states, state);
        append(states, x0_hat);
      });
  programs::run_options options_of_64;
  options_of_64.batch_size = 64;
  options_of_64.optimizer = "sgd";  // Adam makes much of gradients that are next to nothing
  const auto run = work->train(f.network, {{f.digits, f.digits, ""}, nullptr}, options_of_64);
  run->train_epoch(
      1, [](index_t) { return 1e-2; }, [](cz::batch_progress) {});
  std::vector<std::vector<float>> all{
      degraded,
      drawn,
      restored,
      samples,
      states,
      run->best(),
      {static_cast<float>(run->test_loss()),
       static_cast<float>(work->test_loss(f.network, f.parameters, f.digits, 2)), 0}};
  for (std::vector<float>& one : restored_by_tiles(*work, *model)) all.push_back(std::move(one));
  return all;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(models_of_every_kind, fixture) {
  for (const entry& method : entries()) {
    BOOST_TEST_CONTEXT(method->name()) {
      const auto wanted = work_on(near_one, *method, *this), found = work_on(far_one, *method, *this);
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        BOOST_TEST_CONTEXT("result " << i) { check_near(found[i], wanted[i]); }
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(degraded_latents_are_images_of_the_data_under_the_keys_of_the_sampler, fixture) {
  // A network that predicts nothing new leaves the latents as the first state; each is D(x, T) of one image.
  const entry method = std::move(entries().back());
  const auto work = method->on(near_one, {6, 6, {}});
  const programs::latent_source latents =
      programs::make_latents(near_one, {{3, 3, {}}, method.get()}, "degraded", "digits", digits);
  std::vector<float> drawn;
  work->for_each_latent(latents, 40, 7, [&](index_t, host_images z) { append(drawn, z); });
  for (index_t n = 0; n < 40; ++n) {
    const cz::sample_key key = cz::key_sequence{7, cz::stream::sampling, 0}[n];
    const index_t from =
        cz::random_below(cz::key_sequence{7, cz::stream::initial_state, 0}[n], 0, images_of_one);
    index_t differing = 0, dots = 0;
    for (index_t i = 0; i < 64; ++i) {
      const bool dot = cz::random_uniform(key, static_cast<std::uint64_t>(i)) < 0.25f;
      const float clean = cz::from_byte<cz::centred>(digits.pixels[static_cast<std::size_t>(from * 64 + i)]);
      const float found = drawn[static_cast<std::size_t>(n * 64 + i)];
      differing += std::abs(found - (dot ? 0.0f : clean)) > 1e-6f;
      dots += dot;
    }
    BOOST_TEST(differing == 0);
    BOOST_TEST((dots > 0 && dots < 64));
  }
}

BOOST_FIXTURE_TEST_CASE(what_an_entry_says_of_itself, fixture) {
  const std::vector<entry> all = entries();
  BOOST_TEST(all[0]->target() == "x0");
  BOOST_TEST(all[1]->target() == "velocity");
  BOOST_TEST(all[0]->most_steps(image) == 7);
  BOOST_TEST(all[2]->most_steps(image) == programs::largest_steps);
  BOOST_TEST((all[2]->latents() == std::vector<std::string>{"degraded"}));
  BOOST_TEST(!all[2]->adds_noise());
  BOOST_TEST(all[1]->adds_noise());
  BOOST_TEST(all[1]->samplers().front().has_eta);
  BOOST_TEST(all[0]->info().title == "zoom");
  BOOST_TEST(
      message_of([&] { programs::check_latent(*all[1], "patches"); }) ==
      "--latent: found patches, wanted gaussian for noise, or degraded or fitted, which fit every kind");
  BOOST_TEST(message_of([&] { programs::check_latent(*all[1], "degraded"); }) == "no error");
  // The table of the programs has neither these nor this machine.
  BOOST_TEST(message_of([&] {
               programs::find_method("file", "dots");
             }).starts_with("file: found kind 'dots', wanted one of zoom_nearest, zoom_bilinear, "));
  BOOST_TEST(message_of([&] {
               programs::find_method("file", "zoom_nearest").on(far_one, {24, 24, {}});
             }) == "on_backend: these programs are not compiled for host memory");
}

BOOST_FIXTURE_TEST_CASE(networks_are_made_of_their_options, fixture) {
  programs::network_choice choice{"reconstructor", {{"widths", {5, 3}}}};
  const programs::model_network made = programs::make_network(choice, image, 1);
  BOOST_TEST(made.options_text() == "widths 5,3, kernel 7");
  BOOST_TEST(cz::parameter_count(made) == cz::parameter_count(cz::reconstructor(image, {5, 3})));
  BOOST_TEST(message_of([&] {
               programs::make_network({"reconstructor", {{"kernel", {0}}}}, image, 1);
             }) == "--kernel: found 0, wanted at least 1");
  BOOST_TEST(message_of([&] {
               programs::make_network({"transformer", {}}, image, 1);
             }) ==
             "--network: found network 'transformer', wanted one of reconstructor, unet, attention_unet");
}

BOOST_AUTO_TEST_CASE(an_option_has_one_meaning) {
  const auto declare = [](programs::options& o) {
    static int threads = 1, hidden = 2;
    o.add("--threads", threads, "");
    o.add("--hidden", hidden, "");
    o.add("--threads", hidden, "");
  };
  BOOST_TEST(message_of([&] { programs::parse_options(0, nullptr, "train", "", declare); }) ==
             "--threads: this program has an option of that name already; give the method's number or the "
             "network's option another name");
}

BOOST_FIXTURE_TEST_CASE(the_classifier, fixture) {
  const programs::digit_classifier classifier(image);
  const programs::classifier_model model{classifier, cz::initial_parameters(classifier, 1), "digits", 1, 0};
  const std::vector<float> pixels = cz::testing::random_values(images_of_one * 64, 3, 0, 1);
  const cz::image_batch<cz::unit, const float> images(
      cz::tensor_view<const float>(pixels.data(), image.with_n(images_of_one)));
  programs::classifier_on<host_backend> here(host, model);
  programs::classifier_on<far_backend> there(far, model);
  const cz::feature_set wanted = cz::extract_features(host, here, images),
                        found = cz::extract_features(host, there, images);
  check_near(found.values, wanted.values);
  check_near(there.logits(wanted.values.data(), wanted.n), here.logits(wanted.values.data(), wanted.n));
}

BOOST_FIXTURE_TEST_CASE(images_with_gaps_are_refused, fixture) {
  const auto model = entries().front()->on(far_one, {6, 6, {}})->run(network, parameters);
  std::vector<float> pixels(256);
  cz::tensor_view<float> gaps(pixels.data(), image.with_n(2));
  gaps.stride_n *= 2;
  BOOST_TEST(message_of([&] { model->restore(host_images(gaps), 3, host_images(gaps)); }) ==
             "on_host_images: found images with gaps between them, wanted dense ones");
}
