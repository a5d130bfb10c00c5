/// The pictures of the page.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/html.hpp"
#include "common/image_set.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"
#include "report/runs.hpp"

namespace programs::report {

/// The pictures of the page: each a PNG in a folder beside it, and within it.
class picture_book {
 public:
  /// OUT without its ending, and "_files".
  explicit picture_book(const std::string& page)
      : folder_(std::filesystem::path(page).replace_extension().string() + "_files") {
    make_folder(folder_);
  }

  const std::string& folder() const { return folder_; }

  std::string add(const std::string& name, const chart& chart, int width, int height) {
    save_charts(file(name + ".png"), {chart}, 1, width, height);
    const std::string svg = file(name + ".svg");
    save_charts(svg, {chart}, 1, width, height);
    const std::string element = html::embedded_svg(svg, chart.title, ++count_);
    std::filesystem::remove(svg);
    return element;
  }
  std::string add(const std::string& name, const image_set& images, const std::string& description,
                  coldzoom::index_t most) {
    save_grid(file(name + ".png"), images, most, 10);
    return html::embedded_png(file(name + ".png"), description);
  }

 private:
  std::string file(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
  std::size_t count_ = 0;
};

/// What of a name fits into one of two columns of the legend of a wide chart, whatever the font.
inline constexpr std::size_t legend_name = 24;
inline constexpr const char* legend = "above maxcols 2 samplen 2";

/// Height of the legend of so many curves.
inline int legend_height(std::size_t curves) { return 18 * static_cast<int>((curves + 1) / 2); }

/// A name that fits into a legend: what is too much is taken out of the middle.
std::string short_name(const std::string& name, std::size_t most);

chart score_chart(const score_field& field, const std::vector<run_report>& runs,
                  const nlohmann::ordered_json* floor);

/// Bars side by side, a group a digit.
chart class_chart(const std::vector<run_report>& runs, const nlohmann::ordered_json* floor);

}  // namespace programs::report
