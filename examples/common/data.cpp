#include "common/data.hpp"

#include <cstdio>

namespace programs {

const char* const embedded_classifier = COLDZOOM_EMBEDDED_DATA "/mnist_classifier.safetensors";

const char* const data_help =
    "embedded (10,000 MNIST digits), fashion (Debian's dataset-fashion-mnist), or a folder with the four IDX "
    "files";

coldzoom::split_pair load_data(const std::string& name) {
  if (name == "embedded") return coldzoom::load_mnist_folder(COLDZOOM_EMBEDDED_DATA);
  if (name == "fashion") {
    const std::string folder = "/usr/share/datasets/fashion-mnist";
    coldzoom::require(coldzoom::file_exists(folder + "/train-images-idx3-ubyte.gz"), "--data fashion",
                      "found no " + folder + "; install the Debian package dataset-fashion-mnist");
    return coldzoom::load_mnist_folder(folder);
  }
  return coldzoom::load_mnist_folder(name);
}

std::string fingerprint(const coldzoom::split_pair& data) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  const auto add = [&](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001B3u; };
  for (const coldzoom::labelled_images* set : {&data.train, &data.test}) {
    const coldzoom::shape d = set->dims;
    for (const coldzoom::index_t extent : {d.n, d.c, d.h, d.w}) {
      for (int shift = 0; shift < 64; shift += 8) {
        add(static_cast<std::uint8_t>(static_cast<std::uint64_t>(extent) >> shift));
      }
    }
    for (const std::uint8_t pixel : set->pixels) add(pixel);
    for (const std::uint8_t label : set->labels) add(label);
  }
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

coldzoom::labelled_images first_images(coldzoom::labelled_images images, coldzoom::index_t limit) {
  if (limit > 0 && limit < images.dims.n) {
    images.dims.n = limit;
    images.pixels.resize(static_cast<std::size_t>(images.dims.size()));
    images.labels.resize(static_cast<std::size_t>(limit));
  }
  return images;
}

coldzoom::labelled_images images_from(const coldzoom::labelled_images& images, coldzoom::index_t first,
                                      coldzoom::index_t count) {
  const auto pixels = images.pixels.begin() + first * images.dims.image();
  const auto labels = images.labels.begin() + first;
  return {
      images.dims.with_n(count), {pixels, pixels + count * images.dims.image()}, {labels, labels + count}};
}

}  // namespace programs
