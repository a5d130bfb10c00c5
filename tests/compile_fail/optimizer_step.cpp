// expect: coldzoom: let your optimiser be copied, and give it `step(B&, state<B>&, const real_t<B>*
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/optim/sgd.hpp>
#include <coldzoom/optim/updater.hpp>

using namespace coldzoom;

struct descent : sgd {
#ifndef POSITIVE
  template <Backend B>
  void step(B&, state<B>&, const real_t<B>*, real_t<B>*, double) const {}  // does not take the step's number
#endif
};

static_assert(check_optimizer<descent, reference_backend<float>>());
