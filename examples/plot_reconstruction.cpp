/// Pictures of what a model does: images degraded and reconstructed, and the states of sampling.

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "common/data.hpp"
#include "common/plot.hpp"
#include "common/sampling.hpp"

namespace {

using namespace coldzoom;
using programs::host_images;

struct settings {
  std::string model, kind, data, latent_file, out = "out/reconstruction", format = "png";
  std::vector<int> at;
  programs::machine_choice on;
  int every = 0;
  index_t images = 8, first = 0;
  programs::sampling_options sampling;
};

/// Rows of pictures in [-0.5, 0.5] for an image_table.
class table_rows {
 public:
  explicit table_rows(shape image) : image_(image) {
    table_.height = image.h, table_.width = image.w, table_.channels = image.c;
  }

  void add(const std::string& label, const float* pictures, index_t count) {
    table_.rows.push_back(label);
    const std::vector<float> unit = programs::to_unit({pictures, pictures + count * image_.image()});
    table_.pixels.insert(table_.pixels.end(), unit.begin(), unit.end());
  }
  void save(const std::string& path, std::vector<std::string> columns, const std::string& title,
            const std::string& x_label) {
    table_.columns = std::move(columns);
    table_.title = title;
    table_.x_label = x_label;
    programs::save_image_table(path, table_);
  }

 private:
  shape image_;
  programs::image_table table_;
};

double root_mean_square(host_images a, host_images b) {
  double total = 0;
  for (index_t i = 0; i < a.dims.size(); ++i) {
    const double off = static_cast<double>(a.data[i]) - static_cast<double>(b.data[i]);
    total += off * off;
  }
  return std::sqrt(total / static_cast<double>(a.dims.size()));
}

/// Originals, then degraded and reconstructed ones at each step, with their distance to the originals.
void plot_reconstructions(programs::method_at_work& method, programs::model_at_work& network,
                          const programs::trained_model& model, const labelled_images& images,
                          const std::vector<int>& at, const std::string& path) {
  table_rows rows(model.network.image());
  std::vector<float> memory(static_cast<std::size_t>(images.dims.size()));
  const host_images x0_hat(tensor_view<float>(memory.data(), images.dims));
  for (const int t : at) {
    method.for_each_degraded(images, t, {0, stream::user, 0}, [&](index_t, host_images x0, host_images z) {
      if (t == at.front()) rows.add("original", x0.data, x0.dims.n);
      network.restore(z, t, x0_hat);
      const double distance = root_mean_square(x0, x0_hat);
      char label[64];
      rows.add("degraded, t = " + std::to_string(t), z.data, z.dims.n);
      std::snprintf(label, sizeof label, "restored, RMSE %.3f", distance);
      rows.add(label, x0_hat.data, x0_hat.dims.n);
      std::printf("t = %4d: degraded RMSE %.4f, restored RMSE %.4f\n", t, root_mean_square(x0, z), distance);
    });
  }
  std::vector<std::string> digits;
  for (index_t n = 0; n < images.dims.n; ++n)
    digits.push_back(std::to_string(images.labels[static_cast<std::size_t>(n)]));
  rows.save(path, digits, "", "class of the original");
}

/// The states of the first samples and what the network makes of them, before every k-th step, and the
/// samples.
void plot_sampling(programs::model_at_work& network, const programs::trained_model& model,
                   const programs::latent_source& latents, programs::sampling_options options, int every,
                   const std::string& path) {
  const shape image = model.network.image();
  const index_t size = image.image();
  std::vector<std::string> columns;
  std::vector<std::vector<float>> states, guesses;  // by column
  int call = 0;
  if (every == 0) every = std::max(1, (options.calls + 11) / 12);
  const std::vector<float> samples =
      network.draw(latents, options, [&](index_t, int t, host_images state, host_images x0_hat) {
        if (call++ % every != 0) return;
        columns.push_back(std::to_string(t));
        states.emplace_back(state.data, state.data + state.dims.size());
        guesses.emplace_back(x0_hat.data, x0_hat.data + x0_hat.dims.size());
      });
  columns.emplace_back("0");
  states.push_back(samples);
  guesses.push_back(samples);
  table_rows rows(image);
  for (index_t n = 0; n < options.count; ++n) {
    for (const auto* source : {&states, &guesses}) {
      std::vector<float> row;
      for (const std::vector<float>& column : *source)
        row.insert(row.end(), column.begin() + n * size, column.begin() + (n + 1) * size);
      rows.add((source == &states ? "state " : "x0_hat ") + std::to_string(n), row.data(),
               static_cast<index_t>(columns.size()));
    }
  }
  rows.save(path, columns, "", "step t");
}

void plot(programs::machine& m, const settings& s) {
  using namespace programs;
  const trained_model model = load_model(s.model, s.kind);
  const int steps = model.method.steps;
  const shape image = model.network.image();
  require(image.c == 1 || image.c == 3, s.model.c_str(),
          [&] { return "found a model of " + std::to_string(image.c) + " channels, wanted 1 or 3"; });
  std::vector<int> at = s.at;
  if (at.empty()) {
    for (const int quarter : {1, 2, 3, 4}) at.push_back(std::max(1, steps * quarter / 4));
  }
  for (const int t : at) {
    require(t >= 1 && t <= steps, "--at",
            [&] { return "found " + std::to_string(t) + ", wanted 1 to " + std::to_string(steps); });
  }
  sampling_options sampling = resolved(model.method, s.sampling);
  sampling.count = s.images;
  const labelled_images test = load_data_for(model, s.data).images.test;
  require(s.first + s.images <= test.dims.n, "--first", [&] {
    return "found " + std::to_string(s.first) + ", wanted at most " + std::to_string(test.dims.n - s.images) +
           ": there are " + std::to_string(test.dims.n) + " test images";
  });
  make_folder(s.out);

  const std::string reconstructions = s.out + "/reconstruction." + s.format,
                    states = s.out + "/sampling." + s.format;
  const std::unique_ptr<method_at_work> method = model.method.on(m);
  const std::unique_ptr<model_at_work> network = method->run(model.network, model.parameters);
  plot_reconstructions(*method, *network, model, images_from(test, s.first, s.images), at, reconstructions);
  const latent_source latents = find_latents(m, {"", s.latent_file, s.data}, model);
  plot_sampling(*network, model, latents, sampling, s.every, states);
  std::printf("%s\n%s (%s sampler, %s initial states)\n", reconstructions.c_str(), states.c_str(),
              sampling.sampler.c_str(), latents.policy.c_str());
}

void add_options(programs::options& o, settings& s) {
  o.add("--model", s.model, "safetensors file, ours or the original project's").required();
  o.add("--kind", s.kind, "what the model is, where the file does not say: " + programs::method_names());
  o.add("--data", s.data,
        std::string("whose test images are shown: ") + programs::data_help +
            "; by default what the model was trained on, else embedded");
  o.add("--at", s.at, "steps t to reconstruct from; by default the quarters of T").separated_by(',');
  o.add("--every", s.every, "show every so many steps of sampling; 0 for about 12 in all").at_least_0();
  o.add("--images", s.images, "how many images and samples").range(1, 40);
  o.add("--first", s.first, "the first test image").at_least_0();
  o.add("--latent-file", s.latent_file, "initial states to sample from, as for sample");
  programs::add_sampling_options(o, s.sampling);
  programs::add_machine(o, s.on);
  o.add_output_folder("--out", s.out, "folder for reconstruction.png and sampling.png");
  o.add("--format", s.format, "png or svg").one_of({"png", "svg"});
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "plot_reconstruction",
      "Draws images that a model reconstructs, and the states of its sampling.", add_options, plot);
}
