// expect: coldzoom: give your schedule `float level(int t) const`, the severity at step t = 0 .. T
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/training/method.hpp>

using namespace coldzoom;

struct square_schedule {
  int steps() const { return 10; }
#ifdef POSITIVE
  float level(int t) const { return static_cast<float>(t * t) / 100; }
#endif
};

void compose() { make_method(unit{}, zoom<nearest>{}, square_schedule{}); }
