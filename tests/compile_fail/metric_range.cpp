// expect: coldzoom: metrics want pixels in [0, 1]: pass image_batch<unit, ...>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/metrics/features.hpp>

using namespace coldzoom;

struct first_pixel {
  index_t size() const { return 1; }
  template <class B>
  void operator()(B&, image_batch<unit, const float> images, tensor_view<float> out) const {
    out(0, 0, 0, 0) = images(0, 0, 0, 0);
  }
};

#ifdef POSITIVE
using range = unit;
#else
using range = centred;
#endif

feature_set extract(reference_backend<float>& b, image_batch<range, const float> images) {
  return extract_features(b, first_pixel{}, images);
}
