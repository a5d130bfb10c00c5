// expect: coldzoom: give your optimiser `static constexpr const char* name` and `for_each_number(f) const`
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/optim/sgd.hpp>
#include <coldzoom/optim/updater.hpp>

using namespace coldzoom;

struct descent : sgd {
#ifndef POSITIVE
  void for_each_number() const {}
#endif
};

updater<reference_backend<float>, descent> update(reference_backend<float>& b, const parameter_list& list) {
  return {b, list};
}
