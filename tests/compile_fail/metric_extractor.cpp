// expect: coldzoom: give your feature extractor `index_t size() const`
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/metrics/features.hpp>

using namespace coldzoom;

struct first_pixel {
#ifdef POSITIVE
  index_t size() const { return 1; }
#endif
  template <class B>
  void operator()(B&, image_batch<unit, const float> images, tensor_view<float> out) const {
    out(0, 0, 0, 0) = images(0, 0, 0, 0);
  }
};

feature_set extract(reference_backend<float>& b, image_batch<unit, const float> images) {
  return extract_features(b, first_pixel{}, images);
}
