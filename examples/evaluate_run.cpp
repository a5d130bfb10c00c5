/// Scores the checkpoints of a training run, and draws the scores over its epochs.

#include <algorithm>
#include <cmath>
#include <coldzoom/core/file.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "common/data.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"
#include "common/run_folder.hpp"
#include "common/run_log.hpp"
#include "common/sampling.hpp"
#include "common/scores.hpp"

namespace {

using namespace coldzoom;
using nlohmann::ordered_json;

struct settings {
  std::string run, data, latent, latent_file, classifier, png;
  programs::sampling_options sampling;
  programs::machine_choice on;
  int every = 1;
  bool smoke = false;
};

/// metrics.jsonl: one line an epoch, in the order of the epochs. The first line of a file sets how the run is
/// scored; lines made otherwise could not be drawn as one curve.
class score_log {
 public:
  /// `how` must agree with every line of the file; `named` goes into new lines, and may be spelt otherwise. A
  /// line of an older version lacks the keys of `since`, which has their values of then.
  score_log(std::string path, ordered_json how, ordered_json named, const ordered_json& since)
      : path_(std::move(path)),
        how_(std::move(how)),
        named_(std::move(named)) {
    if (!file_exists(path_)) return;
    int number = 0;
    for (const std::string& line : programs::log_lines(path_)) {
      ++number;
      ordered_json entry = ordered_json::parse(line, nullptr, false);
      require(entry.is_object() && entry.contains("epoch") && entry["epoch"].is_number_integer(),
              path_.c_str(), [&] { return "line " + std::to_string(number) + " is no line of scores"; });
      for (const auto& [key, value] : since.items()) {
        if (!entry.contains(key)) entry[key] = value;
      }
      for (const auto& [key, wanted] : how_.items()) {
        require(entry.contains(key) && entry[key] == wanted, path_.c_str(), [&, k = key, w = wanted] {
          return "line " + std::to_string(number) + " was scored with " + k + " " +
                 (entry.contains(k) ? entry[k].dump() : "unknown") + ", now it is " + w.dump() +
                 "; use the same options, or move the file away";
        });
      }
      const int epoch = entry["epoch"].get<int>();
      entries_[epoch] = std::move(entry);
    }
  }

  bool has(int epoch) const { return entries_.contains(epoch); }
  const std::map<int, ordered_json>& entries() const { return entries_; }

  /// Writes the whole file anew, so that a kill leaves whole lines.
  void add(int epoch, const ordered_json& scores) {
    ordered_json line{{"epoch", epoch}};
    line.update(named_);
    line.update(how_);
    line.update(scores);
    entries_[epoch] = std::move(line);
    std::string text;
    for (const auto& [number, entry] : entries_) text += entry.dump() + "\n";
    write_file_atomically(path_, text);
  }

 private:
  std::string path_;
  ordered_json how_, named_;
  std::map<int, ordered_json> entries_;
};

/// Epochs whose checkpoint stands in the folder, ascending: every `every`-th, and the last.
std::vector<int> epochs_of(const std::string& run, int every) {
  require(std::filesystem::is_directory(run), run.c_str(),
          "found no such folder, wanted one of a training run");
  std::vector<int> epochs;
  for (const auto& entry : std::filesystem::directory_iterator(run)) {
    const std::string name = entry.path().filename().string();
    int epoch = 0, used = 0;
    if (std::sscanf(name.c_str(), "checkpoint-%8d%n", &epoch, &used) != 1) continue;
    if (static_cast<std::size_t>(used) != name.size() || epoch < 1) continue;
    if (file_exists((entry.path() / "model.safetensors").string())) epochs.push_back(epoch);
  }
  require(!epochs.empty(), run.c_str(), "found no checkpoint-EPOCH/model.safetensors in this folder");
  std::sort(epochs.begin(), epochs.end());
  const int last = epochs.back();
  std::erase_if(epochs, [&](int epoch) { return epoch % every != 0 && epoch != last; });
  return epochs;
}

std::string model_file(const std::string& run, int epoch) {
  return run + "/checkpoint-" + std::to_string(epoch) + "/model.safetensors";
}

/// The scores of one chart over the epochs. Both axes begin at 0, so that what is near it looks so.
programs::chart score_chart(const std::string& title, const std::string& y_label,
                            const std::map<int, ordered_json>& entries,
                            const std::vector<std::pair<const char*, const char*>>& scores,
                            double factor = 1) {
  programs::chart c{title, "epoch", y_label, {}, "top center vertical maxrows 2 samplen 2", ""};
  double top = 0.01;  // gnuplot wants an axis of some length
  for (const auto& [name, label] : scores) {
    programs::curve line{label, {}, {}, "linespoints pt 7 ps 0.6 lw 2"};
    for (const auto& [epoch, entry] : entries) {
      const std::optional<double> value = programs::score_value(entry, name);
      if (!value) continue;
      line.x.push_back(epoch);
      line.y.push_back(factor * *value);
      top = std::max(top, line.y.back());
    }
    if (!line.x.empty()) c.curves.push_back(std::move(line));
  }
  // Room for the legend above the curves.
  c.more = "set xrange [0:*]\nset yrange [0:" + std::to_string(1.3 * top) + "]\n";
  return c;
}

void draw(const std::string& path, const std::string& run, const std::map<int, ordered_json>& entries) {
  programs::save_charts(
      path,
      {score_chart(run + ": Frechet distance", "squared distance of features", entries,
                   {{"frechet_distance", "of these samples"}, {"frechet_infinity", "at infinite n"}}),
       score_chart("Kernel distance", "KID x 1000", entries, {{"kid", "KID"}}, 1000),
       score_chart("Fidelity and variety", "share of images (density: balls)", entries,
                   {{"precision", "precision"},
                    {"recall", "recall"},
                    {"density", "density"},
                    {"coverage", "coverage"}}),
       score_chart("Classes against the reference", "nats, share of samples", entries,
                   {{"class_kl", "KL divergence (nats)"}, {"total_variation", "total variation (share)"}}),
       score_chart("No clear digits", "share of samples", entries,
                   {{"unconfident_share", "confidence below 0.9"}}),
       score_chart("Copies and duplicates", "share of samples", entries,
                   {{"copy_share", "near a training image"}, {"duplicate_share", "near another sample"}})},
      2, 1200, 1200);
}

void evaluate_run(programs::machine& m, settings s) {
  using namespace programs;
  if (s.smoke) s.sampling.count = scorer::fewest;
  require(s.sampling.count >= scorer::fewest, "--count", [&] {
    return "found " + std::to_string(s.sampling.count) + ", wanted at least " +
           std::to_string(scorer::fewest) + " samples to score";
  });
  const std::vector<int> epochs = epochs_of(s.run, s.every);
  const trained_model first = load_model(model_file(s.run, epochs.front()), "");
  const shape image = first.network.image();
  s.sampling = resolved(first.method, s.sampling);
  const int calls = s.sampling.calls;

  const auto& [data_name, data] = load_data_for(first, s.data);
  const classifier_model classifier = load_classifier(s.classifier);
  require(image == classifier.network.image(), s.run.c_str(), [&] {
    return "the model draws " + to_string(image) + ", the classifier wants " +
           to_string(classifier.network.image());
  });
  const latent_source latents = find_latents(m, {s.latent, s.latent_file, s.data}, first);
  // Where the curves are to be of one piece, all that they depend on must be the same.
  score_log log(s.run + "/metrics.jsonl",
                {{"data_fingerprint", fingerprint(data)},
                 {"n", s.sampling.count},
                 {"kind", first.method.name()},
                 {"latent", s.latent_file.empty() ? latents.policy : s.latent_file},
                 {"sampler", s.sampling.sampler},
                 {"network_calls", calls},
                 {"clip", s.sampling.clip},
                 {"eta", s.sampling.eta},
                 {"spacing", s.sampling.spacing},
                 {"guidance", s.sampling.guidance},
                 {"classes", s.sampling.classes},
                 {"seed", s.sampling.seed}},
                {{"data", data_name}},
                {{"spacing", 1.0}, {"guidance", 1.0}, {"classes", std::vector<index_t>{}}});
  const auto missing = std::count_if(epochs.begin(), epochs.end(), [&](int e) { return !log.has(e); });
  std::printf(
      "%td checkpoints, %td of them to be scored with %td samples: %s initial states, %s sampler, %d network "
      "calls\n",
      static_cast<index_t>(epochs.size()), static_cast<index_t>(missing), s.sampling.count,
      latents.policy.c_str(), s.sampling.sampler.c_str(), calls);
  if (missing > 0) {
    const std::unique_ptr<method_at_work> method = first.method.on(m);
    scorer score(m, classifier, data_name, data);
    for (const int epoch : epochs) {
      if (log.has(epoch)) continue;
      stop_if_requested();
      const std::string file = model_file(s.run, epoch);
      const trained_model model = load_model(file, "");
      require(model.method.entry == first.method.entry && model.network.image() == image, file.c_str(), [&] {
        return "found a " + model.method.name() + " model, the run began with " + first.method.name();
      });
      const image_set samples{
          image.with_n(s.sampling.count),
          to_unit(method->run(model.network, model.parameters)->draw(latents, s.sampling))};
      const ordered_json scores = score.score(source_of(samples));
      log.add(epoch, scores);
      const auto shown = [&](const char* key) { return score_value(scores, key).value_or(std::nan("")); };
      std::printf("epoch %d: Frechet distance %.3f, KID %.5f, precision %.3f, recall %.3f, class KL %.4f\n",
                  epoch, shown("frechet_distance"), shown("kid"), shown("precision"), shown("recall"),
                  shown("class_kl"));
      std::fflush(stdout);
    }
  }
  const std::string png = s.png.empty() ? s.run + "/metrics.png" : s.png;
  draw(png, s.run, log.entries());
  std::printf("%s/metrics.jsonl, %s\n", s.run.c_str(), png.c_str());
}

void add_options(programs::options& o, settings& s) {
  s.sampling.count = 2000;
  o.add("--run", s.run, "folder of the run, as --out of the training program").required();
  o.add("--count", s.sampling.count, "samples of each checkpoint").range(1, 10000000);
  o.add("--every", s.every, "score every K-th epoch, and the last").range(1, 1000000);
  o.add("--data", s.data,
        std::string(programs::data_help) +
            "; its test split is the reference, and initial states come from it as with sample; by default "
            "what the model was trained on");
  o.add("--latent", s.latent,
        "the initial state: histogram, patches, gaussian or degraded; by default the original's for the "
        "model")
      .one_of(programs::latent_names());
  o.add("--latent-file", s.latent_file, "initial states of pixel_distribution, in place of --latent")
      .excludes("--latent");
  programs::add_sampling_options(o, s.sampling);
  programs::add_classifier(o, s.classifier);
  o.add_output("--png", s.png, "picture of the scores over the epochs; RUN/metrics.png if absent",
               {".png", ".svg"});
  programs::add_machine(o, s.on);
  o.add_flag("--smoke", s.smoke, "as few samples as can be scored: shows that everything works, in seconds");
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(argc, argv, "evaluate_run",
                                            "Draws samples from each checkpoint of a run and scores them: "
                                            "RUN/metrics.jsonl, one line an epoch, and a picture. Epochs "
                                            "that are in the file already are not scored again.",
                                            add_options, evaluate_run);
}
