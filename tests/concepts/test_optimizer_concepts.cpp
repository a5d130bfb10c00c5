#define BOOST_TEST_MODULE optimizer_concepts
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/optim/adamw.hpp>
#include <coldzoom/optim/sgd.hpp>
#include <coldzoom/optim/updater.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <memory>
#include <string>
#include <vector>

namespace cz = coldzoom;
using cz::index_t;
using reference = cz::reference_backend<float>;

namespace {

/// What the concept demands and nothing else, in an odd form: no default constructor, an empty state that is
/// not copyable, a step that takes 1 off each parameter.
struct archetype_optimizer {
  static constexpr const char name[] = "minus_one";
  template <class B> struct state {
    index_t count;
    std::unique_ptr<int> not_copyable;
    template <class Visit> void for_each_buffer(const Visit&) {}
  };
  explicit archetype_optimizer(int) {}
  template <class B> state<B> make_state(B&, const cz::parameter_list& list) const {
    return {cz::parameter_count(list), nullptr};
  }
  template <class B>
  void step(B&, const state<B>& s, const cz::real_t<B>*, cz::real_t<B>* parameters, double, index_t) const {
    for (index_t i = 0; i < s.count; ++i) parameters[i] -= 1;
  }
  template <class Visit> void for_each_number(const Visit&) const {}
};
static_assert(cz::Optimizer<archetype_optimizer, reference> &&
              cz::check_optimizer<archetype_optimizer, reference>());

struct moves_alone : archetype_optimizer {
  std::unique_ptr<int> memory;
};
struct no_name : archetype_optimizer {
  static constexpr int name = 1;
};
struct no_numbers : archetype_optimizer {
  void for_each_number() const = delete;
};
struct other_state : archetype_optimizer {
  template <class B> int make_state(B&, const cz::parameter_list&) const { return 0; }
};
struct closed_state {
  static constexpr const char* name = "closed";
  template <class B> struct state {};
  template <class B> state<B> make_state(B&, const cz::parameter_list&) const { return {}; }
  template <class... Any> void step(Any&&...) const {}
  template <class Visit> void for_each_number(const Visit&) const {}
};
struct changes_itself : archetype_optimizer {
  template <class B> void step(B&, const state<B>&, const cz::real_t<B>*, cz::real_t<B>*, double, index_t) {}
};
struct no_count : archetype_optimizer {
  template <class B> void step(B&, const state<B>&, const cz::real_t<B>*, cz::real_t<B>*, double) const {}
};
static_assert(!cz::Optimizer<moves_alone, reference> && !cz::Optimizer<no_name, reference>);
static_assert(!cz::Optimizer<no_numbers, reference> && !cz::Optimizer<other_state, reference>);
static_assert(!cz::Optimizer<closed_state, reference> && !cz::Optimizer<changes_itself, reference>);
static_assert(!cz::Optimizer<no_count, reference> && !cz::Optimizer<int, reference>);
static_assert(!cz::Optimizer<cz::adam, int>);

template <class B>
constexpr bool shipped = cz::check_optimizer<cz::adam, B>() && cz::check_optimizer<cz::adamw, B>() &&
                         cz::check_optimizer<cz::sgd, B>();
static_assert(shipped<reference> && shipped<cz::cpu_backend<double>> &&
              shipped<cz::testing::block_backend<float>>);

struct archetype_communicator {
  explicit archetype_communicator(int) {}
  int rank() const { return 0; }
  int size() const { return 1; }
  void exchange(const float*, index_t, float*) const {}
  void exchange(const double*, index_t, double*) const {}
  void gather(float*, index_t) const {}
  void gather(double*, index_t) const {}
};
struct of_floats : archetype_communicator {
  void gather(float*, index_t) const {}
};
struct without_a_number : archetype_communicator {
  void rank() const {}
};
struct alone : archetype_communicator {
  std::unique_ptr<int> not_copyable;
};
static_assert(cz::check_communicator<archetype_communicator>() && cz::check_communicator<cz::single_rank>());
static_assert(!cz::Communicator<of_floats> && !cz::Communicator<without_a_number>);
static_assert(!cz::Communicator<alone> && !cz::Communicator<int>);

}  // namespace

BOOST_AUTO_TEST_CASE(an_archetype_updates) {
  reference b;
  cz::updater<reference, archetype_optimizer, archetype_communicator> update(
      b, {{"p", {3}}}, archetype_optimizer(1), {}, archetype_communicator(1));
  auto parameters = cz::to_backend(b, std::vector<float>{1, 2, 3}), gradients = b.allocate<float>(3);
  update.update(b, gradients, parameters, 0.1);
  BOOST_TEST((cz::to_host(b, parameters) == std::vector<float>{0, 1, 2} && update.steps() == 1));
  BOOST_TEST(&update.best(parameters) == &parameters);
  std::string names;
  update.for_each_buffer([&](const std::string& name, const auto&) { names += name; });
  BOOST_TEST(names.empty());
}
