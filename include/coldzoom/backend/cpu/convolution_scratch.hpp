/// Memory that the convolutions of one backend share.
#pragma once

#include <coldzoom/backend/host_memory.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// Memory that a convolution needs during one call only. All convolutions of a backend share it, so that it
/// stays in the cache from layer to layer. One caller at a time.
template <class T> class convolution_scratch {
 public:
  /// Grows to the largest that asks.
  class area {
   public:
    void reserve(index_t size) {
      if (size > memory_.size()) memory_ = host_buffer<T>(size);
    }
    T* data() { return memory_.data(); }

   private:
    host_buffer<T> memory_;
  };

  /// For pools of up to `threads` threads.
  explicit convolution_scratch(int threads = 1) : threads_(threads) {}
  index_t threads() const { return threads_; }

  /// Spectra of the two halves of the images, apart: layers cut this memory up differently, and where halves
  /// met, what one thread has in its caches would pass to the other from layer to layer.
  area inputs[2], outputs[2];

  void reserve_images(index_t size) {
    if (size <= image_size_) return;
    image_size_ = size;
    images_.reserve(threads_ * size);
  }
  /// Room for one image of `thread`.
  T* image(int thread) { return images_.data() + thread * image_size_; }

 private:
  index_t threads_ = 1, image_size_ = 0;
  area images_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
