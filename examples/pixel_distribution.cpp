/// Histograms of the pixels at a level of the degradation: of the data, and of initial states drawn to
/// stand for them.

#include <algorithm>
#include <array>
#include <cmath>
#include <coldzoom/core/file.hpp>
#include <coldzoom/metrics/energy_distance.hpp>
#include <cstdio>

#include "common/data.hpp"
#include "common/latent_policies.hpp"
#include "common/latents.hpp"
#include "common/machine.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"

namespace {

using namespace coldzoom;
using programs::host_images;

struct settings {
  std::string data = "embedded", kind = programs::methods().front()->name(), latent, csv, png, latent_file;
  programs::picture_policy pictures;
  programs::machine_choice on;
  int step = 0;
  index_t count = 0, limit = 0;
  std::uint64_t seed = 0;
  bool smoke = false;
};

/// 256 bins, and how alike two pixels are whose distance is one pixel of the grid of the initial state.
class pixel_statistics {
 public:
  /// Values below `low` and above `high` fall into the end bins; `apart` pixels of a row are compared.
  pixel_statistics(float low, float high, index_t apart) : low_(low), high_(high), apart_(apart) {}

  void add(host_images images) {
    const shape d = images.dims;
    for (index_t i = 0; i < d.size(); ++i) {
      const double value = static_cast<double>(images.data[i]);
      const double bin = (value - static_cast<double>(low_)) / static_cast<double>(high_ - low_) * 256;
      ++counts_[static_cast<std::size_t>(std::clamp(bin, 0.0, 255.0))];
      sum_ += value;
      squares_ += value * value;
      if (i % d.w + apart_ < d.w) {
        const double other = static_cast<double>(images.data[i + apart_]);
        first_ += value;
        second_ += other;
        first_squares_ += value * value;
        second_squares_ += other * other;
        products_ += value * other;
        ++pairs_;
      }
    }
    pixels_ += static_cast<double>(d.size());
    images_ += d.n;
  }

  index_t images() const { return images_; }
  double edge(std::size_t bin) const {
    return static_cast<double>(low_) + static_cast<double>(bin) / 256 * static_cast<double>(high_ - low_);
  }
  std::uint64_t count(std::size_t bin) const { return counts_[bin]; }
  double share(std::size_t bin) const { return static_cast<double>(counts_[bin]) / pixels_; }
  double mean() const { return sum_ / pixels_; }
  double deviation() const { return std::sqrt(std::max(0.0, squares_ / pixels_ - mean() * mean())); }
  /// Of neighbours; 0 where one of them never changes.
  double correlation() const {
    const double n = std::max(pairs_, 1.0), a = first_ / n, b = second_ / n;
    const double spread = (first_squares_ / n - a * a) * (second_squares_ / n - b * b);
    return spread > 0 ? (products_ / n - a * b) / std::sqrt(spread) : 0;
  }

 private:
  float low_, high_;
  index_t apart_, images_ = 0;
  std::array<std::uint64_t, 256> counts_{};
  double pixels_ = 0, sum_ = 0, squares_ = 0;
  double pairs_ = 0, first_ = 0, second_ = 0, first_squares_ = 0, second_squares_ = 0, products_ = 0;
};

pixel_statistics draw_statistics(programs::method_at_work& method, const programs::latent_source& source,
                                 index_t count, std::uint64_t seed, pixel_statistics statistics) {
  programs::progress_bar bar("drawing", static_cast<double>(count), "initial states");
  method.for_each_latent(source, count, seed, [&](index_t first, host_images z) {
    programs::stop_if_requested();
    statistics.add(z);
    bar.update(static_cast<double>(first + z.dims.n));
  });
  return statistics;
}

constexpr index_t compared = 1000;  // images of each side in a two-sample test

/// All pixels of the first images, as rows.
class pixel_rows {
 public:
  void add(host_images z) {
    const index_t more = std::min(compared - rows_.n, z.dims.n);
    rows_.values.insert(rows_.values.end(), z.data, z.data + more * z.dims.image());
    rows_.n += more;
    rows_.d = z.dims.image();
  }
  const feature_set& rows() const { return rows_; }

 private:
  feature_set rows_;
};

/// Whether initial states and training images can be told from test images, by what D keeps of them.
void print_two_sample_tests(programs::machine& m, programs::method_at_work& method,
                            const programs::latent_source& source, const labelled_images& train,
                            const labelled_images& test, int step, std::uint64_t seed) {
  pixel_rows drawn, known, held_out;
  method.for_each_latent(
      source, compared, seed, [&](index_t, host_images z) { drawn.add(z); }, false);
  const auto keep = [&](const labelled_images& images, pixel_rows& rows) {
    method.for_each_kept(programs::first_images(images, compared), step,
                         [&](index_t, host_images, host_images z) { rows.add(z); });
  };
  keep(train, known);
  keep(test, held_out);
  const auto print = [&](const char* name, const pixel_rows& rows) {
    const energy_distance_result found = energy_distance(m.host(), rows.rows(), held_out.rows());
    std::printf(
        "two-sample test, %s against test images: energy distance %.5f, p = %.3f (%td and %td images)\n",
        name, found.distance, found.p_value, rows.rows().n, held_out.rows().n);
  };
  print((source.policy + " initial states").c_str(), drawn);
  print("training images", known);
}

void write_csv(const std::string& path, const pixel_statistics& data, const pixel_statistics& latents) {
  std::string text = "bin,low_edge,data_count,data_share,latent_count,latent_share\n";
  for (std::size_t k = 0; k < 256; ++k) {
    char line[160];
    std::snprintf(line, sizeof line, "%zu,%.6g,%llu,%.9g,%llu,%.9g\n", k, data.edge(k),
                  static_cast<unsigned long long>(data.count(k)), data.share(k),
                  static_cast<unsigned long long>(latents.count(k)), latents.share(k));
    text += line;
  }
  write_file_atomically(path, text);
}

/// One panel; both have the same axes, so that they can be compared.
programs::chart histogram_chart(const std::string& name, const pixel_statistics& s, double lowest) {
  programs::curve bars{"", {}, {}, "boxes fs solid 1.0 lc rgb '#4477aa'"};
  const double width = s.edge(1) - s.edge(0);
  for (std::size_t k = 0; k < 256; ++k) {
    bars.x.push_back(s.edge(k) + width / 2);
    bars.y.push_back(100 * s.share(k));
  }
  char label[160], more[200];
  std::snprintf(label, sizeof label, "pixel (mean %.3f, deviation %.3f, correlation of neighbours %.2f)",
                s.mean(), s.deviation(), std::round(100 * s.correlation()) / 100 + 0.0);
  std::snprintf(more, sizeof more,
                "set logscale y\nset yrange [%g:100]\nset xrange [%g:%g]\nset boxwidth %g absolute", lowest,
                s.edge(0) - 5 * width, s.edge(255) + 6 * width, width);
  return {name, label, "share of the pixels in %", {bars}, "off", more};
}

void write_picture(const std::string& path, const std::string& what, const std::string& policy,
                   const pixel_statistics& data, const pixel_statistics& latents) {
  double lowest = 100;
  for (std::size_t k = 0; k < 256; ++k) {
    for (const double share : {data.share(k), latents.share(k)}) {
      if (share > 0) lowest = std::min(lowest, 100 * share);
    }
  }
  programs::save_charts(
      path,
      {histogram_chart(what, data, lowest / 2), histogram_chart("drawn, " + policy, latents, lowest / 2)}, 2,
      1300, 480);
}

void compare(programs::machine& m, settings s) {
  using namespace programs;
  if (s.smoke) s.limit = s.limit > 0 ? std::min<index_t>(s.limit, 500) : 500;
  const method_entry& kind = find_method("--kind", s.kind);
  method_settings numbers = kind.info().original;
  const std::string policy = s.latent.empty() ? kind.latents().front() : s.latent;
  check_latent(kind, policy);
  const split_pair data = load_data(s.data, s.pictures);
  const labelled_images images = first_images(data.train, s.limit);
  const shape image = images.dims.with_n(1);
  const int step = s.step == 0 ? numbers.steps : s.step, most = kind.most_steps(image);
  // Of a zoom that is all there is to zoom; of what could have any number of steps, those that a model has.
  const int last = most < largest_steps ? most : numbers.steps;
  require(step <= last, "--step", [&] {
    return "found " + std::to_string(step) + ", wanted 1 to " + std::to_string(last) + " for " + s.kind;
  });
  numbers.steps = last;
  const std::unique_ptr<method_at_work> method = kind.on(m, numbers);
  const latent_source source =
      make_latents(m, {{step, step, numbers.numbers}, &kind}, policy, s.data, images);
  // Noise knows no bounds; four deviations leave out 1 value in 16,000.
  const bool noise = kind.latents().front() == gaussian_latents::name;
  const float high = noise ? static_cast<float>(4 * std::max(1.0, method->amounts(step).noise))
                           : value_range::high,
              low = noise ? -high : value_range::low;
  const index_t apart = std::max<index_t>(1, image.w / source.grid_width());
  pixel_statistics of_data(low, high, apart);
  method->for_each_degraded(images, step, {s.seed, stream::user, 0},
                            [&](index_t, host_images, host_images z) {
                              stop_if_requested();
                              of_data.add(z);
                            });
  const index_t count = s.count == 0 ? images.dims.n : s.count;
  const pixel_statistics of_latents =
      draw_statistics(*method, source, count, s.seed, pixel_statistics(low, high, apart));

  const std::string what = "D(x0, " + std::to_string(step) + ") of " + s.kind;
  const auto print = [](const std::string& name, const pixel_statistics& p) {
    std::printf("%-32s %7td images: mean %.4f, deviation %.4f, neighbours correlate by %.3f\n", name.c_str(),
                p.images(), p.mean(), p.deviation(), p.correlation());
  };
  print(what, of_data);
  print(policy + " initial states", of_latents);
  // Pure noise keeps nothing that could be compared.
  if (!noise) print_two_sample_tests(m, *method, source, images, data.test, step, s.seed);
  if (!s.csv.empty()) write_csv(s.csv, of_data, of_latents);
  if (!s.png.empty()) write_picture(s.png, what, policy, of_data, of_latents);
  if (!s.latent_file.empty()) save_latents(s.latent_file, source);
}

void add_options(programs::options& o, settings& s) {
  add_data(o, s.data, s.pictures);
  o.add("--kind", s.kind, "whose degradation: " + programs::method_names());
  o.add("--step", s.step, "t of D(x0, t), 0 for the last of the kind").at_least_0();
  o.add("--latent", s.latent,
        "the initial state: histogram or patches (zoom), gaussian (ddpm), degraded, fitted; by default as "
        "sample does");
  o.add("--count", s.count, "how many initial states to draw, 0 for as many as there are images")
      .at_least_0();
  programs::add_limit(o, s.limit, "training images");
  programs::add_seed(o, s.seed, "of noise and initial states");
  programs::add_machine(o, s.on);
  o.add_output("--csv", s.csv, "both histograms as a table", {".csv"});
  o.add_output("--png", s.png, "both histograms as a picture, .png or .svg (needs gnuplot)",
               {".png", ".svg"});
  o.add_output("--latent-file", s.latent_file, "where to put the initial states, for sample --latent-file",
               {".safetensors"});
  o.add_flag("--smoke", s.smoke, "500 images: shows that everything works, in seconds");
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run_on_machine<settings>(
      argc, argv, "pixel_distribution",
      "Compares the pixels of degraded images with those of initial states drawn to stand "
      "for them.",
      add_options, compare);
}
