// A walk that is stopped and continued from its state ends at the same bits.
#define BOOST_TEST_MODULE sampling_loop
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/gaussian_noise.hpp>
#include <coldzoom/sampling/adams_bashforth.hpp>
#include <coldzoom/sampling/ddim.hpp>
#include <coldzoom/sampling/ddpm.hpp>
#include <coldzoom/sampling/dpm_solver.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/schedule/ddpm.hpp>
#include <map>

#include "common/errors.hpp"
#include "common/random_images.hpp"

namespace cz = coldzoom;
using backend = cz::cpu_backend<float>;
using cz::index_t;

namespace {

constexpr cz::key_sequence keys{5, cz::stream::sampling, 100};
constexpr int calls = 7;
const cz::ddpm_schedule schedule = cz::ddpm_schedule::cosine(40);
const cz::gaussian_noise noise;

/// Any answer that depends on all that a model sees.
struct some_network {
  using prediction = cz::predict_velocity;
  void operator()(cz::tensor_view<const float> x, const cz::sampling_step& step,
                  cz::tensor_view<float> y) const {
    for (index_t i = 0; i < x.dims.size(); ++i) y.data[i] = std::sin(3 * x.data[i] + step.time) / 2;
  }
};

template <class D, class S>
concept may_loop_over =
    std::is_constructible_v<cz::sampling_loop<cz::ddim_sampler, backend, some_network, cz::gaussian_noise,
                                              cz::ddpm_schedule, cz::centred>,
                            cz::ddim_sampler, backend&, some_network&, D, S, int, cz::key_sequence,
                            cz::image_batch<cz::centred, float>>;
static_assert(may_loop_over<const cz::gaussian_noise&, const cz::ddpm_schedule&>);
// Temporaries would be gone before the first step.
static_assert(!may_loop_over<cz::gaussian_noise, const cz::ddpm_schedule&>);
static_assert(!may_loop_over<const cz::gaussian_noise&, cz::ddpm_schedule>);
static_assert(!may_loop_over<cz::gaussian_noise, cz::ddpm_schedule>);

/// What an observer sees.
struct seen {
  std::vector<int> steps;
  std::vector<std::vector<float>> states, answers;
  friend bool operator==(const seen&, const seen&) = default;

  auto observer() {
    return [this](int t, const auto& state, const auto& x0_hat) {
      steps.push_back(t);
      states.emplace_back(state.data, state.data + state.dims.size());
      answers.emplace_back(x0_hat.data, x0_hat.data + x0_hat.dims.size());
    };
  }
};

template <class Loop> std::map<std::string, std::vector<float>> buffers_of(Loop& loop) {
  std::map<std::string, std::vector<float>> all;
  loop.state().for_each_buffer([&](const char* name, auto& buffer) {
    all[name].assign(buffer.data(), buffer.data() + buffer.size());
  });
  return all;
}

/// Whether a sampler's state has as many buffers as that, and a walk stopped after each number of calls
/// continues.
template <class Sampler> void check(const Sampler& sampler, std::size_t buffers) {
  BOOST_TEST_CONTEXT(Sampler::name) {
    const host_images start = random_images({3, 1, 5, 5}, 1);
    backend b(2);
    const some_network network;
    host_images whole = start;
    seen wanted;
    sampler(b, network, noise, schedule, calls, keys, whole.view(), wanted.observer());
    BOOST_TEST(wanted.steps == cz::sampling_steps(40, calls));
    for (int stop = 0; stop <= calls; ++stop) {
      host_images z = start;
      seen found;
      std::map<std::string, std::vector<float>> kept;
      {
        backend one(1);
        cz::sampling_loop first(sampler, one, network, noise, schedule, calls, keys, z.view());
        BOOST_TEST(first.calls() == calls);
        for (int i = 0; i < stop; ++i) BOOST_TEST(first.step(found.observer()));
        BOOST_TEST(first.done() == stop);
        kept = buffers_of(first);
        BOOST_TEST(kept.size() == buffers);
      }
      host_images moved = z;  // to memory of its own
      cz::sampling_loop second(sampler, b, network, noise, schedule, calls, keys, moved.view());
      second.state().for_each_buffer([&](const char* name, auto& buffer) {
        std::copy(kept.at(name).begin(), kept.at(name).end(), buffer.data());
      });
      second.resume(stop);
      while (second.step(found.observer())) {
      }
      BOOST_TEST((moved == whole), "stopped after " << stop);
      BOOST_TEST((found == wanted), "stopped after " << stop);
      BOOST_TEST(!second.step());
      BOOST_TEST((moved == whole));
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(stopped_walks_continue) {
  check(cz::naive_sampler{}, 0);
  check(cz::tacos_sampler{}, 0);
  check(cz::ddpm_sampler{}, 0);
  check(cz::ddim_sampler{}, 0);
  check(cz::ddim_sampler{.eta = 0.7}, 0);
  check(cz::dpm_solver_sampler{}, 1);
  check(cz::adams_bashforth_sampler{}, 2);
}

BOOST_AUTO_TEST_CASE(the_state_of_a_multistep_sampler_counts) {
  // Without it the walk goes elsewhere: the test above can fail.
  backend b(1);
  const some_network network;
  const host_images start = random_images({1, 1, 5, 5}, 1);
  host_images whole = start, lost = start;
  cz::dpm_solver_sampler{}(b, network, noise, schedule, calls, keys, whole.view());
  cz::sampling_loop first(cz::dpm_solver_sampler{}, b, network, noise, schedule, calls, keys, lost.view());
  first.step();
  cz::sampling_loop second(cz::dpm_solver_sampler{}, b, network, noise, schedule, calls, keys, lost.view());
  second.resume(1);
  while (second.step()) {
  }
  BOOST_TEST((lost != whole));
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  backend b(1);
  const some_network network;
  host_images z = random_images({1, 1, 5, 5}, 1);
  cz::sampling_loop loop(cz::naive_sampler{}, b, network, noise, schedule, calls, keys, z.view());
  BOOST_TEST(message_of([&] { loop.resume(8); }) == "sampling_loop: cannot resume after 8 of 7 calls");
  BOOST_TEST(message_of([&] { loop.resume(-1); }) == "sampling_loop: cannot resume after -1 of 7 calls");
  cz::sampling_loop noisy(cz::ddim_sampler{.eta = 2}, b, network, noise, schedule, calls, keys, z.view());
  BOOST_TEST(message_of([&] { noisy.step(); }) == "ddim_sampler: eta is 2.000000; it must be 0 to 1");
}
