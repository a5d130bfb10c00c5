#include "common/data.hpp"

#include <coldzoom/core/fnv1a.hpp>

#include "common/tar_data.hpp"

namespace programs {

const char* const embedded_classifier = COLDZOOM_EMBEDDED_DATA "/mnist_classifier.safetensors";

const char* const data_help =
    "embedded (10,000 MNIST digits), fashion (Debian's dataset-fashion-mnist), a folder with the four IDX "
    "files, "
    "with pictures (PNG, JPEG), with arrays or tar archives of pictures, or one array (.npy) or archive "
    "(.tar)";

void add_data(options& o, std::string& name, picture_policy& pictures, const std::string& help) {
  o.add("--data", name, help);
  o.add("--image-size", pictures.size,
        "S or HxW: images of other sizes are cropped about the centre to this shape and resized; if absent "
        "all must "
        "have one size");
  o.add("--channels", pictures.channels,
        "1 for grey or 3 for colours; if absent what they have, 3 where they differ")
      .one_of({"1", "3"})
      .hide_default();
  o.add_flag("--strict", pictures.strict, "refuse data with a bad picture, which is left out else");
}

data_sets load_data(const std::string& name, const picture_policy& pictures, coldzoom::index_t limit) {
  if (name == "embedded")
    return {brought_to(name, pictures, coldzoom::load_mnist_folder(COLDZOOM_EMBEDDED_DATA)), nullptr};
  if (name == "fashion") {
    const std::string folder = "/usr/share/datasets/fashion-mnist";
    coldzoom::require(coldzoom::file_exists(folder + "/train-images-idx3-ubyte.gz"), "--data fashion",
                      "found no " + folder + "; install the Debian package dataset-fashion-mnist");
    return {brought_to(name, pictures, coldzoom::load_mnist_folder(folder)), nullptr};
  }
  if (holds_tars(name)) return load_tars(name, pictures, limit);
  if (name.ends_with(".npy")) return {load_array(name, pictures), nullptr};
  if (coldzoom::file_exists(name + "/train.npy")) return {load_array_folder(name, pictures), nullptr};
  if (holds_idx_files(name)) return {brought_to(name, pictures, coldzoom::load_mnist_folder(name)), nullptr};
  return {load_picture_folder(name, pictures), nullptr};
}

std::string fingerprint(const coldzoom::split_pair& data) {
  coldzoom::fnv1a hash;
  for (const coldzoom::labelled_images* set : {&data.train, &data.test}) {
    const coldzoom::shape d = set->dims;
    for (const coldzoom::index_t extent : {d.n, d.c, d.h, d.w}) hash.add_number(extent);
    for (const std::uint8_t pixel : set->pixels) hash.add(pixel);
    for (const std::uint8_t label : set->labels) hash.add(label);
  }
  return hash.digits();
}

std::string fingerprint(const data_sets& data) {
  std::string in_memory = fingerprint(static_cast<const coldzoom::split_pair&>(data));
  if (!data.stream) return in_memory;
  coldzoom::fnv1a hash;
  hash.add(in_memory + data.stream->fingerprint());
  return hash.digits();
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
