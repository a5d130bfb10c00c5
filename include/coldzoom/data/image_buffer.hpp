/// Images that own their memory.
#pragma once

#include <coldzoom/core/range.hpp>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Images of range R in the memory of backend B, zeros at first, dense. Movable; views of it refer to the
/// same memory.
template <class B, ValueRange R> class image_buffer {
 public:
  using batch = image_batch<R, float, typename B::space>;
  using const_batch = image_batch<R, const float, typename B::space>;

  image_buffer(B& b, shape dims) : dims_(dims), memory_(b.template allocate<float>(dims.size())) {}

  shape dims() const { return dims_; }
  batch view() { return batch(tensor_view<float, typename B::space>(memory_.data(), dims_)); }
  const_batch view() const {
    return const_batch(tensor_view<const float, typename B::space>(memory_.data(), dims_));
  }

  /// All pixels in host memory, carried to the range `To`, once all work is done.
  template <ValueRange To = R> std::vector<float> to_host(B& b) const {
    std::vector<float> pixels(static_cast<std::size_t>(dims_.size()));
    b.download(memory_.data(), pixels.data(), dims_.size());
    b.synchronize();
    for (float& p : pixels) p = convert_range<R, To>(p);
    return pixels;
  }

 private:
  shape dims_;
  typename B::template buffer<float> memory_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
