/// Images of the programs in host memory, and how a backend with a memory of its own works on them.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/range.hpp>
#include <concepts>
#include <vector>

namespace programs {

/// The range of pixels that the programs' models are trained in.
using value_range = coldzoom::centred;
using host_images = coldzoom::image_batch<value_range, float>;
template <class B> using images_on = coldzoom::image_batch<value_range, float, typename B::space>;

/// [-0.5, 0.5] to [0, 1], clamped: a network may overshoot a little.
std::vector<float> to_unit(const std::vector<float>& centred);

/// work(in, out) on dense images of the host: on themselves where B works in host memory, else on copies.
template <class B, class Work>
void on_host_images(B& b, coldzoom::tensor_view<const float> in, coldzoom::tensor_view<float> out,
                    const Work& work) {
  if constexpr (std::same_as<typename B::space, coldzoom::host_space>) {
    work(in, out);
  } else {
    coldzoom::require(in.contiguous() && out.contiguous(), "on_host_images",
                      "found images with gaps between them, wanted dense ones");
    using space = typename B::space;
    auto x = b.template allocate<float>(in.dims.size()), y = b.template allocate<float>(out.dims.size());
    b.upload(in.data, x.data(), in.dims.size());
    work(coldzoom::tensor_view<const float, space>(x.data(), in.dims),
         coldzoom::tensor_view<float, space>(y.data(), out.dims));
    b.download(y.data(), out.data, out.dims.size());
  }
}

/// The images themselves where they lie in host memory, else a copy of them in `memory`.
template <class B> host_images seen_by_host(B& b, images_on<B> images, std::vector<float>& memory) {
  if constexpr (std::same_as<typename B::space, coldzoom::host_space>) {
    return images;
  } else {
    memory.resize(static_cast<std::size_t>(images.dims.size()));
    b.download(images.data, memory.data(), images.dims.size());
    return host_images(coldzoom::tensor_view<float>(memory.data(), images.dims));
  }
}

}  // namespace programs
