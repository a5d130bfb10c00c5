// expect: coldzoom: let your reducer be called as r(B&, real_t<B>* gradients, index_t count)
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/optim/updater.hpp>

using namespace coldzoom;

struct sum_of_ranks {
#ifdef POSITIVE
  void operator()(reference_backend<float>&, float*, index_t) {}
#else
  void operator()(float*, index_t) {}
#endif
};

updater<reference_backend<float>, adam, sum_of_ranks> update(reference_backend<float>& b,
                                                             const parameter_list& list) {
  return {b, list};
}
