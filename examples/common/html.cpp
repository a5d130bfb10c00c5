#include "common/html.hpp"

#include <algorithm>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>

namespace programs::html {

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string base64(std::span<const std::byte> bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < n ? std::to_integer<unsigned>(bytes[i + k]) : 0u);
    for (unsigned k = 0; k < 4; ++k) out += k <= n ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string table(const std::vector<std::string>& headings, const std::vector<row>& rows) {
  std::string out = "<table>\n<thead><tr><td></td>";
  for (const std::string& heading : headings) out += "<th scope=\"col\">" + heading + "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (const row& r : rows) {
    out += std::string("<tr") + (r.marked ? " class=\"marked\"" : "") + "><th scope=\"row\">" + r.label +
           "</th>";
    for (const cell& c : r.cells) {
      out += c.strong ? "<td><strong>" + c.markup + "</strong></td>" : "<td>" + c.markup + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n";
}

std::string embedded_png(const std::string& path, const std::string& description) {
  return "<img alt=\"" + escape(description) + "\" src=\"data:image/png;base64," +
         base64(coldzoom::read_file(path)) + "\">";
}

std::string embedded_svg(const std::string& path, const std::string& description, std::size_t number) {
  const std::vector<std::byte> bytes = coldzoom::read_file(path);
  std::string svg(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t start = svg.find("<svg");
  coldzoom::require(start != std::string::npos, path.c_str(), "found no SVG picture");
  svg.erase(0, start);
  const auto replace_all = [&](const std::string& from, const std::string& to) {
    for (std::size_t at = svg.find(from); at != std::string::npos; at = svg.find(from, at + to.size())) {
      svg.replace(at, from.size(), to);
    }
  };
  const std::string prefix = 'p' + std::to_string(number) + '-';
  for (const char* mark : {" id='", " id=\"", "href='#", "url(#"}) replace_all(mark, mark + prefix);
  // Names such as gnuplot_plot_1, which browsers show when one points at a curve.
  for (std::size_t at = svg.find("<title>"); at != std::string::npos; at = svg.find("<title>", at)) {
    const std::size_t end = svg.find("</title>", at);
    coldzoom::require(end != std::string::npos, path.c_str(), "found an SVG picture that is cut off");
    svg.erase(at, end + 8 - at);
  }
  svg.insert(4, " role=\"img\" aria-label=\"" + escape(description) + "\"");
  return svg;
}

}  // namespace programs::html
