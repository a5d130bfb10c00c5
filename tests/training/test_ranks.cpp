#define BOOST_TEST_MODULE ranks
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/data/augmented.hpp>
#include <coldzoom/data/random_flip.hpp>
#include <coldzoom/data/streamed_images.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/nn/attention_unet.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/optim/adamw.hpp>
#include <coldzoom/prediction/prediction.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/checkpoint.hpp>
#include <coldzoom/training/trainer.hpp>
#include <mutex>
#include <vector>

#include "common/engine.hpp"
#include "common/errors.hpp"
#include "common/temporary_folder.hpp"
#include "common/thread_ranks.hpp"
#include "common/trainer_state.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

using backend = cz::cpu_backend<float>;

constexpr cz::shape image{1, 1, 16, 16};
constexpr index_t count = 300;  // two batches of 128, and some that are dropped

std::vector<std::uint8_t> pixels() {
  std::vector<std::uint8_t> all;
  for (std::uint64_t i = 0; i < count * 256; ++i)
    all.push_back(static_cast<std::uint8_t>(cz::random_below({1}, i, 256)));
  return all;
}
/// 300 random images in segments of 32.
struct source {
  std::vector<std::uint8_t> all = pixels();
  cz::shape dims() const { return image.with_n(count); }
  index_t classes() const { return 0; }
  index_t segments() const { return (count + 31) / 32; }
  cz::image_segment read(index_t k) const {
    return {{all.begin() + k * 32 * 256, all.begin() + std::min(count, (k + 1) * 32) * 256}, {}, {}};
  }
};

/// What a run came to on each of its ranks.
struct outcome {
  trainer_state state;
  double train_loss = 0, test_loss = 0;
  friend bool operator==(const outcome&, const outcome&) = default;
};

/// Two epochs with augmentation; make(b, options, communicator) is the trainer.
template <class Make>
outcome train(int ranks, cz::trainer_options options, const Make& make, bool streamed = false) {
  std::vector<outcome> all(static_cast<std::size_t>(ranks));
  thread_ranks::run(ranks, [&](const thread_ranks& communicator) {
    backend b(1);
    auto t = make(b, options, communicator);
    const source images;
    cz::dataset<backend, cz::centred> memory(b, images.dims(), images.all.data());
    std::vector<std::uint8_t> labels;
    for (index_t i = 0; i < count; ++i) labels.push_back(static_cast<std::uint8_t>(i % 3));
    memory.set_labels(b, labels, 3);
    outcome& mine = all[static_cast<std::size_t>(communicator.rank())];
    for (index_t epoch = 1; epoch <= 2; ++epoch) {
      const auto pass = [&](const auto& set) {
        mine.train_loss =
            t.train_epoch(cz::augment(b, set, cz::random_flip{}), epoch, cz::constant_rate{1e-3});
        mine.test_loss = t.test_loss(set, 2);
      };
      if (streamed) {
        pass(cz::streamed_images<backend, cz::centred, source>(images, {100, 1}));
      } else {
        pass(memory);
      }
    }
    mine.state = state_of(t);
  });
  for (const outcome& other : all) BOOST_TEST((other == all.front()));
  return all.front();
}

const auto zoom = [](backend& b, const cz::trainer_options& options, const auto& communicator) {
  return cz::trainer(b, cz::make_method(cz::centred{}, cz::zoom<cz::nearest>{}, cz::linear_schedule(12)),
                     cz::reconstructor(image, {4, 4}, 3), image, options, cz::adam{}, communicator);
};
const auto ddpm = [](backend& b, const cz::trainer_options& options, const auto& communicator) {
  return cz::trainer(b,
                     cz::make_method(cz::centred{}, cz::gaussian_noise{}, cz::ddpm_schedule::linear(100),
                                     cz::predict_noise{}),
                     cz::reconstructor(image, {4, 4}, 3), image, options, cz::adamw{}, communicator);
};
const auto labelled_unet = [](backend& b, cz::trainer_options options, const auto& communicator) {
  options.label_dropout = 0.2;
  return cz::trainer(
      b,
      cz::make_method(cz::centred{}, cz::gaussian_noise{}, cz::ddpm_schedule::linear(100),
                      cz::predict_noise{}),
      cz::attention_unet(1, 1, {.widths = {8, 8}, .blocks = 1, .attention = {1}, .groups = 4, .classes = 3}),
      image, options, cz::adam{}, communicator);
};

/// 128 images are four micro-batches.
cz::trainer_options four_shares() {
  return {.batch_size = 128, .shares = 4, .seed = 5, .clip_norm = 1, .average_decays = {0.9}};
}

}  // namespace

BOOST_AUTO_TEST_CASE(bits_do_not_depend_on_the_number_of_ranks) {
  const auto check = [](const auto& make) {
    const outcome one = train(1, four_shares(), make);
    BOOST_TEST((train(2, four_shares(), make) == one));
    BOOST_TEST((train(4, four_shares(), make) == one));
    // Half as many images at a time.
    cz::trainer_options parts = four_shares();
    parts.batch_size = 64;
    parts.accumulate = 2;
    const outcome halves = train(2, parts, make);
    BOOST_TEST((halves.state == one.state));
    BOOST_TEST(halves.train_loss == one.train_loss);
    // And they are not those of one sum.
    cz::trainer_options whole = four_shares();
    whole.shares = 1;
    BOOST_TEST((train(1, whole, make).state != one.state));
  };
  BOOST_TEST_CONTEXT("zoom") { check(zoom); }
  BOOST_TEST_CONTEXT("DDPM") { check(ddpm); }
  BOOST_TEST_CONTEXT("U-Net with labels") { check(labelled_unet); }
}

BOOST_AUTO_TEST_CASE(one_rank_of_one_share_is_a_run_without_ranks) {
  cz::trainer_options options = four_shares();
  options.shares = 0;
  const outcome ranks = train(1, options, zoom);
  const auto without = [&](backend& b, const cz::trainer_options& o, const auto&) {
    return zoom(b, o, cz::single_rank{});
  };
  BOOST_TEST((train(1, options, without) == ranks));
}

BOOST_AUTO_TEST_CASE(three_ranks_have_bits_of_their_own) {
  cz::trainer_options options = four_shares();
  options.batch_size = 96;
  options.shares = 0;
  const outcome three = train(3, options, zoom);
  options.shares = 6;  // two each
  const outcome six = train(3, options, zoom);
  BOOST_TEST((train(1, options, zoom) == six));
  BOOST_TEST((train(6, options, zoom) == six));
  BOOST_TEST((six.state != three.state));
}

BOOST_AUTO_TEST_CASE(a_stream_is_shared_by_ranks) {
  const outcome one = train(1, four_shares(), zoom, true);
  BOOST_TEST((train(2, four_shares(), zoom, true) == one));
  BOOST_TEST((train(1, four_shares(), zoom).state != one.state));  // a stream has another order
}

BOOST_AUTO_TEST_CASE(a_checkpoint_goes_on_with_other_ranks_and_not_with_other_shares) {
  const temporary_folder folder;
  const std::string path = folder / "ranks.safetensors";
  const source images;
  const auto epoch_of = [&](int ranks, index_t shares, index_t epoch) {
    cz::trainer_options options = four_shares();
    options.shares = shares;
    std::vector<trainer_state> all(static_cast<std::size_t>(ranks));
    std::mutex one_at_a_time;
    thread_ranks::run(ranks, [&](const thread_ranks& communicator) {
      backend b(1);
      auto t = zoom(b, options, communicator);
      if (epoch > 1) {
        const std::lock_guard lock(one_at_a_time);
        cz::load_checkpoint(path, t);
      }
      const cz::dataset<backend, cz::centred> memory(b, images.dims(), images.all.data());
      t.train_epoch(memory, epoch, cz::constant_rate{1e-3});
      if (epoch == 1 && communicator.rank() == 0) cz::save_checkpoint(path, t, epoch);
      all[static_cast<std::size_t>(communicator.rank())] = state_of(t);
    });
    return all.front();
  };
  epoch_of(4, 4, 1);
  const trainer_state one = epoch_of(1, 4, 2);
  BOOST_TEST((epoch_of(2, 4, 2) == one));
  BOOST_TEST((epoch_of(4, 4, 2) == one));
  backend b(1);
  cz::trainer_options other = four_shares();
  other.shares = 2;
  auto refusing = zoom(b, other, cz::single_rank{});
  BOOST_CHECK_EXCEPTION(cz::load_checkpoint(path, refusing), cz::error,
                        says("the checkpoint was made with part = whole micro-batches, 4 shares, this run "
                             "has whole micro-batches, 2 shares"));
}

BOOST_AUTO_TEST_CASE(shares_that_do_not_fit_are_named) {
  backend b(1);
  const auto refused = [&](index_t batch, index_t shares, int ranks, const char* message) {
    thread_ranks::run(ranks, [&](const thread_ranks& communicator) {
      if (communicator.rank() > 0) return;
      BOOST_CHECK_EXCEPTION(zoom(b, {.batch_size = batch, .shares = shares}, communicator), cz::error,
                            says(message));
    });
  };
  refused(128, 2, 4,
          "trainer: a batch of 128 images is 2 shares for 4 ranks; the ranks must divide the shares, and the "
          "shares the batch");
  refused(128, 3, 1,
          "trainer: a batch of 128 images is 3 shares for 1 ranks; the ranks must divide the shares, and the "
          "shares the batch");
  refused(128, -1, 1,
          "trainer: a batch of 128 images is -1 shares for 1 ranks; the ranks must divide the shares, and "
          "the shares the batch");
  refused(96, 6, 2, "trainer: 2 ranks get 3 shares of a batch each; it must be a power of 2");
}
