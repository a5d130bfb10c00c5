// The table of docs/backends.md, made from what the layers ask of a backend.
#pragma once

#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/dense_product.hpp>
#include <coldzoom/backend/graph_capture.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/nn/conv_block.hpp>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace backend_table {

/// Rows of the table for a backend: the operation, and what runs it.
///   own      the backend has this operation
///   blocks   block kernels of backend/block
///   generic  kernels that every backend runs
///   no       the backend does not do this, and nothing depends on it
/// Backends must have the product, and no backend has a norm or an error of its own: test_table.cpp counts
/// what runs there.
template <class B> std::vector<std::pair<std::string, std::string>> rows() {
  namespace cz = coldzoom;
  using gelu = cz::generic::gelu_function;
  using silu = cz::generic::silu_function;
  constexpr bool blocks = cz::BlockBackend<B>;
  const auto row = [](const char* operation, bool own, bool in_blocks, const char* otherwise = "generic") {
    return std::pair<std::string, std::string>(operation, own ? "own" : in_blocks ? "blocks" : otherwise);
  };
  return {row("matrix product, sum, copies", cz::Backend<B>, false),
          row("convolution", cz::detail::own_convolution<B>, blocks),
          row("layer norm + GELU (+ time condition) after a convolution",
              cz::detail::own_conv_block<B, cz::layer_norm_pixels::affine, gelu>, blocks),
          row("group norm + SiLU (+ time condition) after a convolution",
              cz::detail::own_conv_block<B, cz::group_norm::affine, silu>, blocks),
          row("normalisation as a layer of its own",
              !blocks && !std::is_same_v<cz::normalisation_t<B, cz::group_norm::affine, silu>,
                                         cz::generic::normalisation<B, silu>>,
              blocks),
          row("attention", !std::is_same_v<cz::attention_t<B>, cz::generic::attention<B>>, false),
          row(
              "GELU, SiLU as layers of their own",
              requires(B & b, cz::real_t<B> * p) { b.template apply<gelu>(p, p, cz::index_t{1}); }, false),
          row("squared error", false, blocks),
          row("linear maps of rows and columns", cz::MultipliesMatrices<B>, false),
          row("zoom", cz::detail::plain_batch<cz::zoom<cz::nearest>, B>, false),
          row("sums that are read later", cz::SumsLater<B>, false, "no"),
          row("captured training steps and network calls", cz::CapturesGraphs<B>, false, "no")};
}

/// Cells of a Markdown line, without spaces around them.
inline std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> found;
  for (std::size_t at = 1; at < line.size();) {
    const std::size_t end = std::min(line.find('|', at), line.size());
    const std::size_t first = std::min(line.find_first_not_of(' ', at), end);
    const std::size_t last = line.find_last_not_of(' ', end - 1);
    found.push_back(first < end ? line.substr(first, last - first + 1) : "");
    at = end + 1;
  }
  return found;
}

/// Checks the column `name` of the table in docs/backends.md.
template <class B> void check(const std::string& name) {
  const std::string path = std::string(COLDZOOM_TESTS_DIR) + "/../docs/backends.md";
  std::ifstream file(path);
  BOOST_REQUIRE_MESSAGE(file, path << " cannot be read");
  std::string line;
  while (std::getline(file, line) && line.rfind("| operation | `", 0) != 0) {
  }
  const std::vector<std::string> titles = cells(line);
  std::size_t column = 1;
  while (column < titles.size() && titles[column] != "`" + name + "`") ++column;
  BOOST_REQUIRE_MESSAGE(column < titles.size(), path << " has no column for " << name);
  BOOST_REQUIRE(std::getline(file, line));
  for (const auto& [operation, wanted] : rows<B>()) {
    BOOST_REQUIRE(std::getline(file, line));
    const std::vector<std::string> found = cells(line);
    BOOST_REQUIRE_MESSAGE(found.size() > column && found[0] == operation,
                          path << ": found '" << line << "', wanted the row of '" << operation << "'");
    BOOST_TEST(found[column] == wanted, path << ": " << operation << " of " << name << ": found '"
                                             << found[column] << "', wanted '" << wanted << "'");
  }
  BOOST_REQUIRE(std::getline(file, line));
  BOOST_TEST(line.empty(), path << ": found the row '" << line << "', which the code does not know");
}

}  // namespace backend_table
