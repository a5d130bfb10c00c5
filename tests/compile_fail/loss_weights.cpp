// expect: coldzoom: let your loss be copied and called as loss(b, prediction, target, weights, scale
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/nn/loss.hpp>

using namespace coldzoom;

struct nothing {
  template <Backend B> using target = const_tensor<B>;
  double scale(shape) const { return 0; }
  template <Backend B>
  void operator()(B&, const_activation<B>, const_tensor<B>,
#ifdef POSITIVE
                  loss_weights<B>,
#endif
                  double, activation<B>, vector_view<real_t<B>, typename B::space>) const {
  }
};

static_assert(check_loss<nothing, reference_backend<float>>());
