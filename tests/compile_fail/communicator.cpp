// expect: coldzoom: let your communicator be copied, and give it int rank() const, int size() const
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/optim/updater.hpp>

using namespace coldzoom;

struct two_ranks {
  int rank() const { return 0; }
  int size() const { return 2; }
  template <class T> void exchange(const T*, index_t, T*) const {}
#ifdef POSITIVE
  template <class T> void gather(T*, index_t) const {}
#else
  template <class T> void gather(T*) const {}
#endif
};

updater<reference_backend<float>, adam, two_ranks> update(reference_backend<float>& b,
                                                          const parameter_list& list) {
  return {b, list};
}
