/// Pictures of what the models undo: noise schedules, and every degradation on the same images.

#include <algorithm>
#include <cmath>
#include <coldzoom/core/file.hpp>
#include <cstdio>

#include "common/data.hpp"
#include "common/method.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"

namespace {

using namespace coldzoom;
using programs::host_images;
using programs::model_method;

struct settings {
  std::string data = "embedded", out = "out/schedules", format = "png";
  programs::picture_policy pictures;
  int steps = 1000, columns = 9;
  programs::machine_choice on;
  index_t images = 3, first = 0;
};

/// What is shown, by the name it is shown under.
struct shown_method {
  std::string name;
  programs::model_method method;
  bool again;  // another form of the method before
};

/// The largest variance of a step, 0 where the method names none.
double beta_max(const std::map<std::string, double>& numbers) {
  const auto found = numbers.find("beta_max");
  return found == numbers.end() ? 0 : found->second;
}

/// All methods of the table that add noise, or all others, that take such images. Noise in `steps` steps, up to the
/// largest variance of the table and of the original project.
std::vector<shown_method> shown_methods(bool noise, int steps, index_t channels) {
  std::vector<shown_method> shown;
  for (const programs::method_entry* entry : programs::methods()) {
    const programs::method_info& info = entry->info();
    if (entry->adds_noise() != noise || !entry->takes_channels(channels)) continue;
    if (!noise) {
      shown.push_back({info.title, {{info.steps, info.steps, info.default_numbers()}, entry}, false});
      continue;
    }
    const std::map<std::string, double> own = info.default_numbers(), original = info.original.numbers;
    std::vector<std::map<std::string, double>> forms{own};
    if (original != own) forms.push_back(original);
    for (const std::map<std::string, double>& numbers : forms) {
      char text[32] = "";
      if (beta_max(numbers) > 0) std::snprintf(text, sizeof text, ", beta up to %g", beta_max(numbers));
      shown.push_back({info.title + text, {{steps, steps, numbers}, entry}, numbers != own});
    }
  }
  return shown;
}

void plot_noise(programs::machine& m, const std::string& path, const std::vector<shown_method>& methods) {
  using programs::chart;
  chart betas{"Variance that a step adds",
              "step t",
              "beta(t)",
              {},
              "bottom right",
              "set logscale y\nset yrange [2e-5:1.5]\nset format y '%g'"};
  chart signals{"What is left of the image", "step t", "signal(t), amplitude", {}, "top right",
                "set yrange [0:1]"};
  for (const auto& [name, method, again] : methods) {
    const auto schedule = method.on(m);
    // Dashes, because schedules that are clipped at two values agree but for the end.
    const char* style = again ? "lines lw 3 dt (8,5)" : "lines lw 2";
    programs::curve beta{name, {}, {}, style}, signal{name, {}, {}, style};
    for (int t = 1; t <= method.steps; ++t) {
      beta.x.push_back(t);
      beta.y.push_back(schedule->amounts(t).beta);
      signal.x.push_back(t);
      signal.y.push_back(schedule->amounts(t).signal);
    }
    betas.curves.push_back(std::move(beta));
    signals.curves.push_back(std::move(signal));
  }
  programs::save_charts(path, {betas, signals}, 2, 1300, 480);
}

void write_csv(programs::machine& m, const std::string& path, const std::vector<shown_method>& methods) {
  std::string text = "kind,beta_max,t,beta,signal,noise\n";
  for (const auto& [name, method, again] : methods) {
    const auto schedule = method.on(m);
    for (int t = 1; t <= method.steps; ++t) {
      const programs::noise_amounts at = schedule->amounts(t);
      char line[160];
      std::snprintf(line, sizeof line, "%s,%g,%d,%.9g,%.9g,%.9g\n", method.name().c_str(),
                    beta_max(method.numbers), t, at.beta, at.signal, at.noise);
      text += line;
    }
  }
  write_file_atomically(path, text);
}

/// A row an image and method: D(x0, t) for t spread evenly over 0 .. T.
void plot_progressions(programs::machine& m, const std::string& path, const labelled_images& images,
                       const std::vector<shown_method>& methods, int columns) {
  const shape dims = images.dims;
  programs::image_table table{"", "share of the steps, t / T", {}, {}, dims.h, dims.w, {}, dims.c};
  for (int i = 0; i < columns; ++i) {
    char label[16];
    std::snprintf(label, sizeof label, "%.3g", static_cast<double>(i) / (columns - 1));
    table.columns.emplace_back(label);
  }
  const auto rows = static_cast<index_t>(methods.size()) * dims.n;
  table.pixels.resize(static_cast<std::size_t>(rows * columns * dims.image()));
  for (std::size_t k = 0; k < methods.size(); ++k) {
    const model_method& method = methods[k].method;
    const auto work = method.on(m);
    for (index_t n = 0; n < dims.n; ++n) table.rows.push_back(n == dims.n / 2 ? methods[k].name : "");
    for (int i = 0; i < columns; ++i) {
      const int t = static_cast<int>(std::lround(static_cast<double>(i) * method.steps / (columns - 1)));
      work->for_each_degraded(images, t, {0, stream::user, 0},
                              [&](index_t first, host_images x0, host_images z) {
                                // Noise schedules add a little at step 0 already; the first column is the image
                                // itself.
                                const host_images shown = t == 0 ? x0 : z;
                                const std::vector<float> pixels(shown.data, shown.data + shown.dims.size());
                                const std::vector<float> unit = programs::to_unit(pixels);
                                for (index_t n = 0; n < shown.dims.n; ++n) {
                                  const index_t row = static_cast<index_t>(k) * dims.n + first + n;
                                  std::copy_n(unit.begin() + n * dims.image(), dims.image(),
                                              table.pixels.begin() + (row * columns + i) * dims.image());
                                }
                              });
    }
  }
  programs::save_image_table(path, table);
}

void plot(programs::machine& m, const settings& s) {
  labelled_images images = programs::load_data(s.data, s.pictures).test;
  require(s.first + s.images <= images.dims.n, "--first", [&] {
    return "found " + std::to_string(s.first) + ", wanted at most " +
           std::to_string(images.dims.n - s.images) + ": there are " + std::to_string(images.dims.n) +
           " test images";
  });
  images = programs::images_from(images, s.first, s.images);
  const index_t channels = images.dims.c;
  require(channels == 1 || channels == 3, s.data.c_str(), [&] {
    return "found images of " + std::to_string(channels) + " channels, wanted grey or coloured ones";
  });
  programs::make_folder(s.out);

  const std::vector<shown_method> noise = shown_methods(true, s.steps, channels);
  std::vector<shown_method> all = shown_methods(false, s.steps, channels);
  all.insert(all.end(), noise.begin(), noise.end());
  const std::string schedules = s.out + "/schedules." + s.format,
                    progressions = s.out + "/progressions." + s.format, table = s.out + "/schedules.csv";
  plot_noise(m, schedules, noise);
  write_csv(m, table, noise);
  plot_progressions(m, progressions, images, all, s.columns);
  for (const auto& [name, method, again] : noise) {
    std::printf("%-26s signal at T: %.5f\n", name.c_str(), method.on(m)->amounts(s.steps).signal);
  }
  std::printf("%s\n%s\n%s\n", schedules.c_str(), table.c_str(), progressions.c_str());
}

void add_options(programs::options& o, settings& s) {
  add_data(o, s.data, s.pictures);
  o.add_output_folder("--out", s.out, "folder for schedules.png, schedules.csv and progressions.png");
  o.add("--format", s.format, "png or svg").one_of({"png", "svg"});
  o.add("--steps", s.steps, "T of the noise schedules").range(1, programs::largest_steps);
  o.add("--images", s.images, "how many test images").range(1, 20);
  o.add("--first", s.first, "the first of them").at_least_0();
  o.add("--columns", s.columns, "steps shown of each").range(2, 30);
  programs::add_machine(o, s.on);
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "plot_schedules", "Draws noise schedules, and every degradation on the same images.",
      add_options, plot);
}
