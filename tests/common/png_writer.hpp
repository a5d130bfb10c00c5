/// PNG files of any kind, written by zlib and the specification alone: https://www.w3.org/TR/png.
#pragma once

#include <zlib.h>

#include <coldzoom/core/view.hpp>
#include <cstdint>
#include <string>
#include <vector>

class png_writer {
 public:
  /// `colour` is that of the specification: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
  png_writer(coldzoom::index_t height, coldzoom::index_t width, int bits, int colour, bool interlaced = false)
      : height_(height) {
    std::vector<std::uint8_t> header;
    for (const coldzoom::index_t extent : {width, height}) {
      for (const int shift : {24, 16, 8, 0}) header.push_back(static_cast<std::uint8_t>(extent >> shift));
    }
    for (const int value : {bits, colour, 0, 0, interlaced ? 1 : 0})
      header.push_back(static_cast<std::uint8_t>(value));
    chunk("IHDR", header);
  }

  void chunk(const std::string& type, const std::vector<std::uint8_t>& data) {
    const std::string body = type + std::string(data.begin(), data.end());
    number(data.size());
    file_ += body;
    number(crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
  }

  /// The file with rows of these bytes, one after another, which no filter changes.
  std::string rows(const std::vector<std::uint8_t>& pixels) {
    std::vector<std::uint8_t> filtered_rows;
    const auto row = static_cast<std::ptrdiff_t>(pixels.size()) / height_;
    for (coldzoom::index_t y = 0; y < height_; ++y) {
      filtered_rows.push_back(0);
      filtered_rows.insert(filtered_rows.end(), pixels.begin() + y * row, pixels.begin() + (y + 1) * row);
    }
    return filtered(filtered_rows);
  }
  /// The file with rows that begin with the number of their filter.
  std::string filtered(const std::vector<std::uint8_t>& rows_with_filters) {
    std::vector<std::uint8_t> packed(compressBound(rows_with_filters.size()));
    uLongf size = packed.size();
    compress(packed.data(), &size, rows_with_filters.data(), rows_with_filters.size());
    packed.resize(size);
    chunk("IDAT", packed);
    chunk("IEND", {});
    return file_;
  }

 private:
  void number(std::uint64_t value) {
    for (const int shift : {24, 16, 8, 0}) file_ += static_cast<char>(value >> shift);
  }

  coldzoom::index_t height_;
  std::string file_ = "\x89PNG\r\n\x1a\n";
};
