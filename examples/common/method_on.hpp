/// A library method at work on backend B: what stands behind each entry of the table of methods.
#pragma once

#include <algorithm>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/data/augmented.hpp>
#include <coldzoom/data/dataset.hpp>
#include <coldzoom/data/random_crop.hpp>
#include <coldzoom/data/random_flip.hpp>
#include <coldzoom/data/random_shift.hpp>
#include <coldzoom/degradation/in_range.hpp>
#include <coldzoom/initial_state/gaussian_mixture.hpp>
#include <coldzoom/initial_state/gaussian_state.hpp>
#include <coldzoom/initial_state/patch_bank.hpp>
#include <coldzoom/initial_state/pixel_histogram.hpp>
#include <coldzoom/nn/any_model.hpp>
#include <coldzoom/sampling/known_pixels.hpp>
#include <coldzoom/sampling/tiles.hpp>
#include <coldzoom/schedule/first_steps.hpp>
#include <coldzoom/training/checkpoint.hpp>
#include <coldzoom/training/method.hpp>
#include <coldzoom/training/trainer.hpp>
#include <optional>
#include <tuple>

#include "coldzoom_programs/network.hpp"
#include "common/cold_method.hpp"
#include "common/latent_policies.hpp"
#include "common/latents.hpp"
#include "common/progress.hpp"
#include "common/ranks.hpp"
#include "common/safetensors.hpp"
#include "common/sampling.hpp"
#include "common/training_images.hpp"
#include "common/training_policies.hpp"

namespace programs {

namespace detail {

/// The labels of samples: those that the user wants, in turn, or any.
struct wanted_labels {
  std::vector<coldzoom::index_t> in_turn;
  coldzoom::index_t classes = 0;  // 0 where the model reads no labels

  bool chosen() const { return !in_turn.empty(); }
  std::int32_t of(std::uint64_t sample) const {
    return static_cast<std::int32_t>(in_turn[static_cast<std::size_t>(sample % in_turn.size())]);
  }
};

/// Draws latents and returns their labels, none where the model reads none: the first keys choose them, the
/// second are those of the sampler, with which a random degradation has to be asked for its latent.
template <class B>
using latent_drawing = std::function<std::vector<std::int32_t>(
    coldzoom::key_sequence choice, coldzoom::key_sequence sampling, images_on<B> out)>;

/// Labels of latents that have none of their own.
inline std::vector<std::int32_t> draw_labels(const wanted_labels& wanted, coldzoom::key_sequence choice,
                                             coldzoom::index_t count) {
  constexpr std::uint64_t behind = std::uint64_t{1} << 33;  // the numbers that make the latent
  std::vector<std::int32_t> labels;
  for (coldzoom::index_t n = 0; n < count && wanted.classes > 0; ++n) {
    labels.push_back(wanted.chosen() ? wanted.of(choice.first + static_cast<std::uint64_t>(n))
                                     : static_cast<std::int32_t>(
                                           coldzoom::random_below(choice[n], behind, wanted.classes)));
  }
  return labels;
}

/// The images of a source by their labels.
inline std::vector<std::vector<std::int32_t>> images_by_label(const latent_source& source,
                                                              const wanted_labels& wanted) {
  std::vector<std::vector<std::int32_t>> places(static_cast<std::size_t>(wanted.classes));
  const std::string& name = source.data;
  coldzoom::require(!source.labels.empty(), name.c_str(),
                    "the images that sampling starts from have no labels, and the model reads labels");
  for (std::size_t i = 0; i < source.labels.size(); ++i) {
    coldzoom::require(source.labels[i] < wanted.classes, name.c_str(), [&] {
      return "found label " + std::to_string(source.labels[i]) + ", the model knows 0 to " +
             std::to_string(wanted.classes - 1);
    });
    places[source.labels[i]].push_back(static_cast<std::int32_t>(i));
  }
  for (const coldzoom::index_t label : wanted.in_turn) {
    coldzoom::require(!places[static_cast<std::size_t>(label)].empty(), "--class", [&] {
      return "found " + std::to_string(label) + ", and " + name + " has no such image";
    });
  }
  return places;
}

inline constexpr const char* no_noise_of_its_own =
    "the initial states of this method have no noise of their own";

template <class B, class M>
latent_drawing<B> degraded_latents(B& b, const M& method, const latent_source& source,
                                   const wanted_labels& wanted, double temperature) {
  using namespace coldzoom;
  auto degradation = method.degradation;
  constexpr bool scales = requires { degradation.scale; };
  require(scales || temperature == 1, "--temperature", no_noise_of_its_own);
  if constexpr (scales) degradation.scale *= static_cast<float>(temperature);
  std::vector<std::vector<std::int32_t>> places;
  if (wanted.classes > 0) places = images_by_label(source, wanted);
  const auto images =
      std::make_shared<const dataset<B, value_range>>(b, source.image_dims(), source.images.data());
  return [&b, images, places, wanted, labels_of = source.labels, degradation,
          level = method.schedule.level(source.step)](key_sequence choice, key_sequence sampling,
                                                      images_on<B> out) {
    std::vector<std::int32_t> order, labels;
    for (index_t n = 0; n < out.dims.n; ++n) {
      if (wanted.chosen()) {
        const std::int32_t label = wanted.of(choice.first + static_cast<std::uint64_t>(n));
        const std::vector<std::int32_t>& own = places[static_cast<std::size_t>(label)];
        order.push_back(
            own[static_cast<std::size_t>(random_below(choice[n], 0, static_cast<index_t>(own.size())))]);
      } else {
        order.push_back(static_cast<std::int32_t>(random_below(choice[n], 0, images->size())));
      }
      if (wanted.classes > 0) labels.push_back(labels_of[static_cast<std::size_t>(order.back())]);
    }
    const auto there = to_backend(b, order);
    auto memory = b.template allocate<float>(out.dims.size());
    const images_on<B> clean(tensor_view<float, typename B::space>(memory.data(), out.dims));
    images->gather(b, {there.data(), out.dims.n}, clean);
    const auto levels = to_backend(b, std::vector<float>(order.size(), level));
    degrade(b, degradation, image_batch<value_range, const float, typename B::space>(clean),
            {levels.data(), out.dims.n}, sampling, out);
    return labels;
  };
}

/// A degradation without randomness, or with noise that can be scaled to nothing.
template <class D>
concept KeepsSomething = !coldzoom::detail::keyed_pixel<D> || requires(D d) {
  d.scale;
};

/// Throws coldzoom::error where nothing of an image is left to fit a law to, or what is left depends on a draw.
template <class D> void require_kept(const D& degradation) {
  coldzoom::require(KeepsSomething<D>, "--latent",
                    "found fitted, but noise leaves nothing of an image that can be fitted");
  if constexpr (requires { degradation.takes_keys(); }) {
    coldzoom::require(
        !degradation.takes_keys(), "--latent",
        "found fitted, but what this method leaves of an image is random, and no law is fitted to that");
  }
}

/// From a fitted law of what the degradation keeps; noise is added as it does.
template <class B, class M>
latent_drawing<B> fitted_states(B& b, const M& method, const latent_source& source,
                                const wanted_labels& wanted, double temperature) {
  using namespace coldzoom;
  auto degradation = method.degradation;
  constexpr bool scales = requires { degradation.scale; };
  require_kept(degradation);
  require(scales || temperature == 1, "--temperature", no_noise_of_its_own);
  if constexpr (scales) degradation.scale *= static_cast<float>(temperature);
  const auto law = std::make_shared<const gaussian_mixture<value_range, B>>(b, source.image, source.mixture);
  require(wanted.classes == 0 || source.mixture.labels.back() < wanted.classes, source.data.c_str(), [&] {
    return "found label " + std::to_string(source.mixture.labels.back()) + ", the model knows 0 to " +
           std::to_string(wanted.classes - 1);
  });
  return [=, &b, level = method.schedule.level(source.step)](key_sequence choice, key_sequence sampling,
                                                             images_on<B> out) {
    std::vector<std::int32_t> asked, labels;
    for (index_t n = 0; n < out.dims.n; ++n) {
      asked.push_back(wanted.chosen() ? wanted.of(choice.first + static_cast<std::uint64_t>(n)) : -1);
      if (wanted.classes > 0) labels.push_back(law->label_of(law->component(choice[n], asked.back())));
    }
    if constexpr (!scales) {
      law->draw(b, choice, asked, out);
    } else {
      auto memory = b.template allocate<float>(out.dims.size());
      const images_on<B> kept(tensor_view<float, typename B::space>(memory.data(), out.dims));
      law->draw(b, choice, asked, kept);
      const auto levels = to_backend(b, std::vector<float>(asked.size(), level));
      degrade(b, degradation, image_batch<value_range, const float, typename B::space>(kept),
              {levels.data(), out.dims.n}, sampling, out);
    }
    return labels;
  };
}

template <class B, class M>
latent_drawing<B> drawing_of(B& b, const M& method, const latent_source& source, const wanted_labels& wanted,
                             double temperature) {
  using namespace coldzoom;
  if (source.policy == fitted_latents::name) return fitted_states(b, method, source, wanted, temperature);
  require(temperature == 1 || source.policy == programs::degraded_latents::name, "--temperature",
          "only degraded and fitted initial states have one");
  const auto labelled = [wanted](const auto& latent) -> latent_drawing<B> {
    return [wanted, latent](key_sequence choice, key_sequence, images_on<B> out) {
      latent(choice, out);
      return draw_labels(wanted, choice, out.dims.n);
    };
  };
  if (source.policy == gaussian_latents::name) {
    float deviation = 1;
    if constexpr (UniformlyAdditive<decltype(method.degradation)>) {
      if (!VariancePreserving<decltype(method.degradation)>) {
        const float level = method.schedule.level(method.schedule.steps());
        deviation = static_cast<float>(method.degradation.amplitudes(level).noise);
      }
    }
    return labelled([&b, deviation](key_sequence choice, images_on<B> out) {
      gaussian_state<value_range>{deviation}.draw(b, choice, out);
    });
  }
  if (source.policy == histogram_latents::name) {
    const image_window at = source.window();
    return labelled([&b, latent = pixel_histogram<value_range>(source.counts, at.h, at.w)](
                        key_sequence choice, images_on<B> out) { latent.draw(b, choice, out); });
  }
  if constexpr (Zooms<decltype(method.degradation)>) {
    if (source.policy == patch_latents::name) {
      std::vector<float> patches(source.patches.size());
      std::transform(source.patches.begin(), source.patches.end(), patches.begin(), from_byte<value_range>);
      const auto interpolation = method.degradation.interpolation;
      using bank = patch_bank<value_range, std::remove_const_t<decltype(interpolation)>, B>;
      const auto latent = std::make_shared<const bank>(b, source.patch_dims(), patches, interpolation);
      return labelled([&b, latent](key_sequence choice, images_on<B> out) { latent->draw(b, choice, out); });
    }
  }
  return degraded_latents(b, method, source, wanted, temperature);
}

template <class B, class M, class... Samplers> class model_on final : public model_at_work {
  using space = typename B::space;

 public:
  model_on(B& b, const M& method, const model_network& network, const std::vector<float>& parameters)
      : b_(&b),
        method_(method),
        image_(network.image()),
        classes_(network.classes()),
        model_(b, typename M::prediction{}, layer_on<B>(network), image_, parameters, method.input) {}

  void restore(host_images z, int t, host_images x0_hat) override {
    using P = typename M::prediction;
    const auto& schedule = method_.schedule;
    const coldzoom::sampling_step step{t, coldzoom::detail::time_of(schedule, t), schedule.level(t), {}};
    any_model model = without_labels(z.dims);
    on_host_images(*b_, z, x0_hat, [&](auto in, auto out) { model(in, step, out); });
    if constexpr (P::needs_amplitudes) {
      const coldzoom::shape image = z.dims.with_n(1);
      const auto amplitude = coldzoom::detail::amplitudes_at(method_.degradation, schedule, t, image);
      const coldzoom::detail::clean_estimate<P, std::remove_const_t<decltype(amplitude)>> estimate{
          amplitude, value_range::low, value_range::high};
      for (coldzoom::index_t i = 0; i < z.dims.size(); ++i) {
        x0_hat.data[i] = static_cast<float>(estimate(i % image.image(), z.data[i], x0_hat.data[i]));
      }
    }
  }

  std::vector<float> draw(const latent_source& latents, const sampling_options& options,
                          const sampling_observer& observe) override {
    using namespace coldzoom;
    require(classes_ > 0 || (options.classes.empty() && options.guidance == 1),
            options.classes.empty() ? "--guidance" : "--class", "this model reads no labels");
    for (const index_t label : options.classes) {
      require(label < classes_, "--class", [&] {
        return "found " + std::to_string(label) + ", wanted 0 to " + std::to_string(classes_ - 1);
      });
    }
    const latent_drawing<B> draw_latents =
        drawing_of(*b_, method_, latents, wanted_labels{options.classes, classes_}, options.temperature);
    const int calls = options.calls == 0 ? method_.schedule.steps() : options.calls;
    any_model model = options.guidance == 1
                          ? referring_to(model_)
                          : any_model(coldzoom::guided(*b_, model_, static_cast<float>(options.guidance),
                                                       static_cast<std::int32_t>(classes_)));
    std::vector<float> samples(static_cast<std::size_t>(options.count * image_.image())), state_copy, x0_copy;
    auto memory = b_->template allocate<float>(std::min(batch, options.count) * image_.image());
    progress_bar bar("sampling", static_cast<double>(options.count * calls), "images", 1.0 / calls);
    for (index_t first = 0; first < options.count; first += batch) {
      const index_t n = std::min(batch, options.count - first);
      const images_on<B> z(tensor_view<float, space>(memory.data(), image_.with_n(n)));
      const auto place = static_cast<std::uint64_t>(options.first + first);
      const key_sequence choice{options.seed, stream::initial_state, place},
          sampling{options.seed, stream::sampling, place};
      set_labels(draw_latents(choice, sampling, z));
      index_t done = 0;
      walk(options, model, method_.schedule.steps(), calls, sampling, z,
           [&](int t, images_on<B> state, images_on<B> x0_hat) {
             stop_if_requested();
             if (observe) {
               observe(first, t, seen_by_host(*b_, state, state_copy), seen_by_host(*b_, x0_hat, x0_copy));
             }
             bar.update(static_cast<double>(first * calls + ++done * n));
           });
      b_->download(z.data, samples.data() + first * image_.image(), z.dims.size());
    }
    return samples;
  }

  void walk_back(host_images z, int t, coldzoom::key_sequence keys, const sampling_options& options,
                 const known_part& known) override {
    using namespace coldzoom;
    const int calls = std::min(options.calls == 0 ? t : options.calls, t);
    // As many pixels at a time as sampling has.
    const index_t most = std::max<index_t>(1, batch * image_.image() / z.dims.image());
    progress_bar bar("restoring", static_cast<double>(z.dims.n * calls), "images", 1.0 / calls);
    for (index_t first = 0; first < z.dims.n; first += most) {
      const index_t n = std::min(most, z.dims.n - first);
      const host_images part(z.images(first, n));
      any_model model = without_labels(part.dims);
      auto memory = uploaded(part);
      const images_on<B> state(tensor_view<float, space>(memory.data(), part.dims));
      index_t done = 0;
      const auto walk_by = [&](any_model& asked) {
        walk(options, asked, t, calls, keys.from(first), state, [&](int, images_on<B>, images_on<B>) {
          stop_if_requested();
          bar.update(static_cast<double>(first * calls + ++done * n));
        });
      };
      if (known.mask.data == nullptr) {
        walk_by(model);
      } else {
        const auto pixels = uploaded(known.pixels.images(first, n)),
                   mask = uploaded(known.mask.images(first, n));
        using view = tensor_view<const float, space>;
        any_model keeping(known_pixels(*b_, model, method_.degradation, method_.schedule,
                                       view(pixels.data(), part.dims), view(mask.data(), part.dims)));
        walk_by(keeping);
      }
      b_->download(state.data, part.data, part.dims.size());
    }
  }

 private:
  // Without their types, so that samplers are compiled once.
  using any_model = coldzoom::any_model<B, typename M::prediction>;
  using watcher = std::function<void(int, images_on<B>, images_on<B>)>;
  static constexpr coldzoom::index_t batch = 256;

  /// Dense images in the memory of the backend.
  auto uploaded(coldzoom::tensor_view<const float> images) {
    auto memory = b_->template allocate<float>(images.dims.size());
    b_->upload(images.data, memory.data(), images.dims.size());
    return memory;
  }
  /// For images of that shape, without their labels: the model itself, or by tiles.
  any_model without_labels(coldzoom::shape images) {
    const bool fits = images.with_n(1) == image_;
    if (fits) {
      ask_without_labels(images.n);
      return referring_to(model_);
    }
    coldzoom::tiled_model tiled(*b_, model_, coldzoom::tiling(*b_, images, image_));
    ask_without_labels(tiled.layout().tiles());
    return any_model(std::move(tiled));
  }
  template <class Model> static any_model referring_to(Model& m) {
    return any_model(coldzoom::predicting<typename M::prediction>(
        [&m](auto x_t, const coldzoom::sampling_step& step, auto y) { m(x_t, step, y); }));
  }

  /// From z = D(x, last) to step 0.
  void walk(const sampling_options& options, any_model& model, int last, int calls,
            coldzoom::key_sequence keys, images_on<B> z, const watcher& watch) {
    const coldzoom::first_steps schedule(method_.schedule, last);
    const bool walked = (walk_by<Samplers>(options, model, schedule, calls, keys, z, watch) || ...);
    coldzoom::require(walked, "--sampler",
                      [&] { return "this method has no sampler '" + options.sampler + "'"; });
  }
  /// False where another sampler was asked for; without a name the first is meant.
  template <class Sampler, class S>
  bool walk_by(const sampling_options& options, any_model& model, const S& schedule, int calls,
               coldzoom::key_sequence keys, images_on<B> z, const watcher& watch) {
    if (!options.sampler.empty() && options.sampler != Sampler::name) return false;
    Sampler sampler;
    if constexpr (requires { sampler.clip; }) sampler.clip = options.clip;
    if constexpr (TakesEta<Sampler>) sampler.eta = options.eta;
    if constexpr (TakesChurn<Sampler>) sampler.churn = options.churn;
    if constexpr (TakesSpacing<Sampler>) sampler.spacing = options.spacing > 0 ? options.spacing : 1;
    if constexpr (TakesNoise<Sampler>) sampler.noise = static_cast<float>(options.noise);
    sampler(*b_, model, method_.degradation, schedule, calls, keys, z, watch);
    return true;
  }
  void ask_without_labels(coldzoom::index_t images) {
    set_labels(
        std::vector<std::int32_t>(static_cast<std::size_t>(classes_ > 0 ? images : 0),
                                  static_cast<std::int32_t>(classes_)));  // the one behind the last: none
  }
  void set_labels(const std::vector<std::int32_t>& labels) {
    labels_ = coldzoom::to_backend(*b_, labels);
    model_.set_labels(
        {labels.empty() ? nullptr : labels_.data(), static_cast<coldzoom::index_t>(labels.size())});
  }

  B* b_;
  M method_;
  coldzoom::shape image_;
  coldzoom::index_t classes_;
  typename B::template buffer<std::int32_t> labels_;
  coldzoom::model<B, typename M::prediction, coldzoom::any_layer<B>, typename M::input_type> model_;
};

/// The options of a trainer that `o` stands for.
inline coldzoom::trainer_options trainer_options_of(const run_options& o, int last_step,
                                                    const model_network& network) {
  coldzoom::trainer_options options;
  options.batch_size = o.batch_size;
  options.accumulate = o.accumulate;
  options.shares = o.shares;
  options.seed = o.seed;
  options.last_step = last_step;
  options.clip_norm = o.clip_norm;
  if (network.classes() > 0) options.label_dropout = o.label_dropout < 0 ? 0.15 : o.label_dropout;
  if (o.average_decay > 0) options.average_decays = {o.average_decay};
  return options;
}

/// The labels, where the network reads them.
template <class B>
void set_labels_of(B& b, coldzoom::dataset<B, value_range>& set, const coldzoom::labelled_images& images,
                   const model_network& network) {
  if (network.classes() > 0) set.set_labels(b, images.labels, network.classes());
}

template <class B, class M> class training_on final : public training_run {
  using augmented_images = coldzoom::augmented<B, training_images<B>, coldzoom::random_flip,
                                               coldzoom::random_shift, coldzoom::random_crop>;

 public:
  training_on(B& b, const M& method, const model_network& network, const data_sets& data,
              const run_options& run, const coldzoom::trainer_options& options,
              const chosen_optimizer& optimizer)
      : b_(&b),
        train_(b, data, network.classes()),
        augmented_(train_, {run.flip}, {run.shift}, {run.crop}),
        test_(b, data.test.dims, data.test.pixels.data()),
        trainer_(b, method, layer_on<B>(network), network.image(), options, optimizer, run_ranks()) {
    set_labels_of(b, test_, data.test, network);
  }

  coldzoom::index_t batches() const override { return trainer_.batches(train_); }
  double train_epoch(int epoch, const std::function<double(coldzoom::index_t)>& rate,
                     const std::function<void(coldzoom::batch_progress)>& progress) override {
    const double loss = trainer_.train_epoch(augmented_, epoch, rate, progress);
    if (std::exchange(told_, true)) return loss;
    for (const std::string& fault : train_.faults())
      std::fprintf(stderr, "another picture stands in for: %s\n", fault.c_str());
    return loss;
  }
  double test_loss() override { return trainer_.test_loss(test_); }
  std::vector<float> best() override { return coldzoom::to_host(*b_, trainer_.best()); }
  void save(const std::string& path, int epoch, const std::map<std::string, std::string>& settings) override {
    coldzoom::save_checkpoint(path, trainer_, epoch, settings);
  }
  void load(const std::string& path, const std::map<std::string, std::string>& settings) override {
    coldzoom::load_checkpoint(path, trainer_, settings);
  }

 private:
  B* b_;
  training_images<B> train_;
  augmented_images augmented_;
  coldzoom::dataset<B, value_range> test_;
  coldzoom::trainer<B, M, coldzoom::any_layer<B>, chosen_optimizer, run_ranks> trainer_;
  bool told_ = false;  // of bad pictures in the first epoch, which are the same in all
};

template <class B, class M, class... Samplers> class method_on final : public method_at_work {
  using space = typename B::space;
  static constexpr coldzoom::index_t batch = 1024;

 public:
  method_on(B& b, M method, int last_step) : b_(&b), method_(std::move(method)), last_step_(last_step) {}

  void degrade(coldzoom::tensor_view<const float> x0, int t, coldzoom::key_sequence keys,
               host_images out) override {
    degrade_by(method_.degradation, x0, t, keys, out);
  }

  void for_each_degraded(
      const coldzoom::labelled_images& images, int t, coldzoom::key_sequence keys,
      const std::function<void(coldzoom::index_t, host_images, host_images)>& use) override {
    degrade_all(method_.degradation, images, t, keys, use);
  }

  void for_each_kept(const coldzoom::labelled_images& images, int t,
                     const std::function<void(coldzoom::index_t, host_images, host_images)>& use) override {
    auto degradation = method_.degradation;
    require_kept(degradation);
    if constexpr (requires { degradation.scale; }) degradation.scale = 0;
    degrade_all(degradation, images, t, {}, use);
  }

  void for_each_latent(const latent_source& source, coldzoom::index_t count, std::uint64_t seed,
                       const std::function<void(coldzoom::index_t, host_images)>& use, bool noise) override {
    constexpr bool scales = requires(M m) { m.degradation.scale; };
    const latent_drawing<B> draw = drawing_of(*b_, method_, source, {}, scales && !noise ? 0 : 1);
    std::vector<float> copy;
    auto memory = b_->template allocate<float>(source.image.with_n(batch).size());
    for (coldzoom::index_t first = 0; first < count; first += batch) {
      const images_on<B> z(coldzoom::tensor_view<float, space>(
          memory.data(), source.image.with_n(std::min(batch, count - first))));
      const auto place = static_cast<std::uint64_t>(first);
      draw({seed, coldzoom::stream::initial_state, place}, {seed, coldzoom::stream::sampling, place}, z);
      use(first, seen_by_host(*b_, z, copy));
    }
  }

  noise_amounts amounts(int t) const override {
    if constexpr (coldzoom::NoiseSchedule<decltype(method_.schedule)>) {
      return {method_.schedule.beta(t), method_.schedule.signal(t), method_.schedule.noise(t)};
    } else if constexpr (coldzoom::UniformlyAdditive<decltype(method_.degradation)>) {
      const coldzoom::amplitudes a = method_.degradation.amplitudes(method_.schedule.level(t));
      return {0, a.signal, a.noise};
    }
    throw coldzoom::error("amounts", "this method adds no noise");
  }

  std::unique_ptr<model_at_work> run(const model_network& network,
                                     const std::vector<float>& parameters) override {
    return std::make_unique<model_on<B, M, Samplers...>>(*b_, method_, network, parameters);
  }

  std::unique_ptr<training_run> train(const model_network& network, const data_sets& data,
                                      const run_options& o) override {
    const auto method = in_training(method_, o);
    return std::make_unique<training_on<B, std::remove_const_t<decltype(method)>>>(
        *b_, method, network, data, o, trainer_options_of(o, last_step_, network), chosen_optimizer(o));
  }

  double test_loss(const model_network& network, const std::vector<float>& parameters,
                   const coldzoom::labelled_images& images, coldzoom::index_t draws) override {
    // Of the type that training compiles.
    coldzoom::trainer t(*b_, in_training(method_, {}), layer_on<B>(network), network.image(),
                        trainer_options_of({}, last_step_, network), chosen_optimizer({}), run_ranks());
    b_->upload(parameters.data(), t.parameters().data(), t.parameters().size());
    coldzoom::dataset<B, value_range> set(*b_, images.dims, images.pixels.data());
    set_labels_of(*b_, set, images, network);
    return t.test_loss(set, draws);
  }

 private:
  template <class D>
  void degrade_by(const D& degradation, coldzoom::tensor_view<const float> x0, int t,
                  coldzoom::key_sequence keys, host_images out) {
    const auto levels = coldzoom::to_backend(
        *b_, std::vector<float>(static_cast<std::size_t>(x0.dims.n), method_.schedule.level(t)));
    on_host_images(*b_, x0, out, [&](auto in, auto to) {
      coldzoom::degrade(*b_, degradation, coldzoom::image_batch<value_range, const float, space>(in),
                        {levels.data(), x0.dims.n}, keys, images_on<B>(to));
    });
  }
  template <class D, class Use>
  void degrade_all(const D& degradation, const coldzoom::labelled_images& images, int t,
                   coldzoom::key_sequence keys, const Use& use) {
    const coldzoom::index_t most = std::min(batch, images.dims.n);
    std::vector<float> clean(static_cast<std::size_t>(images.dims.with_n(most).size())),
        degraded(clean.size());
    for (coldzoom::index_t first = 0; first < images.dims.n; first += most) {
      const coldzoom::shape dims = images.dims.with_n(std::min(most, images.dims.n - first));
      const host_images x0(coldzoom::tensor_view<float>(clean.data(), dims)),
          z(coldzoom::tensor_view<float>(degraded.data(), dims));
      const auto from = images.pixels.begin() + first * dims.image();
      std::transform(from, from + dims.size(), clean.begin(), coldzoom::from_byte<value_range>);
      degrade_by(degradation, x0, t, keys.from(first), z);
      use(first, x0, z);
    }
  }

  B* b_;
  M method_;
  int last_step_;
};

/// How a method that is not cold goes to work.
template <class Samplers> struct own_work;
template <class... Samplers> struct own_work<std::tuple<Samplers...>> {
  template <class B, class M>
  static std::unique_ptr<method_at_work> on(B& b, const M& method, int last_step) {
    return std::make_unique<method_on<B, M, Samplers...>>(b, method, last_step);
  }
};

template <class B>
std::unique_ptr<method_at_work> cold_method_on(B& b, cold_method<B> method, int last_step) {
  return std::make_unique<method_on<B, cold_method<B>, coldzoom::naive_sampler, coldzoom::tacos_sampler,
                                    coldzoom::direct_sampler>>(b, std::move(method), last_step);
}

}  // namespace detail

/// An entry for the table, for each of the backends. See add_method.
template <class Backends = backends, class Make, class... Policies>
std::unique_ptr<method_entry> make_entry(method_info info, Make make, Policies... policies) {
  if constexpr (detail::is_cold<Make, Policies...>) {
    return make_cold_entry<Backends>(std::move(info), std::move(make), policies...);
  } else {
    using parts = detail::entry_parts<Policies...>;
    using work = detail::own_work<typename parts::samplers>;
    return std::make_unique<
        detail::entry_of<typename parts::latents, typename parts::samplers, Make, Backends, work>>(
        std::move(info), std::move(make));
  }
}

}  // namespace programs
