/// IDX files, the format of MNIST and its successors (http://yann.lecun.com/exdb/mnist, "the IDX file
/// format"), plain or compressed by gzip. Needs zlib.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <coldzoom/core/config.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <coldzoom/core/view.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// A dense array of bytes in row-major order, the last index fastest; the first extent counts the samples.
struct idx_array {
  std::vector<index_t> shape;
  std::vector<std::uint8_t> data;
};

namespace detail {

/// Decompresses one or more gzip members that fill `packed`. The checksum and length of every member are
/// verified.
inline std::vector<std::byte> gunzip(const std::string& path, std::span<const std::byte> packed,
                                     std::size_t largest) {
  struct inflater : z_stream {
    inflater() : z_stream{} {}
    ~inflater() { inflateEnd(this); }
  } stream;
  constexpr int gzip_only = 16 + MAX_WBITS;
  if (inflateInit2(&stream, gzip_only) != Z_OK) throw error(path, "cannot start zlib");

  constexpr std::size_t step = std::numeric_limits<uInt>::max();  // zlib counts in unsigned int
  std::vector<std::byte> plain;
  std::size_t used = 0, filled = 0;
  for (;;) {
    if (filled == plain.size()) {
      // One byte above the limit tells a file that just fits from one that does not.
      plain.resize(std::min(largest + 1, std::max<std::size_t>(2 * plain.size(), 4 * packed.size())));
    }
    const auto in = static_cast<uInt>(std::min(packed.size() - used, step));
    const auto out = static_cast<uInt>(std::min(plain.size() - filled, step));
    // zlib's interface predates const; it does not write to its input.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data() + used));
    stream.avail_in = in;
    stream.next_out = reinterpret_cast<Bytef*>(plain.data() + filled);
    stream.avail_out = out;
    const int status = inflate(&stream, Z_NO_FLUSH);
    used += in - stream.avail_in;
    filled += out - stream.avail_out;
    if (filled > largest) {
      throw error(path, "found more than " + std::to_string(largest) +
                            " bytes in the gzip stream, wanted at most that");
    }
    if (status == Z_STREAM_END) {
      if (used == packed.size()) break;
      if (inflateReset(&stream) != Z_OK) throw error(path, "cannot restart zlib");
    } else if (status == Z_BUF_ERROR || (status == Z_OK && used == packed.size() && stream.avail_out != 0)) {
      throw error(path,
                  "truncated gzip stream: found " + std::to_string(packed.size()) + " bytes, wanted more");
    } else if (status != Z_OK) {
      throw error(path, "corrupt gzip stream at byte " + std::to_string(used) + ": " +
                            (stream.msg ? stream.msg : "unknown reason"));
    }
  }
  plain.resize(filled);
  return plain;
}

inline std::string idx_type_name(unsigned code) {
  switch (code) {
    case 0x08:
      return "0x08 (unsigned byte)";
    case 0x09:
      return "0x09 (signed byte)";
    case 0x0b:
      return "0x0B (16-bit integer)";
    case 0x0c:
      return "0x0C (32-bit integer)";
    case 0x0d:
      return "0x0D (float)";
    case 0x0e:
      return "0x0E (double)";
    default:
      return std::to_string(code) + " (unknown)";
  }
}

}  // namespace detail

/// Reads an IDX file of unsigned bytes, any rank from 1 to 255. Compression is told by the content, not by
/// the name. Throws `error` with the path, what was found and what was wanted: also for bytes after the data,
/// and for a file that decompresses to more than `largest` bytes.
inline idx_array load_idx(const std::string& path, std::size_t largest = std::size_t{1} << 32) {
  std::vector<std::byte> bytes = read_file(path);
  if (bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b}) {
    bytes = detail::gunzip(path, bytes, largest);
  }
  const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(bytes[i]); };
  const auto need = [&](std::size_t wanted) {
    if (bytes.size() < wanted) {
      throw error(path, "found " + std::to_string(bytes.size()) + " bytes, wanted " + std::to_string(wanted) +
                            " for the IDX header");
    }
  };
  need(4);
  if (byte(0) != 0 || byte(1) != 0) {
    throw error(path, "found first bytes " + std::to_string(byte(0)) + " " + std::to_string(byte(1)) +
                          ", wanted 0 0 (IDX) or 31 139 (gzip)");
  }
  if (byte(2) != 0x08) {
    throw error(path, "found element type " + detail::idx_type_name(byte(2)) + ", wanted " +
                          detail::idx_type_name(0x08));
  }
  const std::size_t rank = byte(3), header = 4 + 4 * rank;
  if (rank == 0) throw error(path, "found rank 0, wanted 1 or more");
  need(header);
  idx_array array;
  for (std::size_t at = 4; at < header; at += 4) {
    array.shape.push_back(
        static_cast<index_t>(byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3)));
  }
  const std::size_t wanted = checked_size(path, array.shape, 1);
  if (bytes.size() - header != wanted) {
    throw error(path, "found " + std::to_string(bytes.size() - header) + " bytes of data, wanted " +
                          std::to_string(wanted) + " for shape " + to_string(array.shape));
  }
  array.data.resize(wanted);
  std::copy_n(bytes.data() + header, wanted, std::as_writable_bytes(std::span(array.data)).data());
  return array;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
