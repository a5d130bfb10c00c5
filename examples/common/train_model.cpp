#include "common/train_model.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <coldzoom/core/file.hpp>
#include <coldzoom/optim/learning_rate.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/data.hpp"
#include "common/image_set.hpp"
#include "common/latent_policies.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/ranks.hpp"
#include "common/run_folder.hpp"
#include "common/safetensors.hpp"
#include "common/sampling.hpp"

namespace programs {

namespace {

using namespace coldzoom;

/// What is done to training images at random: nothing, or ", flipped 0.5, shifted 2, cropped 0.8".
std::string changes_of(const run_options& p) {
  std::string text;
  if (p.flip != 0) text += ", flipped " + exact_number(p.flip);
  if (p.shift != 0) text += ", shifted " + std::to_string(p.shift);
  if (p.crop != 1) text += ", cropped " + exact_number(p.crop);
  return text;
}

/// What a checkpoint must have in common with a run beside what the trainer checks.
std::map<std::string, std::string> settings_to_keep(const trained_model& model, const training_settings& s,
                                                    const data_sets& data) {
  std::map<std::string, std::string> keep{
      {"kind", model.method.name()},
      {"network", model.network.name() + " of " + model.network.options_text()},
      {"data_fingerprint", fingerprint(data) + changes_of(s.policies)},
      {"train_images", std::to_string(data.training_images())},
      {"optimizer_kind", s.policies.optimizer},
      {"learning_rate", exact_number(s.learning_rate)},
      {"decay", s.decay}};
  if (s.decay == "cosine") {
    keep["epochs"] = std::to_string(s.epochs);
    keep["warmup"] = std::to_string(s.warmup);
  }
  for (const auto& [name, value] : model.method.numbers) keep[name] = exact_number(value);
  for (const auto& [name, value] : model.method.sources) keep[name] = value;
  return keep;
}

/// The shares of the run in the folder, 0 where it has no checkpoint to read them from.
index_t shares_of(const run_folder& folder) {
  if (folder.last_epoch() == 0) return 0;
  try {
    const std::string part = load_safetensors(folder.state_file(folder.last_epoch())).metadata["part"];
    const std::size_t at = part.find(", ");
    return at == std::string::npos ? 1 : std::atol(part.c_str() + at + 2);
  } catch (const error&) {
    return 0;  // resuming says what is wrong
  }
}

void save_samples_of(method_at_work& method, const trained_model& model, const latent_source& latents,
                     const training_settings& s, const std::string& path) {
  const std::vector<float> samples = method.run(model.network, model.parameters)
                                         ->draw(latents, grid_sampling(model.method, s.samples, s.seed));
  save_grid(path, {model.network.image().with_n(s.samples), to_unit(samples)}, s.samples);
}

}  // namespace

void add_training_options(options& o, training_settings& s, const std::vector<const method_entry*>& trained) {
  add_run_options(o, s);
  o.add("--decay", s.decay, "of the learning rate: constant, or cosine to 0 over all epochs")
      .one_of({"constant", "cosine"});
  add_network_options(o, s.network);
  add_method_options(o, s, trained);
  o.add("--last-step", s.last_step, "t is drawn from 1 .. this one, 0 for T; the original's DDPM: 999")
      .at_least_0();
  o.add_flag("--labels,!--no-labels", s.labels,
             "train with the labels of the data, for networks that have classes: unet");
  run_options& p = s.policies;
  o.add("--loss", p.loss, "mse, l1 or huber; the method's own if absent, mse of the table's")
      .one_of(loss_names);
  o.add("--weighting", p.weighting,
        "of the steps: uniform, or min-snr for methods that add noise to all pixels alike; the method's own "
        "if absent, whose weights of pixels stay in any case")
      .one_of(weighting_names);
  o.add("--optimizer", p.optimizer, "adam, adamw or sgd").one_of(optimizer_names);
  o.add("--weight-decay", p.weight_decay, "of adamw and sgd; 0.01 and 0 if absent")
      .hide_default()
      .at_least_0();
  o.add("--momentum", p.momentum, "of sgd").from_0_to_below_1();
  o.add("--clip-norm", p.clip_norm, "the largest norm of the gradients of an update, 0 for any").at_least_0();
  o.add("--label-dropout", p.label_dropout,
        "share of the images whose label is left out, so that samples can be guided; 0.15 if absent")
      .hide_default()
      .from_0_to_below_1();
  o.add("--flip", p.flip,
        "the probability that a training image is mirrored, left to right; 0.5 for most photographs")
      .from_0_to_1();
  o.add("--shift", p.shift, "pixels by which a training image moves at most, in both directions")
      .range(0, 65536);
  o.add("--crop", p.crop,
        "the smallest share of the sides of a training image that is cut out and enlarged, 1 for the whole "
        "image")
      .from_0_to_1();
  o.add("--accumulate", p.accumulate, "batches an update, whose gradients add up").range(1, 100000);
  o.add(
       "--shares", p.shares,
       "of an update, whose gradients are added in pairs, so that as many ranks, half as many and so on come "
       "to the same bits; 0 for those of the run that is resumed, or as many as ranks")
      .range(0, 100000);
  o.add("--samples", s.samples, "images in the grid of each epoch, 0 for none").range(0, 10000);
}

void train_model(machine& m, const model_method& method, training_settings s) {
  const run_ranks ranks = join_ranks();
  apply_smoke(s);
  if (s.smoke) s.samples = std::min(s.samples, 16);
  const data_sets data = load_run_data(s);
  const index_t images = data.training_images();
  const shape image = data.train.dims.with_n(1);
  check_steps(method, image);
  const std::vector<network_option>& options_of_it = find_network("--network", s.network.name).info().options;
  require(!s.labels || std::any_of(options_of_it.begin(), options_of_it.end(),
                                   [](const network_option& o) { return o.name == "classes"; }),
          "--labels",
          [&] { return "the network " + s.network.name + " reads no labels; take --network unet"; });
  std::vector<index_t>& classes = s.network.lists["classes"];
  if (s.labels && classes.empty()) {
    // Of both splits: a part of one may lack some.
    std::uint8_t most = 0;
    for (const labelled_images* split : {&data.train, &data.test})
      most = std::max(most, *std::max_element(split->labels.begin(), split->labels.end()));
    classes = {index_t{most} + 1};
  }
  require(s.labels || classes.empty() || classes.front() == 0, "--classes", [&] {
    return "found " + std::to_string(classes.front()) + " without --labels, which trains with labels";
  });
  require(s.labels || s.policies.label_dropout < 0, "--label-dropout", [&] {
    return "found " + spoken(s.policies.label_dropout) + " without --labels, which trains with labels";
  });
  trained_model model{
      method, s.data, {}, make_network(s.network, image, method.entry->input_channels(image)), {}};
  const std::unique_ptr<method_at_work> work = method.on(m);
  require_same_run(ranks, fingerprint(data));
  std::optional<run_folder> folder;  // of the first rank, which alone writes
  if (ranks.first()) folder.emplace(s.out, s.resume);
  run_options options = s.policies;
  if (folder && s.resume && options.shares == 0) options.shares = shares_of(*folder);
  options.shares = static_cast<index_t>(ranks.of_first(static_cast<double>(options.shares)));
  options.batch_size = s.batch_size;
  options.seed = s.seed;
  options.average_decay = s.ema;
  const std::unique_ptr<training_run> run = work->train(model.network, data, options);
  const index_t batches = run->batches(), update = s.batch_size * options.accumulate;
  const auto rate = [&,
                     cosine = warmup_cosine{s.learning_rate, s.warmup, batches * s.epochs, 0}](index_t step) {
    return s.decay == "cosine" ? cosine(step) : constant_rate{s.learning_rate}(step);
  };
  const std::map<std::string, std::string> keep = settings_to_keep(model, s, data);
  if (folder && s.resume) folder->resume(s.epochs, [&](const std::string& state) { run->load(state, keep); });
  const int last_epoch = static_cast<int>(ranks.of_first(folder ? folder->last_epoch() : 0));
  if (!folder && last_epoch > 0) run->load(run_folder::state_file(s.out, last_epoch), keep);

  latent_source latents;
  if (folder) {
    latents = make_latents(m, method, method.entry->latents().front(), s.data, data.train);
    save_latents(folder->file("latents.safetensors"), latents);
    if (latents.policy == histogram_latents::name) model.histogram = latents.counts;
  }
  const std::string all = ranks.size() > 1 ? std::to_string(ranks.size()) + " ranks of " : "";
  std::printf("%s: %td training and %td test images of %s, %td parameters, %s%s, into %s\n",
              method.name().c_str(), images, data.test.dims.n, to_string(image).c_str(),
              parameter_count(model.network), all.c_str(), m.description().c_str(), s.out.c_str());

  for (int epoch = last_epoch + 1; epoch <= s.epochs; ++epoch) {
    char title[48], note[48];
    std::snprintf(title, sizeof title, "epoch %d/%d", epoch, s.epochs);
    double train_loss = 0, train_seconds = 0;
    const auto start = std::chrono::steady_clock::now();
    const auto seconds = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    {
      progress_bar bar(title, static_cast<double>(batches), "images", static_cast<double>(update));
      train_loss = run->train_epoch(epoch, rate, [&](batch_progress p) {
        stop_if_requested();
        std::snprintf(note, sizeof note, "loss %.5f", p.loss);
        bar.update(static_cast<double>(p.batch), note);
      });
      train_seconds = bar.seconds();
    }
    const double test_loss = run->test_loss();
    if (!folder) continue;
    model.parameters = run->best();
    check_finite_training(*folder, epoch, train_loss, test_loss, model.parameters);
    if (s.samples > 0) {
      save_samples_of(*work, model, latents, s, folder->file("samples-" + std::to_string(epoch) + ".png"));
    }
    const double images_per_second = static_cast<double>(batches * update) / train_seconds;
    folder->append_log({{"epoch", epoch},
                        {"train_loss", train_loss},
                        {"test_loss", test_loss},
                        {"images_per_second", images_per_second},
                        {"seconds", seconds()}},
                       epoch - 1);
    folder->add_checkpoint(epoch, [&](const std::string& aside) {
      run->save(aside + "/state.safetensors", epoch, keep);
      save_model(aside + "/model.safetensors", model);
    });
    save_model(folder->file("model.safetensors"), model);
    std::printf("epoch %d/%d: train loss %.5f, test loss %.5f, %.0f images/s, %.1f s\n", epoch, s.epochs,
                train_loss, test_loss, images_per_second, seconds());
    std::fflush(stdout);
    stop_if_requested();
  }
}

int train_one_method(int argc, char** argv, const char* program, const char* description,
                     const char* method) {
  return run_on_machine<training_settings>(
      argc, argv, program, description,
      [&](options& o, training_settings& s) { add_training_options(o, s, {&find_method(program, method)}); },
      [&](machine& m, const training_settings& s) { train_model(m, method_of(method, s), s); });
}

}  // namespace programs
