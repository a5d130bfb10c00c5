/// MNIST and what comes in its form (Fashion-MNIST, KMNIST, ...): a folder of four IDX files.
#pragma once

#include <algorithm>
#include <coldzoom/core/config.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <coldzoom/core/view.hpp>
#include <coldzoom/data/idx.hpp>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Images N x C x H x W in row-major order, pixel values 0 to 255, and one label for each image.
struct labelled_images {
  shape dims;
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> labels;
};

/// A data set as it is published.
struct split_pair {
  labelled_images train, test;
  std::string name;  // that of the folder
};

/// Reads one image file (rank 3: N x H x W; C becomes 1; or rank 4: N x C x H x W) and its label file (rank 1), labels 0 .. classes
/// - 1. Throws `error` with the path, what was found and what was wanted: for what `load_idx` refuses,
///   another rank, no images, images without pixels, another number of labels than of images, a label out of
///   range.
inline labelled_images load_labelled_images(const std::string& images_path, const std::string& labels_path,
                                            int classes = 10) {
  const auto load = [](const std::string& path, std::initializer_list<std::size_t> ranks,
                       const std::string& wanted) {
    idx_array array = load_idx(path);
    if (std::find(ranks.begin(), ranks.end(), array.shape.size()) == ranks.end()) {
      throw error(path, "found rank " + std::to_string(array.shape.size()) + ", shape " +
                            to_string(array.shape) + ", wanted rank " + wanted);
    }
    return array;
  };
  idx_array images = load(images_path, {3, 4}, "3 or 4 (images)");
  idx_array labels = load(labels_path, {1}, "1 (labels)");
  if (images.data.empty()) {
    throw error(images_path,
                "found shape " + to_string(images.shape) + ", wanted at least one image of one pixel");
  }
  if (images.shape.size() == 3) images.shape.insert(images.shape.begin() + 1, 1);  // one channel
  if (labels.shape[0] != images.shape[0]) {
    throw error(labels_path, "found " + std::to_string(labels.shape[0]) + " labels, wanted " +
                                 std::to_string(images.shape[0]) + ", one for each image of " + images_path);
  }
  const auto wrong =
      std::find_if(labels.data.begin(), labels.data.end(), [&](int label) { return label >= classes; });
  if (wrong != labels.data.end()) {
    throw error(labels_path, "found label " + std::to_string(*wrong) + " at position " +
                                 std::to_string(wrong - labels.data.begin()) + ", wanted 0 to " +
                                 std::to_string(classes - 1));
  }
  return {{images.shape[0], images.shape[1], images.shape[2], images.shape[3]},
          std::move(images.data),
          std::move(labels.data)};
}

/// Reads train-images, train-labels, t10k-images and t10k-labels from a folder, under the names that are in
/// use: `train-images-idx3-ubyte` or `train-images.idx3-ubyte`, idx4 for images of several channels, with `.gz` or
/// without. A plain file goes before a compressed one. Throws `error` as `load_labelled_images`, where a file is absent, and where the
/// images of the two sets differ in size.
inline split_pair load_mnist_folder(const std::string& path, int classes = 10) {
  const auto find = [&](const std::string& stem, std::initializer_list<const char*> suffixes) {
    for (const std::string suffix : suffixes) {
      for (const char* compression : {"", ".gz"}) {
        for (const char* separator : {"-", "."}) {
          std::string name = path + "/" + stem + separator + suffix + compression;
          if (file_exists(name)) return name;
        }
      }
    }
    const std::string name = stem + "-" + *suffixes.begin();
    throw error(path,
                "found no " + name + " nor " + name + ".gz in this folder, wanted the four files of MNIST");
  };
  const auto load = [&](const std::string& set) {
    const std::string images = find(set + "-images", {"idx3-ubyte", "idx4-ubyte"}),
                      labels = find(set + "-labels", {"idx1-ubyte"});
    return load_labelled_images(images, labels, classes);
  };
  split_pair sets{load("train"), load("t10k"), {}};
  if (sets.train.dims.with_n(0) != sets.test.dims.with_n(0)) {
    throw error(path, "found training images " + to_string(sets.train.dims) + " and test images " +
                          to_string(sets.test.dims) + ", wanted the same channels, height and width");
  }
  const std::string folder = path.substr(0, path.find_last_not_of('/') + 1);
  sets.name = folder.substr(folder.rfind('/') + 1);
  return sets;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
