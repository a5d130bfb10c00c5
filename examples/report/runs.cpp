#include "report/runs.hpp"

#include <algorithm>
#include <coldzoom/core/file.hpp>
#include <cstdio>
#include <filesystem>

#include "common/safetensors.hpp"
#include "common/sampling.hpp"

namespace programs::report {

using namespace coldzoom;
using nlohmann::ordered_json;

namespace {

/// Metadata of the newest training state, empty where there is none. The line of an epoch is written before
/// its checkpoint, so that of a run at work it may still be that of the epoch before.
std::map<std::string, std::string> training_settings_of(const std::string& folder, int last_epoch) {
  for (const int epoch : {last_epoch, last_epoch - 1}) {
    const std::string state = folder + "/checkpoint-" + std::to_string(epoch) + "/state.safetensors";
    if (file_exists(state)) return load_safetensors(state).metadata;
  }
  return {};
}

/// The same pixels and labels where both runs say so by their fingerprints; else the same name, or two names
/// of one folder.
bool same_data(const run_report& a, const run_report& b) {
  const std::string of_a = training_setting(a, "data_fingerprint"),
                    of_b = training_setting(b, "data_fingerprint");
  if (!of_a.empty() && !of_b.empty()) return of_a == of_b;
  std::error_code absent;
  return a.model.data == b.model.data || std::filesystem::equivalent(a.model.data, b.model.data, absent);
}

/// As the training programs draw their grids: in all steps, or by DDIM in at most 50.
image_set draw(machine& m, run_report& run, const settings& s) {
  const trained_model& model = run.model;
  sampling_options options = grid_sampling(model.method, s.count, s.seed);
  const std::string kept = run.folder + "/latents.safetensors";
  const latent_source latents = find_latents(m, {"", file_exists(kept) ? kept : "", ""}, model);
  const shape image = model.network.image();
  run.samples_from = "drawn with " + options.sampler + " in " + std::to_string(options.calls) +
                     " network calls from " + latents.policy + " initial states";
  const auto method = model.method.on(m);
  return {image.with_n(s.count),
          to_unit(method->run(model.network, model.parameters)->draw(latents, options))};
}

}  // namespace

std::string format(const char* how, double value) {
  char text[64];
  std::snprintf(text, sizeof text, how, value);
  return text;
}

run_report read_run(const std::string& folder) {
  require(std::filesystem::is_directory(folder), folder.c_str(),
          "found no such folder, wanted one of a training run");
  loss_log losses = read_losses(folder);
  trained_model model = load_model(folder + "/model.safetensors", "");
  run_report run{folder, folder, std::move(losses), std::move(model), {}, {}, {}, {}, {}, {}};
  run.training = training_settings_of(folder, static_cast<int>(run.losses.epochs.back()));
  if (const std::string metrics = folder + "/metrics.jsonl"; file_exists(metrics)) {
    for_each_json_line(metrics, [&](const ordered_json& line) {
      const std::string where = metrics + ", line " + std::to_string(run.by_epoch.size() + 1);
      check_scores(where, line);
      line.at("epoch").get<double>();
      run.by_epoch.push_back({where, line});
    });
  }
  if (!run.by_epoch.empty()) run.last_scores = run.by_epoch.back();
  return run;
}

void name_runs(std::vector<run_report>& runs) {
  const auto last = [](const std::string& folder) {
    return std::filesystem::weakly_canonical(folder).filename().string();
  };
  for (run_report& run : runs) {
    const auto alike = std::count_if(runs.begin(), runs.end(), [&](const run_report& other) {
      return last(other.folder) == last(run.folder);
    });
    run.name = alike > 1 ? run.folder : last(run.folder);
  }
}

std::string training_setting(const run_report& run, const char* key) {
  const auto at = run.training.find(key);
  return at == run.training.end() ? std::string() : at->second;
}

void require_one_data_set(const std::vector<run_report>& runs) {
  const run_report& first = runs.front();
  for (const run_report& run : runs) {
    const std::string images = training_setting(run, "train_images"),
                      wanted = training_setting(first, "train_images");
    require(images.empty() || wanted.empty() || images == wanted, run.folder.c_str(), [&] {
      return "found " + images + " training images, wanted " + wanted + " as in " + first.folder +
             "; runs of different data cannot be compared";
    });
    require(same_data(run, first), run.folder.c_str(), [&] {
      return "found data '" + run.model.data + "', wanted '" + first.model.data + "' as in " + first.folder +
             "; runs of different data cannot be compared";
    });
  }
  const scores_at* curves = nullptr;
  const scores_at* last = nullptr;
  for (const run_report& run : runs) {
    for (const scores_at& line : run.by_epoch) {
      if (!curves) curves = &line;
      require_comparable(line.file, line.scores, curves->file, curves->scores);
    }
    if (run.last_scores) {
      if (!last) last = &*run.last_scores;
      require_comparable(run.last_scores->file, run.last_scores->scores, last->file, last->scores);
    }
  }
}

const ordered_json* floor_of(const std::vector<scores_at>& floors, const ordered_json& scores) {
  for (const scores_at& floor : floors) {
    const auto same = [&](const char* key) { return floor.scores[key] == scores[key]; };
    if (same("n") && same("reference") && same("features")) return &floor.scores;
  }
  return nullptr;
}

void require_used(const std::vector<scores_at>& floors, const std::vector<run_report>& runs) {
  for (const scores_at& floor : floors) {
    const scores_at* other = nullptr;
    bool used = false;
    const auto compare = [&](const scores_at& scores) {
      used = used || floor_of({floor}, scores.scores);
      other = &scores;
    };
    for (const run_report& run : runs) {
      if (run.last_scores) compare(*run.last_scores);
      for (const scores_at& line : run.by_epoch) compare(line);
    }
    require(other, floor.file.c_str(), "found a floor, but no run has scores to compare with");
    if (!used) require_comparable(floor.file, floor.scores, other->file, other->scores);
  }
}

void sort_samples(machine& m, const classifier_model& classifier, run_report& run, const std::string& file,
                  const settings& s) {
  const shape image = run.model.network.image();
  require(image == classifier.network.image(), run.folder.c_str(), [&] {
    return "the model draws " + to_string(image) + ", the classifier wants " +
           to_string(classifier.network.image());
  });
  if (!file.empty()) run.samples_from = "from " + file;
  const image_set samples = file.empty() ? draw(m, run, s) : load_samples(file, image);
  const std::vector<judgement> judgements = judge(m.host(), *programs::run(m, classifier), samples.view());
  for (const judgement& j : judgements) {
    run.class_share[static_cast<std::size_t>(j.digit)] += 1 / static_cast<double>(judgements.size());
  }
  run.sorted = sort_by_confidence(samples, judgements, s.threshold);
}

}  // namespace programs::report
