/// Picture files of any kind that the library reads, and folders of them. Needs libpng 1.6 and libjpeg.
#pragma once

#include <algorithm>
#include <cctype>
#include <coldzoom/core/config.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <coldzoom/io/jpeg.hpp>
#include <coldzoom/io/picture.hpp>
#include <coldzoom/io/png.hpp>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// The picture that the bytes of a PNG or JPEG file hold, which the first of them tell apart, whatever the file is
/// called; `name` stands in errors. Throws `error` as decode_png and decode_jpeg, and for other bytes.
inline picture decode_picture(const std::string& name, std::span<const std::byte> bytes) {
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min<std::size_t>(bytes.size(), 8));
  if (start == "\x89PNG\r\n\x1a\n") return decode_png(name, bytes);
  if (start.starts_with("\xff\xd8\xff")) return decode_jpeg(name, bytes);
  if (start.empty()) throw error(name, "found no bytes, wanted a PNG or a JPEG");
  std::string shown;
  for (const char c : start) {
    const auto byte = static_cast<unsigned char>(c);
    char hex[5] = {c};
    if (std::isprint(byte) == 0) std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(byte));
    shown += hex;
  }
  throw error(name, "found a file that begins with \"" + shown + "\", wanted a PNG or a JPEG");
}

/// Reads a PNG or JPEG file.
inline picture load_picture(const std::string& path) { return decode_picture(path, read_file(path)); }

/// Whether a path ends like that of a picture: .png, .jpg or .jpeg, in letters of any size, and its last part begins with
/// no dot.
inline bool names_picture(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || name.front() == '.') return false;
  std::string ending(name.substr(dot + 1));
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending == "png" || ending == "jpg" || ending == "jpeg";
}

struct picture_file {
  std::string path;
  index_t label = 0;  // place of its subfolder among the classes
};
struct picture_folder {
  std::vector<std::string> classes;  // the subfolders, by name; none where the pictures have no labels
  std::vector<picture_file> files;   // by class, then by name
};

/// The picture files in a folder or, where it holds none, those in its subfolders, which are classes then; a
/// subfolder without pictures is a class as well. Names are sorted by their bytes, so "10" comes before "2", and the
/// order is the same everywhere. Files and folders of other names, or of names that begin with a dot, are passed over.
/// Throws `error` where there is no folder, and no picture in it.
inline picture_folder list_pictures(const std::string& folder) {
  namespace fs = std::filesystem;
  const auto sorted = [](const std::string& path, const auto& wanted) {
    std::vector<std::string> names;
    std::error_code failure;
    for (fs::directory_iterator entry(path, failure); !failure && entry != fs::directory_iterator();
         entry.increment(failure)) {
      std::string name = entry->path().filename().string();
      if (name.front() != '.' && wanted(*entry)) names.push_back(std::move(name));
    }
    if (failure) throw error(path, "cannot list the folder: " + failure.message());
    std::sort(names.begin(), names.end());
    return names;
  };
  const auto pictures = [&](const std::string& path) {
    return sorted(path, [](const fs::directory_entry& entry) {
      std::error_code failure;
      return names_picture(entry.path().string()) && !entry.is_directory(failure);
    });
  };
  picture_folder found;
  for (const std::string& name : pictures(folder)) found.files.push_back({folder + "/" + name, 0});
  if (!found.files.empty()) return found;
  found.classes = sorted(folder, [](const fs::directory_entry& entry) {
    std::error_code failure;
    return entry.is_directory(failure);
  });
  for (std::size_t label = 0; label < found.classes.size(); ++label) {
    const std::string inside = folder + "/" + found.classes[label];
    for (const std::string& name : pictures(inside))
      found.files.push_back({inside + "/" + name, static_cast<index_t>(label)});
  }
  require(!found.files.empty(), folder.c_str(),
          "found no picture in the folder nor in its subfolders, wanted .png, .jpg or .jpeg");
  return found;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
