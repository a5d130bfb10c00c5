/// The data sets that the programs know by name.
#pragma once

#include <coldzoom/data/mnist.hpp>
#include <string>

namespace programs {

/// What train_classifier made of full MNIST.
extern const char* const embedded_classifier;

/// The names: "embedded (...), fashion (...), or a folder ...".
extern const char* const data_help;

/// Throws coldzoom::error with what to do where the data are not there.
coldzoom::split_pair load_data(const std::string& name);

/// 16 hexadecimal digits of all that training and test images are: their shapes, pixels and labels. FNV-1a of
/// 64 bits (Fowler, Noll, Vo) over the extents as 8 bytes each, the least first, the pixels and the labels.
/// Data that differ have other digits but for chance, whatever they are called.
std::string fingerprint(const coldzoom::split_pair& data);

/// All of them where `limit` is 0.
coldzoom::labelled_images first_images(coldzoom::labelled_images images, coldzoom::index_t limit);

/// `count` of them from `first` on; there must be as many.
coldzoom::labelled_images images_from(const coldzoom::labelled_images& images, coldzoom::index_t first,
                                      coldzoom::index_t count);

}  // namespace programs
