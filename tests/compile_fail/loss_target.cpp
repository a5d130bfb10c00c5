// expect: coldzoom: give your loss `template <Backend B> using target`, the view of its targets
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/nn/loss.hpp>

using namespace coldzoom;

struct nothing {
#ifdef POSITIVE
  template <Backend B> using target = const_tensor<B>;
#endif
  double scale(shape) const { return 0; }
  template <class... Any> void operator()(Any&&...) const {}
};

static_assert(check_loss<nothing, reference_backend<float>>());
