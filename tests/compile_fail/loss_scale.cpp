// expect: coldzoom: give your loss `double scale(shape batch) const`, what one element or image
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/nn/pixel_losses.hpp>

using namespace coldzoom;

struct half : mean_squared_error {
#ifdef POSITIVE
  double scale(shape batch) const { return 0.5 / static_cast<double>(batch.size()); }
#else
  double scale(shape batch) { return 0.5 / static_cast<double>(batch.size()); }
#endif
};

static_assert(check_loss<half, reference_backend<float>>());
