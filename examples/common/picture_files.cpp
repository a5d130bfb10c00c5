#include "common/picture_files.hpp"
#include "common/finite.hpp"

#include <algorithm>
#include <coldzoom/core/file.hpp>
#include <coldzoom/io/load_picture.hpp>
#include <coldzoom/io/npy.hpp>
#include <filesystem>
#include <span>

#include "common/finite.hpp"
#include "common/program.hpp"

namespace programs {

namespace {

using namespace coldzoom;

std::string without_ending(const std::string& path) {
  return std::filesystem::path(path).replace_extension().string();
}

void sort_by_name(std::vector<picture_of_user>& pictures, const std::string& folder) {
  const auto less = [](const picture_of_user& a, const picture_of_user& b) { return a.name < b.name; };
  std::sort(pictures.begin(), pictures.end(), less);
  const auto twice =
      std::adjacent_find(pictures.begin(), pictures.end(),
                         [](const picture_of_user& a, const picture_of_user& b) { return a.name == b.name; });
  require(twice == pictures.end(), folder.c_str(), [&] {
    return "found " + (*twice).bytes + " and " + (*(twice + 1)).bytes +
           ", wanted one picture of a name: what becomes of them is NAME.png";
  });
}

}  // namespace

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string folder_read(const std::string& path, const std::string& out) {
  std::string folder = file_exists(path) ? folder_of(path) : path;
  std::error_code none;
  require(!std::filesystem::equivalent(folder, out, none), "--out", [&] {
    return "found " + out +
           ", the folder of the pictures themselves; wanted another, so that none is replaced";
  });
  return folder;
}

std::vector<picture_of_user> find_pictures(const std::string& path) {
  const auto beside = [](const std::string& bytes) {
    const std::string values = without_ending(bytes) + ".npy";
    return file_exists(values) ? values : std::string();
  };
  if (file_exists(path)) {
    const std::string name = std::filesystem::path(path).stem().string();
    if (path.ends_with(".npy")) return {{name, "", path}};
    return {{name, path, beside(path)}};
  }
  std::vector<picture_of_user> pictures;
  for (const picture_file& file : list_pictures(path).files) {
    const std::string inside = file.path.substr(path.size() + 1);
    pictures.push_back({without_ending(inside), file.path, beside(file.path)});
  }
  sort_by_name(pictures, path);
  return pictures;
}

labelled_images load_bytes(const picture_of_user& picture) {
  require(!picture.bytes.empty(), picture.values.c_str(), "found an .npy file, wanted a PNG or a JPEG");
  const coldzoom::picture found = load_picture(picture.bytes);
  return {{1, found.channels, found.height, found.width}, to_planes(found), {}};
}

image_set load_values(const picture_of_user& picture) {
  if (picture.values.empty()) return to_image_set(load_bytes(picture));
  const npy_array<float> found = load_npy<float>(picture.values);
  const std::size_t rank = found.shape.size();
  const bool known = (rank == 2 || rank == 3) && !found.data.empty();
  require(known, picture.values.c_str(),
          [&] { return "found shape " + to_string(found.shape) + ", wanted [H, W] or [C, H, W]"; });
  require(all_finite(found.data), picture.values.c_str(),
          "found a value that is NaN or infinite, wanted finite ones");
  return {{1, rank == 3 ? found.shape[0] : 1, found.shape[rank - 2], found.shape[rank - 1]}, found.data};
}

void save_picture(const std::string& folder, const std::string& name, unit_images image) {
  const std::string path = folder + "/" + name + ".png";
  make_folder(folder_of(path));
  save_png(path, image_grid(image, 1, 1, 0));
  std::filesystem::remove(folder + "/" + name + ".npy");
}

void save_values(const std::string& folder, const std::string& name, unit_images image) {
  const shape& d = image.dims;
  const std::vector<index_t> extents =
      d.c == 1 ? std::vector<index_t>{d.h, d.w} : std::vector<index_t>{d.c, d.h, d.w};
  save_npy(folder + "/" + name + ".npy",
           std::span<const float>(image.data, static_cast<std::size_t>(d.size())), extents);
}

}  // namespace programs
