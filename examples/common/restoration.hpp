/// Restored images: how near they come to the originals, and where the restoration of degraded ones starts.
#pragma once

#include <vector>

#include "common/host_backend.hpp"
#include "common/image_set.hpp"
#include "common/method.hpp"

namespace programs {

/// The means over all images that were added, which may be of several shapes.
class fidelity {
 public:
  /// Throws coldzoom::error as coldzoom::ssim does.
  void add(host_backend& b, unit_images restored, unit_images original);

  double rmse() const;
  double psnr() const;  // of each image, in dB
  double ssim() const;

 private:
  std::vector<double> rmse_, psnr_, ssim_;
};

/// D(x0, t) of all images, dense, in the range of the programs' images.
std::vector<float> degraded(method_at_work& method, const coldzoom::labelled_images& images, int t,
                            coldzoom::key_sequence keys);

/// Whether D(x, t) of images of this shape depends on the keys.
bool is_random(method_at_work& method, coldzoom::shape image, int t);

/// The least t = 1 .. last at which D(x, t) has lost the pixels whose mask is 0: black or white in their place change
/// no pixel of it by more than 5 % of its root mean square. Takes for granted that what is lost stays lost. Throws
/// coldzoom::error where there is none.
int step_without(method_at_work& method, int last, const coldzoom::labelled_images& images,
                 const std::vector<float>& mask, coldzoom::key_sequence keys);

/// The images with `value` where the mask is 0.
coldzoom::labelled_images filled(const coldzoom::labelled_images& images, const std::vector<float>& mask,
                                 std::uint8_t value);

}  // namespace programs
