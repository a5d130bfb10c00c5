/// Data sets out of pictures and arrays of any size: folders of PNG and JPEG files, .npy files.
#pragma once

#include <coldzoom/data/mnist.hpp>
#include <coldzoom/io/picture.hpp>
#include <functional>
#include <string>
#include <vector>

namespace programs {

/// What the pictures of a data set become, and what becomes of bad ones.
struct picture_policy {
  std::string size = {};           // "32" or "28x40"; empty for the size that all have
  coldzoom::index_t channels = 0;  // 1 or 3; 0 for what they have, 3 where they differ
  bool strict = false;             // a bad picture is an error, not left out
};

/// Brings pictures to the size and channels of `image`.
picture_policy images_of(coldzoom::shape image);

/// Height and width; 0 and 0 for an empty text. Throws coldzoom::error, blaming --image-size.
coldzoom::shape parse_image_size(const std::string& text);

/// "labels: 0 cat, 1 dog" on stderr; nothing where there are none.
void say_classes(const std::vector<std::string>& classes);

/// Pictures that are read one by one, in any order and from any thread.
struct picture_list {
  struct entry {
    std::string name;
    coldzoom::index_t label = 0;
    bool test = false;
  };
  std::vector<entry> entries;
  std::function<coldzoom::picture(std::size_t)> read;
};

/// Reads all of them, on all CPUs. Pictures that cannot be read are named on stderr, the first ten of them, and left
/// out. Says there once what was cropped, resized or changed in its channels. Throws coldzoom::error, blaming `data`,
/// for pictures of several sizes where `policy` asks for none, where more than half are bad, where none is left for
/// training or for tests, and for any bad one where `policy` is strict.
coldzoom::split_pair gather_pictures(const std::string& data, picture_list list,
                                     const picture_policy& policy);

/// Images of a data set that is in memory, brought to the size and channels that are asked for.
coldzoom::split_pair brought_to(const std::string& name, const picture_policy& policy,
                                coldzoom::split_pair data);

/// Whether a folder holds files under the names of MNIST.
bool holds_idx_files(const std::string& folder);

/// Pictures below train/ and below test/, val/ or valid/, or by coldzoom::in_test_split; subfolders are labels.
coldzoom::split_pair load_picture_folder(const std::string& folder, const picture_policy& policy);

/// One array, of which every tenth image is for testing: uint8, or float32 in [0, 1], which is rounded to bytes; N x H
/// x W, N x C x H x W or N x H x W x C with C = 1 or 3. Labels from NAME-labels.npy where there is one.
coldzoom::split_pair load_array(const std::string& path, const picture_policy& policy);

/// train.npy and test.npy in a folder.
coldzoom::split_pair load_array_folder(const std::string& folder, const picture_policy& policy);

}  // namespace programs
