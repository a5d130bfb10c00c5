/// The embedded digits for tests.
#pragma once

#include <coldzoom/data/dataset.hpp>
#include <coldzoom/data/mnist.hpp>

inline const coldzoom::split_pair& embedded_digits() {
  static const coldzoom::split_pair sets = coldzoom::load_mnist_folder(COLDZOOM_EXAMPLES_DATA);
  return sets;
}

/// The first `count` training images.
template <class B> coldzoom::dataset<B, coldzoom::centred> digits(B& b, coldzoom::index_t count) {
  const coldzoom::labelled_images& train = embedded_digits().train;
  return {b, train.dims.with_n(count), train.pixels.data()};
}
