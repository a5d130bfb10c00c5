/// Draws images from a trained model of any kind.

#include <algorithm>
#include <chrono>
#include <coldzoom/io/png.hpp>
#include <cstdio>

#include "common/data.hpp"
#include "common/image_set.hpp"
#include "common/ranks.hpp"
#include "common/sampling.hpp"

namespace {

using namespace coldzoom;
using programs::host_images;

struct settings {
  std::string model, kind, data, latent, latent_file, out = "samples.npy", png, steps_png;
  programs::sampling_options sampling;
  programs::machine_choice on;
};

/// The states of the first samples on their way from the initial state to the digit: a row a sample, then the
/// result.
class progression {
 public:
  progression(shape image, index_t count, int calls, int columns)
      : image_(image),
        rows_(std::min<index_t>(count, 8)),
        calls_(calls),
        columns_(std::min(calls, columns)) {}

  void record(index_t first, host_images state) {
    if (first != 0) return;
    const int call = call_++;
    // Evenly spread over the calls, the initial state itself always among them.
    if (call * columns_ / calls_ == (call - 1) * columns_ / calls_ && call > 0) return;
    append(state.data);
  }
  picture draw(const std::vector<float>& samples) {
    append(samples.data());
    std::vector<float> rows;
    for (index_t row = 0; row < rows_; ++row) {
      for (const std::vector<float>& column : states_) {
        const auto from = column.begin() + row * image_.image();
        rows.insert(rows.end(), from, from + image_.image());
      }
    }
    const std::vector<float> unit = programs::to_unit(rows);
    const auto columns = static_cast<index_t>(states_.size());
    return image_grid(tensor_view<const float>(unit.data(), image_.with_n(rows_ * columns)), columns, 2, 2,
                      128);
  }

 private:
  void append(const float* images) { states_.emplace_back(images, images + rows_ * image_.image()); }

  shape image_;
  index_t rows_;
  int calls_, columns_, call_ = 0;
  std::vector<std::vector<float>> states_;
};

void sample(programs::machine& m, const settings& s) {
  using namespace programs;
  const run_ranks ranks = join_ranks();
  const trained_model model = load_model(s.model, s.kind);
  require_same_run(ranks, {reinterpret_cast<const char*>(model.parameters.data()),
                           model.parameters.size() * sizeof(float)});
  const shape image = model.network.image();
  sampling_options sampling = resolved(model.method, s.sampling);
  // As many on each rank, so that their parts come together; what is behind the last one is dropped.
  sampling.count = (s.sampling.count + ranks.size() - 1) / ranks.size();
  sampling.first = sampling.count * ranks.rank();
  const int calls = sampling.calls;
  const latent_source latents = find_latents(m, {s.latent, s.latent_file, s.data}, model);
  std::printf(
      "%s from %s, %s initial states%s, %s sampler, %d network calls\n", model.method.name().c_str(),
      s.model.c_str(), latents.policy.c_str(),
      latents.step == 0 ? "" : (" from " + (s.latent_file.empty() ? latents.data : s.latent_file)).c_str(),
      sampling.sampler.c_str(), calls);

  const std::unique_ptr<method_at_work> method = model.method.on(m);
  const std::unique_ptr<model_at_work> network = method->run(model.network, model.parameters);
  progression steps(image, sampling.count, calls, 12);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<float> own =
      network->draw(latents, sampling,
                    [&](index_t first, int, host_images state, host_images) { steps.record(first, state); });
  std::vector<float> samples(own.size() * static_cast<std::size_t>(ranks.size()));
  std::copy(own.begin(), own.end(), samples.begin() + sampling.first * image.image());
  ranks.gather(samples.data(), static_cast<index_t>(samples.size()));
  if (!ranks.first()) return;
  samples.resize(static_cast<std::size_t>(s.sampling.count * image.image()));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const image_set unit{image.with_n(s.sampling.count), to_unit(samples)};
  save_samples(s.out, unit);
  std::printf("%td samples in %.2f s: %s\n", s.sampling.count, seconds, s.out.c_str());
  if (!s.png.empty()) {
    save_grid(s.png, unit, 400);
    std::printf("grid: %s\n", s.png.c_str());
  }
  if (!s.steps_png.empty()) {
    save_png(s.steps_png, steps.draw(samples));
    std::printf("progression: %s\n", s.steps_png.c_str());
  }
}

void add_options(programs::options& o, settings& s) {
  o.add("--model", s.model, "safetensors file, ours or the original project's").required();
  o.add("--kind", s.kind,
        "what the model is, where the file does not say: " + programs::method_names() +
            "; a file without metadata is taken for the original project's");
  o.add("--data", s.data,
        std::string("where the initial states come from if the file carries none: ") + programs::data_help +
            "; by default what the model was trained on, else embedded");
  o.add("--count", s.sampling.count, "how many samples").range(1, 10000000);
  o.add("--latent", s.latent,
        "the initial state: histogram (independent pixels; zoom_nearest unless you say otherwise), patches "
        "(centres of training images; zoom_bilinear), gaussian (ddpm), degraded (D(x, T) of training "
        "images; every kind) or fitted (a law fitted to what D keeps of them; not ddpm)")
      .one_of(programs::latent_names());
  o.add("--latent-file", s.latent_file,
        "initial states of pixel_distribution or of a training run, instead of --data");
  programs::add_sampling_options(o, s.sampling);
  programs::add_machine(o, s.on);
  o.add_output("--out", s.out, "N x H x W float32 in [0, 1] (N x C x H x W for C > 1)", {".npy"});
  o.add_output("--png", s.png, "grid of the samples (400 at most)", {".png"});
  o.add_output("--steps-png", s.steps_png, "the way from initial state to sample, for the first 8", {".png"});
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "sample",
      "Draws images from a trained model, from initial state to digit in T network calls or fewer.",
      add_options, sample);
}
