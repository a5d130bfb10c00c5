/// Arrays in NumPy's .npy format (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
#pragma once

#include <algorithm>
#include <bit>
#include <charconv>
#include <coldzoom/core/config.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <coldzoom/core/view.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

static_assert(std::endian::native == std::endian::little,
              "npy files are written little-endian, and copied as is");

/// A dense array in row-major order, the last index fastest. Rank 0 is a single value.
template <class T> struct npy_array {
  std::vector<index_t> shape;
  std::vector<T> data;
};

namespace detail {

/// NumPy's name of an element type: float, double, uint8_t, int32_t or int64_t.
template <class T> constexpr std::string_view npy_dtype() {
  if constexpr (std::is_same_v<T, float>)
    return "<f4";
  else if constexpr (std::is_same_v<T, double>)
    return "<f8";
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return "|u1";
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return "<i4";
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return "<i8";
  else
    static_assert(!sizeof(T), "npy elements are float, double, uint8_t, int32_t or int64_t");
}

struct npy_header {
  std::string dtype;
  bool fortran_order = false;
  std::vector<index_t> shape;
  std::size_t data_at = 0;  // in the file
};

/// Parses the header: a Python literal such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class npy_header_parser {
 public:
  npy_header_parser(const std::string& path, std::string_view text) : path_(path), text_(text), rest_(text) {}

  npy_header parse() {
    std::optional<std::string> dtype;
    std::optional<bool> fortran_order;
    std::optional<std::vector<index_t>> shape;
    expect("{");
    while (!accept("}")) {
      const std::string key = string();
      expect(":");
      if (key == "descr" && !dtype)
        dtype = string();
      else if (key == "fortran_order" && !fortran_order)
        fortran_order = boolean();
      else if (key == "shape" && !shape)
        shape = integers();
      else
        fail("found key '" + key + "', wanted descr, fortran_order and shape, once each");
      if (!accept(",")) {
        expect("}");
        break;
      }
    }
    skip_space();
    if (!rest_.empty()) fail("found more after the closing }");
    if (!dtype || !fortran_order || !shape) fail("wanted the keys descr, fortran_order and shape");
    return {std::move(*dtype), *fortran_order, std::move(*shape), 0};
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw error(path_, what + " in the npy header " + std::string(text_));
  }
  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n\r"), rest_.size())); }
  bool accept(std::string_view token) {
    skip_space();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail("wanted " + std::string(token) + " at position " + std::to_string(position()));
  }
  std::size_t position() const { return text_.size() - rest_.size(); }

  std::string string() {
    const char quote = accept("'") ? '\'' : '"';
    if (quote == '"') expect("\"");
    const std::size_t end = rest_.find(quote);
    if (end == std::string_view::npos)
      fail("wanted a closing quote after position " + std::to_string(position()));
    std::string value(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return value;
  }

  bool boolean() {
    if (accept("True")) return true;
    expect("False");
    return false;
  }

  std::vector<index_t> integers() {
    std::vector<index_t> values;
    expect("(");
    while (!accept(")")) {
      skip_space();
      index_t value = 0;
      const auto [end, failure] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
      if (failure != std::errc())
        fail("wanted an integer below 2^63 at position " + std::to_string(position()));
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      values.push_back(value);
      if (!accept(",")) {
        expect(")");
        break;
      }
    }
    return values;
  }

  const std::string& path_;
  std::string_view text_, rest_;
};

/// Row-major copy of an array stored with the first index fastest.
template <class T> std::vector<T> row_major(const std::vector<T>& values, const std::vector<index_t>& shape) {
  std::vector<T> result;
  result.reserve(values.size());
  std::vector<index_t> position(shape.size(), 0);
  for (std::size_t count = 0; count < values.size(); ++count) {
    index_t source = 0;
    for (std::size_t axis = shape.size(); axis-- > 0;) source = source * shape[axis] + position[axis];
    result.push_back(values[static_cast<std::size_t>(source)]);
    for (std::size_t axis = shape.size(); axis-- > 0 && ++position[axis] == shape[axis];) position[axis] = 0;
  }
  return result;
}

inline npy_header read_npy_header(const input_file& file) {
  const std::string& path = file.path();
  std::string start(std::min<std::size_t>(file.size(), 12), '\0');
  file.read(0, std::as_writable_bytes(std::span(start)));
  if (!start.starts_with("\x93NUMPY"))
    throw error(path, "found other first bytes than those of npy, \\x93NUMPY");
  const auto byte = [&](std::size_t i) {
    if (i >= start.size())
      throw error(path, "found " + std::to_string(start.size()) + " bytes, wanted a whole npy header");
    return std::size_t(static_cast<unsigned char>(start[i]));
  };
  const std::size_t major = byte(6), minor = byte(7);
  if (major < 1 || major > 3 || minor != 0) {
    throw error(path, "found npy version " + std::to_string(major) + "." + std::to_string(minor) +
                          ", wanted 1.0, 2.0 or 3.0");
  }
  std::size_t bytes = byte(8) | byte(9) << 8;
  if (major > 1) bytes |= byte(10) << 16 | byte(11) << 24;
  const std::size_t prefix = major > 1 ? 12 : 10;
  if (bytes > file.size() - prefix) {
    throw error(path, "found a header of " + std::to_string(file.size() - prefix) + " bytes, wanted " +
                          std::to_string(bytes));
  }
  std::string text(bytes, '\0');
  file.read(prefix, std::as_writable_bytes(std::span(text)));
  npy_header header = npy_header_parser(path, text).parse();
  header.data_at = prefix + bytes;
  return header;
}

}  // namespace detail

/// The name that NumPy gives the elements of the array in a file, "<f4" or "|u1".
inline std::string npy_dtype_of(const std::string& path) {
  return detail::read_npy_header(input_file(path)).dtype;
}

/// An array in a file, of which a part can be read at a time: any rank, format versions 1.0 to 3.0. What is
/// stored in Fortran order is taken into memory. The constructor throws `error` with the path, what was found
/// and what was wanted; an element type other than little-endian T is an error too.
template <class T> class npy_reader {
 public:
  explicit npy_reader(const std::string& path) : file_(path) {
    detail::npy_header header = detail::read_npy_header(file_);
    data_at_ = header.data_at;
    if (header.dtype != detail::npy_dtype<T>()) {
      throw error(path,
                  "found dtype '" + header.dtype + "', wanted '" + std::string(detail::npy_dtype<T>()) + "'");
    }
    shape_ = std::move(header.shape);
    const std::size_t count = checked_size(path, shape_, sizeof(T)), found = file_.size() - data_at_;
    if (found != count * sizeof(T)) {
      throw error(path, "found " + std::to_string(found) + " bytes of data, wanted " +
                            std::to_string(count * sizeof(T)) + " for shape " + to_string(shape_));
    }
    row_ = rows() > 0 ? count / static_cast<std::size_t>(rows()) : 0;
    if (header.fortran_order) {
      std::vector<T> values(count);
      read(0, rows(), values.data());
      row_major_ = detail::row_major(values, shape_);
    }
  }

  const std::vector<index_t>& shape() const { return shape_; }
  /// The first extent; 1 for rank 0.
  index_t rows() const { return shape_.empty() ? 1 : shape_[0]; }

  /// Rows first .. first + n - 1 along the first axis, each in row-major order. Bit-exact.
  void read(index_t first, index_t n, T* out) const {
    require(first >= 0 && n >= 0 && n <= rows() - first, file_.path().c_str(), [&] {
      return "found " + std::to_string(rows()) + " rows, wanted " + std::to_string(first) + " to " +
             std::to_string(first + n - 1);
    });
    const std::size_t begin = static_cast<std::size_t>(first) * row_;
    const std::span<T> values(out, static_cast<std::size_t>(n) * row_);
    if (!row_major_.empty()) {
      std::copy_n(row_major_.begin() + static_cast<std::ptrdiff_t>(begin), values.size(), out);
    } else {
      file_.read(data_at_ + begin * sizeof(T), std::as_writable_bytes(values));
    }
  }

 private:
  input_file file_;
  std::vector<index_t> shape_;
  std::size_t data_at_ = 0, row_ = 0;
  std::vector<T> row_major_;  // of an array in Fortran order
};

/// Reads a whole array. Throws as npy_reader.
template <class T> npy_array<T> load_npy(const std::string& path) {
  const npy_reader<T> reader(path);
  npy_array<T> array{reader.shape(), std::vector<T>(checked_size(path, reader.shape(), sizeof(T)))};
  reader.read(0, reader.rows(), array.data.data());
  return array;
}

/// Writes values in row-major order (a vector, array or span of float, double, uint8_t, int32_t or int64_t)
/// as version 1.0, replacing an old file entirely or not at all. Throws `error` where the number of values
/// does not fit the shape or the file cannot be written.
template <class Values>
void save_npy(const std::string& path, const Values& values, const std::vector<index_t>& shape) {
  using T = typename Values::value_type;
  const std::span<const T> data(values);
  const std::size_t wanted = checked_size(path, shape, sizeof(T));
  if (data.size() != wanted) {
    throw error(path, "found " + std::to_string(data.size()) + " values, wanted " + std::to_string(wanted) +
                          " for shape " + to_string(shape));
  }
  std::string header =
      "{'descr': '" + std::string(detail::npy_dtype<T>()) + "', 'fortran_order': False, 'shape': (";
  for (const index_t extent : shape) header += std::to_string(extent) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) header.resize(header.size() - 2);  // Python's way: (3,) but (3, 4)
  header += "), }";
  // The data begins at a multiple of 64 bytes; the header ends in a line feed.
  constexpr std::size_t prefix = 10;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  if (header.size() > 0xffff)
    throw error(path, "found rank " + std::to_string(shape.size()) + ", too high for npy 1.0");
  const char start[prefix] = {'\x93',
                              'N',
                              'U',
                              'M',
                              'P',
                              'Y',
                              1,
                              0,
                              static_cast<char>(header.size() & 0xff),
                              static_cast<char>(header.size() >> 8)};

  atomic_file out(path);
  out.write(std::as_bytes(std::span(start)));
  out.write(std::as_bytes(std::span(header)));
  out.write(std::as_bytes(data));
  out.commit();
}

template <class T> void save_npy(const std::string& path, const npy_array<T>& array) {
  save_npy(path, array.data, array.shape);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
