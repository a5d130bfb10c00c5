/// Pictures of the user: what programs read from a folder, change, and write under the same names.
#pragma once

#include <coldzoom/data/mnist.hpp>
#include <string>
#include <vector>

#include "common/image_set.hpp"

namespace programs {

/// `name` is the path within the folder without the ending, `bytes` the PNG or JPEG file, `values` an .npy file of the
/// same name beside it; empty where there is none.
struct picture_of_user {
  std::string name, bytes, values;

  const std::string& path() const { return values.empty() ? bytes : values; }
};

/// The pictures of a folder, or of its subfolders where it has none itself, sorted by name; or the one of a file, PNG,
/// JPEG or .npy. Throws coldzoom::error where there are none, and where two have one name.
std::vector<picture_of_user> find_pictures(const std::string& path);

/// "a/b/c.png" to "a/b"; "." where there is no folder.
std::string folder_of(const std::string& path);

/// The folder of what find_pictures found there. Throws coldzoom::error where `out` is this folder too: its pictures would
/// be replaced.
std::string folder_read(const std::string& path, const std::string& out);

/// The PNG or JPEG as 1 x C x H x W bytes; grey has 1 channel, colours 3.
coldzoom::labelled_images load_bytes(const picture_of_user& picture);

/// The picture as 1 x C x H x W; of the .npy file, float32 of H x W or C x H x W, where there is one. A PNG lies in [0, 1],
/// an .npy file may go beyond. Throws coldzoom::error for NaN and infinite values.
image_set load_values(const picture_of_user& picture);

/// FOLDER/NAME.png, of values in [0, 1], clamped; makes the folders that it needs, and removes an .npy file of that name,
/// which would be read in its place.
void save_picture(const std::string& folder, const std::string& name, unit_images image);

/// FOLDER/NAME.npy beside it, exact; H x W, or C x H x W where there are several channels.
void save_values(const std::string& folder, const std::string& name, unit_images image);

}  // namespace programs
