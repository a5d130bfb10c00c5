#include "common/restoration.hpp"

#include <algorithm>
#include <cmath>
#include <coldzoom/metrics/restoration.hpp>

namespace programs {

using namespace coldzoom;

namespace {

void append(std::vector<double>& all, const std::vector<double>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

void fidelity::add(host_backend& b, unit_images restored, unit_images original) {
  append(rmse_, coldzoom::rmse(b, restored, original));
  append(psnr_, coldzoom::psnr(b, restored, original));
  append(ssim_, coldzoom::ssim(b, restored, original));
}

double fidelity::rmse() const { return mean(rmse_); }
double fidelity::psnr() const { return mean(psnr_); }
double fidelity::ssim() const { return mean(ssim_); }

std::vector<float> degraded(method_at_work& method, const labelled_images& images, int t, key_sequence keys) {
  std::vector<float> all;
  method.for_each_degraded(images, t, keys, [&](index_t, host_images, host_images z) {
    all.insert(all.end(), z.data, z.data + z.dims.size());
  });
  return all;
}

bool is_random(method_at_work& method, shape image, int t) {
  labelled_images ramp{image.with_n(1), {}, {}};
  for (index_t i = 0; i < image.image(); ++i) ramp.pixels.push_back(static_cast<std::uint8_t>(i * 7 % 256));
  return degraded(method, ramp, t, {1, stream::sampling, 0}) !=
         degraded(method, ramp, t, {2, stream::sampling, 0});
}

labelled_images filled(const labelled_images& images, const std::vector<float>& mask, std::uint8_t value) {
  labelled_images out = images;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == 0) out.pixels[i] = value;
  }
  return out;
}

int step_without(method_at_work& method, int last, const labelled_images& images,
                 const std::vector<float>& mask, key_sequence keys) {
  const labelled_images black = filled(images, mask, 0), white = filled(images, mask, 255);
  const auto lost_by = [&](int t) {
    const std::vector<float> a = degraded(method, black, t, keys), b = degraded(method, white, t, keys);
    double most = 0, squares = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
      squares += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    }
    return most <= 0.05 * std::sqrt(squares / static_cast<double>(a.size()));
  };
  require(lost_by(last), "--mask", [&] {
    return "even at the last step, " + std::to_string(last) +
           ", the method keeps something of the pixels that the mask misses, so they would have to be known";
  });
  int below = 0, found = last;
  while (found - below > 1) {
    const int middle = below + (found - below) / 2;
    (lost_by(middle) ? found : below) = middle;
  }
  return found;
}

}  // namespace programs
