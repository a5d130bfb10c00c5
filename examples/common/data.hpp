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

/// All of them where `limit` is 0.
coldzoom::labelled_images first_images(coldzoom::labelled_images images, coldzoom::index_t limit);

/// `count` of them from `first` on; there must be as many.
coldzoom::labelled_images images_from(const coldzoom::labelled_images& images, coldzoom::index_t first,
                                      coldzoom::index_t count);

}  // namespace programs
