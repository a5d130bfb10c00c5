#include "common/plot.hpp"

#include <gnuplot-iostream.h>

#include <algorithm>
#include <cmath>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <filesystem>
#include <utility>

namespace programs {

namespace {

/// A string as gnuplot reads it, nothing in it special.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c == '\n' ? ' ' : c;
  }
  return out + "'";
}

/// Runs gnuplot with draw(stream), and puts its picture in place only if there is one.
template <class Draw> void with_gnuplot(const std::string& path, int width, int height, Draw&& draw) {
  const std::string type = std::filesystem::path(path).extension();
  coldzoom::require(type == ".png" || type == ".svg", path.c_str(),
                    "found another ending, wanted a picture named .png or .svg");
  coldzoom::write_file_atomically(path, std::string());  // gnuplot itself would fail in silence
  {
    gnuplotio::Gnuplot plot("gnuplot --default-settings");  // not those of the user's .gnuplot
    plot << "set terminal " << (type == ".png" ? "pngcairo" : "svg standalone") << " size " << width << ','
         << height << " noenhanced background rgb 'white' font 'sans-serif," << (type == ".png" ? 11 : 13)
         << "'\nset output " << quoted(path) << "\n";
    draw(plot);
  }  // waits for gnuplot
  coldzoom::require(std::filesystem::file_size(path) > 0, path.c_str(),
                    "gnuplot drew nothing; is it installed (package gnuplot-nox)?");
}

void draw_chart(gnuplotio::Gnuplot& plot, const chart& c) {
  plot << "reset\nset title " << quoted(c.title) << "\nset xlabel " << quoted(c.x_label) << "\nset ylabel "
       << quoted(c.y_label) << "\nset grid\nset key " << c.key << "\nset style fill solid 1.0 noborder\n"
       << c.more << "\nplot ";
  for (std::size_t i = 0; i < c.curves.size(); ++i) {
    const curve& line = c.curves[i];
    plot << (i > 0 ? ", " : "") << "'-' with " << line.style << ' '
         << (line.title.empty() ? "notitle" : "title " + quoted(line.title));
  }
  plot << '\n';
  for (const curve& line : c.curves) plot.send1d(std::make_pair(line.x, line.y));
}

}  // namespace

void save_charts(const std::string& path, const std::vector<chart>& charts, int columns, int width,
                 int height) {
  for (const chart& c : charts) {
    const bool drawn = std::any_of(c.curves.begin(), c.curves.end(), [](const curve& line) {
      return !line.x.empty() && line.x.size() == line.y.size();
    });
    coldzoom::require(drawn, path.c_str(), [&] { return "chart '" + c.title + "' has nothing to draw"; });
  }
  const int rows = (static_cast<int>(charts.size()) + columns - 1) / columns;
  with_gnuplot(path, width, height, [&](gnuplotio::Gnuplot& plot) {
    plot << "set multiplot layout " << rows << ',' << columns << '\n';
    for (const chart& c : charts) draw_chart(plot, c);
    plot << "unset multiplot\n";
  });
}

void save_image_table(const std::string& path, const image_table& t, int scale) {
  using coldzoom::index_t;
  constexpr index_t gap = 2;  // pixels of the pictures
  const auto rows = static_cast<index_t>(t.rows.size()), columns = static_cast<index_t>(t.columns.size());
  coldzoom::require(
      rows * columns > 0 && (t.channels == 1 || t.channels == 3) &&
          rows * columns * t.channels * t.height * t.width == static_cast<index_t>(t.pixels.size()),
      path.c_str(), [&] {
        return "found " + std::to_string(t.pixels.size()) + " pixels of " + std::to_string(t.channels) +
               " channels, wanted " + std::to_string(rows) + " x " + std::to_string(columns) +
               " pictures of 1 or 3 channels";
      });
  const index_t cell_h = t.height + gap, cell_w = t.width + gap, h = rows * cell_h, w = columns * cell_w;
  std::vector<float> sheet(static_cast<std::size_t>(h * w * t.channels), 1.0f);  // [y][x][channel]
  for (index_t i = 0; i < static_cast<index_t>(t.pixels.size()); ++i) {
    const index_t x = i % t.width, y = i / t.width % t.height, plane = i / (t.width * t.height),
                  cell = plane / t.channels, down = cell / columns * cell_h + y,
                  across = cell % columns * cell_w + x;
    sheet[static_cast<std::size_t>((down * w + across) * t.channels + plane % t.channels)] =
        t.pixels[static_cast<std::size_t>(i)];
  }
  const auto longest = std::max_element(t.rows.begin(), t.rows.end(),
                                        [](const auto& a, const auto& b) { return a.size() < b.size(); });
  const int left = 20 + 8 * static_cast<int>(longest->size());
  const int top = t.title.empty() ? 15 : 40, bottom = t.x_label.empty() ? 30 : 55;
  const int width = left + static_cast<int>(w) * scale + 15,
            height = top + static_cast<int>(h) * scale + bottom;
  with_gnuplot(path, width, height, [&](gnuplotio::Gnuplot& plot) {
    const auto tics = [&](const char* axis, const std::vector<std::string>& labels, index_t cell,
                          index_t size) {
      plot << "set " << axis << "tics scale 0 (";
      for (std::size_t i = 0; i < labels.size(); ++i) {
        plot << (i > 0 ? ", " : "") << quoted(labels[i]) << ' '
             << scale * (static_cast<double>(static_cast<index_t>(i) * cell) +
                         static_cast<double>(size) / 2) -
                    0.5;
      }
      plot << ")\n";
    };
    plot << "set lmargin at screen " << static_cast<double>(left) / width << "\nset rmargin at screen "
         << static_cast<double>(left + static_cast<int>(w) * scale) / width << "\nset bmargin at screen "
         << static_cast<double>(bottom) / height << "\nset tmargin at screen "
         << static_cast<double>(bottom + static_cast<int>(h) * scale) / height << "\nset title "
         << quoted(t.title) << "\nset xlabel " << quoted(t.x_label)
         << "\nset palette gray\nset cbrange [0:1]\nunset colorbox\nunset border\nset xrange [-0.5:"
         << static_cast<double>(w * scale) - 0.5 << "]\nset yrange [" << static_cast<double>(h * scale) - 0.5
         << ":-0.5]\n";
    tics("x", t.columns, cell_w, t.width);
    tics("y", t.rows, cell_h, t.height);
    // Each pixel is sent scale x scale times: gnuplot and browsers would blur where they had to enlarge.
    const bool grey = t.channels == 1;
    plot << (grey ? "plot '-' matrix with image notitle\n" : "plot '-' with rgbimage notitle\n");
    for (index_t y = 0; y < h * scale; ++y) {
      for (index_t x = 0; x < w * scale; ++x) {
        if (!grey) plot << x << ' ' << y << ' ';
        for (index_t c = 0; c < t.channels; ++c) {
          const float value = sheet[static_cast<std::size_t>((y / scale * w + x / scale) * t.channels + c)];
          plot << (grey ? value : std::round(255 * value)) << ' ';
        }
        if (!grey) plot << '\n';
      }
      if (grey) plot << '\n';
    }
    plot << "e\n";
  });
}

}  // namespace programs
