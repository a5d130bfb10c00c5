#include "common/data.hpp"

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
