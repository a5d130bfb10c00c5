#define BOOST_TEST_MODULE methods
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/core/random.hpp>

#include "common/host_backend.hpp"
#include "common/image_stream.hpp"
#include "common/method.hpp"
#include "common/network.hpp"
#include "common/sampling.hpp"

namespace cz = coldzoom;
using cz::index_t;
using programs::host_images;

namespace {

cz::labelled_images pictures(cz::shape dims, std::uint64_t seed) {
  cz::labelled_images images{dims, {}, {}};
  for (index_t i = 0; i < dims.size(); ++i)
    images.pixels.push_back(
        static_cast<std::uint8_t>(cz::random_below({seed}, static_cast<std::uint64_t>(i), 256)));
  images.labels.assign(static_cast<std::size_t>(dims.n), 0);
  return images;
}

}  // namespace

// Every entry of the table trains, and restores what it degrades, in grey or in colour.
BOOST_AUTO_TEST_CASE(all_methods_train_and_restore) {
  programs::host_backend b(2);
  programs::machine m(b, b);
  for (const programs::method_entry* entry : programs::methods()) {
    BOOST_TEST_CONTEXT(entry->name()) {
      const index_t channels = entry->takes_channels(1) ? 1 : 3;
      const cz::shape image{1, channels, 12, 12};
      programs::model_method method{{entry->info().steps, 0, entry->info().default_numbers()}, entry};
      method.steps = std::min({method.steps, entry->most_steps(image), 20});
      method.last_step = method.steps;
      const programs::model_network network =
          programs::find_network("", "reconstructor")
              .make({image, entry->input_channels(image), {{"widths", {4, 4}}}});
      programs::data_sets data;
      data.train = pictures(image.with_n(8), 1), data.test = pictures(image.with_n(4), 2);
      const auto work = method.on(m);
      programs::run_options training;
      training.batch_size = 4;
      const auto run = work->train(network, data, training);
      const double loss = run->train_epoch(
          1, [](index_t) { return 1e-3; }, [](const cz::batch_progress&) {});
      BOOST_TEST(std::isfinite(loss));
      BOOST_TEST(std::isfinite(run->test_loss()));

      const auto model = work->run(network, run->best());
      std::vector<float> clean, z(static_cast<std::size_t>(data.test.dims.size()));
      for (const std::uint8_t byte : data.test.pixels)
        clean.push_back(cz::from_byte<programs::value_range>(byte));
      const host_images state(cz::tensor_view<float>(z.data(), data.test.dims));
      const cz::key_sequence keys{3, cz::stream::sampling, 0};
      work->degrade(cz::tensor_view<const float>(clean.data(), data.test.dims), method.steps, keys, state);
      BOOST_TEST((z != clean));
      for (const programs::sampler_info& sampler : entry->samplers()) {
        std::vector<float> walked = z;
        programs::sampling_options options;
        options.sampler = sampler.name;
        options.calls = std::min(3, method.steps);
        model->walk_back(host_images(cz::tensor_view<float>(walked.data(), data.test.dims)), method.steps,
                         keys, programs::resolved(method, options), {});
        BOOST_TEST((walked != z), sampler.name);
        BOOST_TEST(std::all_of(walked.begin(), walked.end(), [](float v) { return std::isfinite(v); }),
                   sampler.name);
      }
    }
  }
}
