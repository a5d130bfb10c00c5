/// Pieces of a web page that needs no other file: escaped text, tables, pictures within the page.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace programs::html {

/// Text as it is to be read, in elements and in quoted attributes.
std::string escape(const std::string& text);

/// RFC 4648, with padding.
std::string base64(std::span<const std::byte> bytes);

/// A cell of a table; `markup` is HTML.
struct cell {
  std::string markup;
  bool strong = false;
};

/// A row with its label; `marked` rows stand out.
struct row {
  std::string label;  // HTML
  std::vector<cell> cells;
  bool marked = false;
};

/// A table whose first row and column are headings, both HTML.
std::string table(const std::vector<std::string>& headings, const std::vector<row>& rows);

/// A PNG file as an <img> that carries its bytes.
std::string embedded_png(const std::string& path, const std::string& description);

/// An SVG file of gnuplot as an <svg> element. `number` must differ between the pictures of a page: all of
/// gnuplot's have the same ids.
std::string embedded_svg(const std::string& path, const std::string& description, std::size_t number);

}  // namespace programs::html
