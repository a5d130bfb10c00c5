/// Draws several sets of samples, and real images, beside each other in one picture.

#include <cstdio>

#include "common/image_set.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"

namespace {

using namespace coldzoom;

struct settings {
  std::vector<std::string> samples, names;
  std::string real, out = "samples.png";
  index_t rows = 10, columns = 10;
};

/// The first images of a set as one picture of rows and columns.
std::vector<float> grid_of(const programs::image_set& images, const settings& s) {
  const shape d = images.dims;
  std::vector<float> sheet(static_cast<std::size_t>(s.rows * s.columns * d.pixels()));
  for (index_t n = 0; n < s.rows * s.columns; ++n) {
    for (index_t y = 0; y < d.h; ++y) {
      const index_t row = n / s.columns * d.h + y, column = n % s.columns * d.w;
      std::copy_n(images.pixels.begin() + (n * d.h + y) * d.w, d.w,
                  sheet.begin() + row * s.columns * d.w + column);
    }
  }
  return sheet;
}

void show(const settings& s) {
  using namespace programs;
  const index_t count = s.rows * s.columns;
  std::vector<std::pair<std::string, image_set>> sets;
  const auto add = [&](const std::string& name, image_set images) {
    require(images.dims.c == 1, name.c_str(), "found images of several channels, wanted grey ones");
    require(images.dims.n >= count, name.c_str(), [&] {
      return "found " + std::to_string(images.dims.n) + " images, wanted at least " + std::to_string(count);
    });
    require(sets.empty() || images.dims == sets.front().second.dims, name.c_str(), [&] {
      return "found images of " + to_string(images.dims) + ", wanted " + to_string(sets.front().second.dims) +
             " as in " + sets.front().first;
    });
    sets.emplace_back(name, std::move(images));
  };
  require(s.names.empty() || s.names.size() == s.samples.size(), "--names", [&] {
    return "found " + std::to_string(s.names.size()) + " names for " + std::to_string(s.samples.size()) +
           " files";
  });
  const split_pair data = load_data(s.real.empty() ? "embedded" : s.real);
  for (std::size_t i = 0; i < s.samples.size(); ++i) {
    add(s.names.empty() ? s.samples[i] : s.names[i],
        load_samples(s.samples[i], data.test.dims.with_n(1), count));
  }
  if (!s.real.empty()) add("real", to_image_set(data.test, count));
  require(!sets.empty(), "--samples", "there is nothing to show; give at least one file, or --real");

  image_table table;
  table.rows = {""};
  table.height = s.rows * sets.front().second.dims.h;
  table.width = s.columns * sets.front().second.dims.w;
  for (const auto& [name, images] : sets) table.columns.push_back(name);
  for (const auto& [name, images] : sets) {
    const std::vector<float> sheet = grid_of(images, s);
    table.pixels.insert(table.pixels.end(), sheet.begin(), sheet.end());
  }
  save_image_table(s.out, table, 1);
  std::printf("%s\n", s.out.c_str());
}

void add_options(programs::options& o, settings& s) {
  o.add("--samples", s.samples, "files of samples, N x H x W float32 in [0, 1] (.npy), one after another");
  o.add("--names", s.names, "what stands below each; the files' names if absent");
  o.add("--real", s.real,
        std::string("shows the first test images of a data set besides: ") + programs::data_help);
  o.add("--rows", s.rows, "of each grid").range(1, 100);
  o.add("--columns", s.columns, "of each grid").range(1, 100);
  o.add_output("--out", s.out, "PNG or SVG, by its name", {".png", ".svg"});
}

}  // namespace

int main(int argc, char** argv) {
  return programs::run<settings>(
      argc, argv, "show_samples",
      "Draws several sets of samples, and real images, beside each other: the first "
      "of each, unselected.",
      add_options, show);
}
