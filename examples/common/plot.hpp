/// Plots by gnuplot: charts of curves and bars, and labelled grids of images. PNG or SVG, by the file's name.
#pragma once

#include <coldzoom/core/view.hpp>
#include <string>
#include <vector>

namespace programs {

/// One line of a chart.
struct curve {
  std::string title;  // in the legend; empty for none
  std::vector<double> x, y;
  std::string style = "lines lw 2";  // gnuplot's: lines, linespoints, points, boxes, ... with their options
};

/// One pair of axes. Titles and labels are shown as they are, without markup.
struct chart {
  std::string title, x_label, y_label;
  std::vector<curve> curves;
  std::string key = "top right";  // where the legend is
  std::string more = "";          // gnuplot commands of one's own, such as "set logscale y"
};

/// Pictures of one size in rows and columns, with a label at each.
struct image_table {
  std::string title, x_label;
  std::vector<std::string> rows, columns;   // labels
  coldzoom::index_t height = 0, width = 0;  // of one picture
  std::vector<float> pixels;                // rows x columns x channels x height x width in [0, 1]
  coldzoom::index_t channels = 1;           // 1 for grey, 3 for red, green and blue
};

/// Draws charts in rows of `columns` into one picture of `width` x `height` pixels. Throws coldzoom::error
/// where there is nothing to draw, the file cannot be written or gnuplot fails.
void save_charts(const std::string& path, const std::vector<chart>& charts, int columns = 1, int width = 900,
                 int height = 540);

/// Draws a table of pictures, each pixel `scale` pixels wide. Throws as save_charts.
void save_image_table(const std::string& path, const image_table& table, int scale = 2);

}  // namespace programs
