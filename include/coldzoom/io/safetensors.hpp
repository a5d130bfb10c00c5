/// Weights and other named arrays in the safetensors format (https://huggingface.co/docs/safetensors).
/// Needs nlohmann/json, headers only.
#pragma once

#include <algorithm>
#include <bit>
#include <coldzoom/core/config.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <coldzoom/core/view.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

static_assert(std::endian::native == std::endian::little,
              "safetensors files are little-endian, and copied as is");

/// The element types that are read and written: F32, F64, U8, I32, I64.
using array_data = std::variant<std::vector<float>, std::vector<double>, std::vector<std::uint8_t>,
                                std::vector<std::int32_t>, std::vector<std::int64_t>>;

namespace detail {

template <class T> array_data zeros(std::size_t count) { return std::vector<T>(count); }

struct safetensors_dtype {
  std::string_view name;
  std::size_t bytes;
  array_data (*zeros)(std::size_t count);
};

/// In the order of `array_data`.
inline constexpr safetensors_dtype safetensors_dtypes[] = {{"F32", 4, zeros<float>},
                                                           {"F64", 8, zeros<double>},
                                                           {"U8", 1, zeros<std::uint8_t>},
                                                           {"I32", 4, zeros<std::int32_t>},
                                                           {"I64", 8, zeros<std::int64_t>}};
static_assert(std::size(safetensors_dtypes) == std::variant_size_v<array_data>);

inline const safetensors_dtype& dtype_of(const array_data& data) { return safetensors_dtypes[data.index()]; }

inline std::span<const std::byte> bytes_of(const array_data& data) {
  return std::visit([](const auto& values) { return std::as_bytes(std::span(values)); }, data);
}

}  // namespace detail

/// A dense array in row-major order, the last index fastest. Rank 0 is a single value.
struct named_array {
  std::string name;
  std::vector<index_t> shape;
  array_data data;
};

/// What a .safetensors file holds. The arrays keep the order in which they were added, in memory and on disk.
class safetensors_file {
 public:
  std::vector<named_array> arrays;
  std::map<std::string, std::string> metadata;
  /// Begins the messages of errors; `load_safetensors` stores the path here.
  std::string source = "safetensors_file";

  /// Appends. Throws `error` where the name is taken or the number of values does not fit the shape.
  template <class T> void add(std::string name, std::vector<index_t> shape, std::vector<T> values) {
    const std::string where = source + ": array '" + name + "'";
    if (find(name)) throw error(where, "is there already");
    const std::size_t wanted = checked_size(where, shape, sizeof(T));
    if (values.size() != wanted) {
      throw error(where, "found " + std::to_string(values.size()) + " values, wanted " +
                             std::to_string(wanted) + " for shape " + to_string(shape));
    }
    arrays.push_back({std::move(name), std::move(shape), std::move(values)});
  }

  /// Null where there is none of this name.
  const named_array* find(std::string_view name) const {
    const auto found =
        std::find_if(arrays.begin(), arrays.end(), [&](const auto& a) { return a.name == name; });
    return found == arrays.end() ? nullptr : &*found;
  }

  /// The values of one array. Throws `error` where it is absent or of another element type.
  template <class T> const std::vector<T>& values(const std::string& name) const {
    return std::get<std::vector<T>>(checked<T>(name).data);
  }

  /// The same, and the shape must be this one.
  template <class T>
  const std::vector<T>& values(const std::string& name, const std::vector<index_t>& shape) const {
    const named_array& array = checked<T>(name);
    if (array.shape != shape) {
      throw error(source, "array '" + name + "': found shape " + to_string(array.shape) + ", wanted " +
                              to_string(shape));
    }
    return std::get<std::vector<T>>(array.data);
  }

 private:
  template <class T> const named_array& checked(const std::string& name) const {
    const named_array* array = find(name);
    if (!array) throw error(source, "found no array '" + name + "'");
    if (!std::holds_alternative<std::vector<T>>(array->data)) {
      throw error(source, "array '" + name + "': found dtype " +
                              std::string(detail::dtype_of(array->data).name) + ", wanted " +
                              std::string(detail::dtype_of(std::vector<T>()).name));
    }
    return *array;
  }
};

/// Reads a file, checking everything it says about itself: the arrays must tile the data without overlap, gap
/// or rest. Bit-exact. Throws `error` with the path, what was found and what was wanted.
///
/// A template, as is save_safetensors, so that units can declare an instance extern and another compile it.
template <class Json = nlohmann::ordered_json> safetensors_file load_safetensors(const std::string& path);

/// Writes a file, replacing an old one entirely or not at all. Throws `error` where it cannot, or where an
/// array has a reserved or repeated name, or does not fit its shape.
template <class Json = nlohmann::ordered_json>
void save_safetensors(const std::string& path, const safetensors_file& file);

namespace detail {

/// Parses the JSON header and refuses what a JSON library lets pass: a key given twice.
template <class Json>
Json parse_safetensors_header(const std::string& path, const char* first, const char* last) {
  std::vector<std::set<std::string>> keys;  // of the objects open at this point
  const auto refuse_duplicates = [&](int, typename Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.template get<std::string>()).second) {
      throw error(path, "header names '" + parsed.template get<std::string>() + "' twice");
    }
    return true;
  };
  try {
    Json header = Json::parse(first, last, refuse_duplicates);
    if (!header.is_object())
      throw error(path, std::string("header is a JSON ") + header.type_name() + ", wanted an object");
    return header;
  } catch (const typename Json::exception& failure) {
    throw error(path, std::string("header is not JSON: ") + failure.what());
  }
}

/// The non-negative integers of one JSON array.
template <class Json>
std::vector<index_t> parse_integers(const std::string& where, const Json& entry, const char* key) {
  const auto list = entry.find(key);
  if (list == entry.end()) throw error(where, std::string("found no ") + key);
  const auto refuse = [&] {
    return error(where, std::string("found ") + key + " " + list->dump() +
                            ", wanted a list of integers from 0 to 2^63 - 1");
  };
  if (!list->is_array()) throw refuse();
  std::vector<index_t> integers;
  for (const Json& item : *list) {
    if (!item.is_number_unsigned() ||
        item.template get<std::uint64_t>() > std::uint64_t{std::numeric_limits<index_t>::max()}) {
      throw refuse();
    }
    integers.push_back(item.template get<index_t>());
  }
  return integers;
}

}  // namespace detail

template <class Json> safetensors_file load_safetensors(const std::string& path) {
  constexpr std::uint64_t largest_header = 100'000'000;  // as in the reference implementation
  const std::vector<std::byte> bytes = read_file(path);
  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof(header_bytes)) {
    throw error(path,
                "found " + std::to_string(bytes.size()) + " bytes, wanted 8 for the length of the header");
  }
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  const std::span body = std::span(bytes).subspan(sizeof(header_bytes));
  if (header_bytes > std::min<std::uint64_t>(largest_header, body.size())) {
    throw error(path, "found a header length of " + std::to_string(header_bytes) +
                          " bytes, wanted at most the " + std::to_string(body.size()) +
                          " that follow and at most 100000000");
  }
  const char* text = reinterpret_cast<const char*>(body.data());
  const Json header = detail::parse_safetensors_header<Json>(path, text, text + header_bytes);
  const std::span data = body.subspan(header_bytes);

  safetensors_file file;
  file.source = path;
  std::vector<std::pair<std::size_t, std::size_t>> extents;  // where the arrays lie in the data: begin, end
  for (const auto& [name, entry] : header.items()) {
    if (!entry.is_object()) {
      throw error(path, "header entry '" + name + "' is a JSON " + entry.type_name() + ", wanted an object");
    }
    if (name == "__metadata__") {
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string())
          throw error(path, "metadata '" + key + "' is " + value.dump() + ", wanted a string");
        file.metadata[key] = value.template get<std::string>();
      }
      continue;
    }
    const std::string where = path + ": array '" + name + "'";
    const auto stated = entry.find("dtype");
    if (stated == entry.end() || !stated->is_string()) throw error(where, "found no dtype");
    const auto* dtype =
        std::find_if(std::begin(detail::safetensors_dtypes), std::end(detail::safetensors_dtypes),
                     [&](const auto& known) { return known.name == stated->template get<std::string>(); });
    if (dtype == std::end(detail::safetensors_dtypes)) {
      throw error(where, "found dtype " + stated->dump() + ", wanted F32, F64, U8, I32 or I64");
    }
    std::vector<index_t> shape = detail::parse_integers(where, entry, "shape");
    const std::vector<index_t> offsets = detail::parse_integers(where, entry, "data_offsets");
    const std::size_t count = checked_size(where, shape, dtype->bytes);
    if (offsets.size() != 2 || offsets[0] > offsets[1] ||
        static_cast<std::size_t>(offsets[1]) > data.size()) {
      throw error(where, "found data_offsets " + to_string(offsets) + ", wanted [begin, end] within the " +
                             std::to_string(data.size()) + " bytes of data");
    }
    const auto begin = static_cast<std::size_t>(offsets[0]), end = static_cast<std::size_t>(offsets[1]);
    if (end - begin != count * dtype->bytes) {
      throw error(where, "found " + std::to_string(end - begin) + " bytes, wanted " +
                             std::to_string(count * dtype->bytes) + " for " + std::string(dtype->name) +
                             " of shape " + to_string(shape));
    }
    array_data values = dtype->zeros(count);
    std::visit(
        [&](auto& v) {
          std::copy_n(data.data() + begin, end - begin, std::as_writable_bytes(std::span(v)).data());
        },
        values);
    extents.emplace_back(begin, end);
    file.arrays.push_back({name, std::move(shape), std::move(values)});
  }

  std::sort(extents.begin(), extents.end());
  std::size_t covered = 0;
  for (const auto& [begin, end] : extents) {
    if (begin != covered) {
      throw error(path, "found an array that begins at byte " + std::to_string(begin) +
                            " of the data, wanted one at byte " + std::to_string(covered) +
                            (begin < covered ? " (two overlap)" : " (a gap)"));
    }
    covered = end;
  }
  if (covered != data.size()) {
    throw error(path,
                "found " + std::to_string(data.size()) + " bytes of data, wanted " + std::to_string(covered));
  }
  return file;
}

template <class Json> void save_safetensors(const std::string& path, const safetensors_file& file) {
  // Wide elements lie first, so that every array is aligned to its element in a file mapped into memory.
  std::vector<std::size_t> order(file.arrays.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return detail::dtype_of(file.arrays[a].data).bytes > detail::dtype_of(file.arrays[b].data).bytes;
  });
  std::vector<std::size_t> begin(file.arrays.size());
  std::size_t total = 0;
  for (const std::size_t i : order) {
    begin[i] = total;
    total += detail::bytes_of(file.arrays[i].data).size();
  }

  Json header = Json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::set<std::string> names{"__metadata__"};
  for (std::size_t i = 0; i < file.arrays.size(); ++i) {
    const auto& [name, shape, data] = file.arrays[i];
    const std::string where = path + ": array '" + name + "'";
    if (!names.insert(name).second) throw error(where, "this name is reserved or was used before");
    const detail::safetensors_dtype& dtype = detail::dtype_of(data);
    const std::size_t bytes = detail::bytes_of(data).size();
    const std::size_t wanted = checked_size(where, shape, dtype.bytes);
    if (bytes != wanted * dtype.bytes) {
      throw error(where, "found " + std::to_string(bytes / dtype.bytes) + " values, wanted " +
                             std::to_string(wanted) + " for shape " + to_string(shape));
    }
    header[name] = {{"dtype", dtype.name}, {"shape", shape}, {"data_offsets", {begin[i], begin[i] + bytes}}};
  }

  std::string text;
  try {
    text = header.dump();
  } catch (const typename Json::exception& failure) {
    throw error(path, std::string("cannot write the header: ") + failure.what());
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t header_bytes = text.size();

  atomic_file out(path);
  out.write(std::as_bytes(std::span(&header_bytes, 1)));
  out.write(std::as_bytes(std::span(text)));
  for (const std::size_t i : order) out.write(detail::bytes_of(file.arrays[i].data));
  out.commit();
}

}  // namespace coldzoom::inline COLDZOOM_ISA
