// expect: coldzoom: give your optimiser `template <Backend B> struct state` with `for_each_buffer(f)`
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/optim/updater.hpp>

using namespace coldzoom;

struct plain_descent {
  static constexpr const char* name = "plain_descent";
  template <Backend B> struct state {
#ifdef POSITIVE
    template <class Visit> void for_each_buffer(const Visit&) {}
#endif
  };
  template <Backend B> state<B> make_state(B&, const parameter_list&) const { return {}; }
  template <Backend B> void step(B&, state<B>&, const real_t<B>*, real_t<B>*, double, index_t) const {}
  template <class Visit> void for_each_number(const Visit&) const {}
};

static_assert(check_optimizer<plain_descent, reference_backend<float>>());
