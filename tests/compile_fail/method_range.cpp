// expect: coldzoom: this degradation wants pixels of another value range: name its
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/method.hpp>

using namespace coldzoom;

struct negative {
  using range = centred;
  float operator()(image_view<const float> x0, index_t c, index_t y, index_t x, float level) const {
    return x0(c, y, x) * (1 - 2 * level);
  }
};

void compose() {
#ifdef POSITIVE
  make_method(centred{}, negative{}, linear_schedule(24));
#else
  make_method(unit{}, negative{}, linear_schedule(24));
#endif
}
