/// Training images that do not lie in memory, and the sets that a run trains on and is tested with.
#pragma once

#include <coldzoom/core/image_segment.hpp>
#include <coldzoom/data/mnist.hpp>
#include <memory>
#include <string>
#include <vector>

namespace programs {

/// A coldzoom::SegmentedSource whose type the programs need not know.
class image_stream {
 public:
  virtual ~image_stream() = default;
  virtual coldzoom::shape dims() const = 0;
  virtual coldzoom::index_t classes() const = 0;
  virtual coldzoom::index_t segments() const = 0;
  virtual coldzoom::image_segment read(coldzoom::index_t k) const = 0;
  virtual std::string fingerprint() const = 0;
};

/// The images of a data set. Where `stream` is not null it holds all training images, and `train` the first of them.
struct data_sets : coldzoom::split_pair {
  std::shared_ptr<const image_stream> stream;

  coldzoom::index_t training_images() const { return stream ? stream->dims().n : train.dims.n; }
};

}  // namespace programs
