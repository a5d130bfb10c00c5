/// The data sets that the programs know by name.
#pragma once

#include <coldzoom/data/mnist.hpp>
#include <string>

#include "common/image_stream.hpp"
#include "common/options.hpp"
#include "common/picture_data.hpp"

namespace programs {

/// What train_classifier made of full MNIST.
extern const char* const embedded_classifier;

/// The names: "embedded (...), fashion (...), or a folder ...".
extern const char* const data_help;

/// --data with `help`, and how its pictures are read: --image-size, --channels and --strict.
void add_data(options& o, std::string& name, picture_policy& pictures, const std::string& help = data_help);

/// The data of a name that data_help lists, or of a path: a folder in the form of MNIST, a folder of pictures or of
/// arrays, an array, tar archives; docs/how_to/own_data.md says how they lie. Where `pictures` asks for a size or channels,
/// all images are brought to them. A stream ends after `limit` > 0 images. Throws
/// coldzoom::error with what to do where the data are not there.
data_sets load_data(const std::string& name, const picture_policy& pictures = {},
                    coldzoom::index_t limit = 0);

/// 16 hexadecimal digits of all that training and test images are: their shapes, pixels and labels. FNV-1a of
/// 64 bits (Fowler, Noll, Vo) over the extents as 8 bytes each, the least first, the pixels and the labels.
/// Data that differ have other digits but for chance, whatever they are called.
std::string fingerprint(const coldzoom::split_pair& data);
/// The same, and where training images are a stream that of their names and lengths.
std::string fingerprint(const data_sets& data);

/// All of them where `limit` is 0.
coldzoom::labelled_images first_images(coldzoom::labelled_images images, coldzoom::index_t limit);

/// `count` of them from `first` on; there must be as many.
coldzoom::labelled_images images_from(const coldzoom::labelled_images& images, coldzoom::index_t first,
                                      coldzoom::index_t count);

}  // namespace programs
