#include "common/controls.hpp"

#include <algorithm>
#include <coldzoom/core/random.hpp>

namespace programs {

image_set with_noise(const coldzoom::labelled_images& images, coldzoom::index_t count, float deviation) {
  image_set out = to_image_set(images, count);
  for (std::size_t i = 0; i < out.pixels.size(); ++i) {
    const float noise = coldzoom::random_normal({0, coldzoom::stream::user, 0}, i);
    out.pixels[i] = std::clamp(out.pixels[i] + deviation * noise, 0.0f, 1.0f);
  }
  return out;
}

image_set with_blur(const coldzoom::labelled_images& images, coldzoom::index_t count) {
  using coldzoom::index_t;
  const image_set clean = to_image_set(images, count);
  image_set out = clean;
  const index_t h = clean.dims.h, w = clean.dims.w;
  for (index_t i = 0; i < clean.dims.size(); ++i) {
    const index_t x = i % w, y = i / w % h, plane = i / (h * w);
    float sum = 0;
    for (index_t row = std::max<index_t>(y - 1, 0); row <= std::min(y + 1, h - 1); ++row) {
      for (index_t col = std::max<index_t>(x - 1, 0); col <= std::min(x + 1, w - 1); ++col)
        sum += clean.pixels[static_cast<std::size_t>((plane * h + row) * w + col)];
    }
    out.pixels[static_cast<std::size_t>(i)] = std::min(sum / 9, 1.0f);
  }
  return out;
}

image_set without_class(const coldzoom::labelled_images& images, coldzoom::index_t count, int label) {
  coldzoom::labelled_images kept{images.dims.with_n(0), {}, {}};
  for (coldzoom::index_t n = 0; n < images.dims.n && kept.dims.n < count; ++n) {
    if (images.labels[static_cast<std::size_t>(n)] == label) continue;
    const auto first = images.pixels.begin() + n * images.dims.image();
    kept.pixels.insert(kept.pixels.end(), first, first + images.dims.image());
    ++kept.dims.n;
  }
  return to_image_set(kept);
}

image_set repeated_images(const coldzoom::labelled_images& images, coldzoom::index_t different, int times) {
  const image_set once = to_image_set(images, different);
  image_set out{once.dims.with_n(once.dims.n * times), {}};
  for (int i = 0; i < times; ++i) out.pixels.insert(out.pixels.end(), once.pixels.begin(), once.pixels.end());
  return out;
}

}  // namespace programs
