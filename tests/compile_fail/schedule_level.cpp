// expect: coldzoom: give your schedule `float level(int t) const`, the severity at step t = 0 .. T
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/training/trainer.hpp>

using namespace coldzoom;

struct square_schedule {
  int steps() const { return 10; }
#ifdef POSITIVE
  float level(int t) const { return static_cast<float>(t * t) / 100; }
#endif
};

void train(reference_backend<float>& b, const reconstructor& network) {
  trainer<reference_backend<float>, unit, reconstructor, zoom<nearest>, square_schedule> t(
      b, network, {}, {}, network.image(), {});
}
