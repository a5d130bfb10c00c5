#define BOOST_TEST_MODULE updater
#include <boost/test/unit_test.hpp>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/optim/adamw.hpp>
#include <coldzoom/optim/sgd.hpp>
#include <coldzoom/optim/updater.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <limits>
#include <map>
#include <tuple>
#include <vector>

#include "common/errors.hpp"

namespace cz = coldzoom;
using cz::index_t;

namespace {

using all_backends = std::tuple<cz::reference_backend<float>, cz::reference_backend<double>,
                                cz::cpu_backend<float>, cz::cpu_backend<double>,
                                cz::testing::block_backend<float>, cz::testing::block_backend<double>>;

template <class Real> std::vector<Real> random_values(index_t count, std::uint64_t seed) {
  std::vector<Real> values;
  for (index_t i = 0; i < count; ++i)
    values.push_back(static_cast<Real>(cz::random_normal({seed}, static_cast<std::uint64_t>(i))));
  return values;
}

template <class B>
std::vector<cz::real_t<B>> clipped(std::vector<cz::real_t<B>> values, double most, B b = B()) {
  const auto count = static_cast<index_t>(values.size());
  cz::clip_scratch<B> scratch(b, count);
  std::vector<cz::real_t<B>> before(values.size(),
                                    7);  // what scratch holds from another call does not matter
  cz::clip_by_norm(b, before.data(), count, most, scratch);
  cz::clip_by_norm(b, values.data(), count, most, scratch);
  return values;
}

/// The first rank of a run of two whose other rank has the same gradients.
struct doubled {
  int rank() const { return 0; }
  int size() const { return 2; }
  template <class T> void exchange(const T* from, index_t count, T* to) const {
    const index_t own = cz::part_of_rank(count, 0, 2).size();
    std::copy_n(from, own, std::copy_n(from, own, to));
    ++*calls;
  }
  /// The other rank's sums are twice what still stands in their place.
  template <class T> void gather(T* values, index_t count) const {
    for (index_t i = cz::part_of_rank(count, 1, 2).first; i < count; ++i) values[i] *= 2;
  }
  int* calls;
};

const cz::parameter_list tensors{{"weight", {50, 20}, 0, 0.1f}, {"bias", {50}, 0, 0.1f}};
constexpr index_t count = 1050;

/// A run of an updater: parameters and their gradients, which depend on them and on the step.
template <class B, class O> struct run {
  using real = cz::real_t<B>;
  B b;
  cz::updater<B, O> update;
  cz::buffer_t<B> parameters, gradients;

  explicit run(O optimizer, B backend = B())
      : b(std::move(backend)),
        update(b, tensors, optimizer, {.clip_norm = 20, .average_decays = {0.9, 0.5}}),
        parameters(cz::to_backend(b, random_values<real>(count, 1))),
        gradients(b.template allocate<real>(count)) {}

  void steps(int number) {
    for (int i = 0; i < number; ++i) {
      std::vector<real> g = random_values<real>(count, 100 + static_cast<std::uint64_t>(update.steps()));
      for (index_t at = 0; at < count; ++at) g[static_cast<std::size_t>(at)] += parameters.data()[at];
      b.upload(g.data(), gradients.data(), count);
      update.update(b, gradients, parameters, 0.01);
    }
  }
  /// All that a checkpoint holds.
  std::map<std::string, std::vector<real>> saved() {
    std::map<std::string, std::vector<real>> all{{"parameters", cz::to_host(b, parameters)}};
    update.for_each_buffer(
        [&](const std::string& name, cz::buffer_t<B>& buffer) { all[name] = cz::to_host(b, buffer); });
    return all;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(clipping_by_the_norm, B, all_backends) {
  using real = cz::real_t<B>;
  // 3-4-5: the factor is 1 / (5 + 1e-6).
  const real factor = static_cast<real>(1 / (5 + 1e-6));
  BOOST_TEST((clipped<B>({3, 4}, 1) == std::vector<real>{real(3) * factor, real(4) * factor}));
  BOOST_TEST((clipped<B>({3, 4}, 6) == std::vector<real>{3, 4}));
  BOOST_TEST((clipped<B>({0, 0}, 1) == std::vector<real>{0, 0}));

  for (const index_t size : {1, 4096, 4097, 20000}) {
    const std::vector<real> values = random_values<real>(size, 7);
    double square = 0;
    for (const real v : values) square += static_cast<double>(v) * static_cast<double>(v);
    const std::vector<real> found = clipped<B>(values, 0.25);
    // The sums in double differ by a rounding a term, the factor and the product are rounded once each.
    const double bound =
        2 * static_cast<double>(std::numeric_limits<real>::epsilon()) + static_cast<double>(size) * 0x1p-53;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double wanted = static_cast<double>(values[i]) * std::min(1.0, 0.25 / (std::sqrt(square) + 1e-6));
      BOOST_REQUIRE(std::abs(static_cast<double>(found[i]) - wanted) <= bound * std::abs(wanted));
    }
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(norms_that_are_not_finite, B, all_backends) {
  using real = cz::real_t<B>;
  const real infinity = std::numeric_limits<real>::infinity(), nan = std::numeric_limits<real>::quiet_NaN();
  BOOST_TEST((clipped<B>({3, infinity, 4}, 1) == std::vector<real>{3, infinity, 4}));
  const std::vector<real> found = clipped<B>({3, nan, 4}, 1);
  BOOST_TEST((found[0] == 3 && std::isnan(found[1]) && found[2] == 4));
}

BOOST_AUTO_TEST_CASE(bits_of_clipping) {
  using fast = cz::cpu_backend<float>;
  const std::vector<float> values = random_values<float>(50000, 3);
  BOOST_TEST(clipped(values, 1, fast(1)) == clipped(values, 1, fast(2)));
  BOOST_TEST(clipped(values, 1, fast(1)) == clipped(values, 1, cz::reference_backend<float>()));
  using blocks = cz::testing::block_backend<float>;
  BOOST_TEST(clipped(values, 1, blocks(1)) == clipped(values, 1, blocks(2)));
}

BOOST_AUTO_TEST_CASE(average_of_weights) {
  using backend = cz::reference_backend<double>;
  backend b;
  cz::weight_average<backend> average(b, 1, 0.5);
  double wanted = 0;
  for (index_t step = 1; step <= 20; ++step) {
    const double p = static_cast<double>(step * step);
    average.update(b, &p, step);
    const double t = static_cast<double>(step), decay = step == 1 ? 0 : std::min(0.5, (1 + t) / (10 + t));
    wanted = decay * wanted + (1 - decay) * p;
    // The mean of values up to 400, four roundings a step, the older ones halved.
    BOOST_TEST(std::abs(*average.values().data() - wanted) <= 400 * 8 * 0x1p-53);
  }
  for (const double decay : {0.0, 1.0, -0.5})
    BOOST_TEST(message_of([&] { cz::weight_average<backend>(b, 1, decay); }) ==
               "weight_average: the decay is " + std::to_string(decay) + "; it must lie between 0 and 1");
}

// One number, to the bit: reduce, clip, step, average, in this order.
BOOST_AUTO_TEST_CASE_TEMPLATE(order_of_an_update, B, all_backends) {
  using real = cz::real_t<B>;
  B b;
  int calls = 0;
  cz::updater<B, cz::sgd, doubled> update(b, {{"p", {2}}}, {}, {.clip_norm = 5, .average_decays = {0.5}},
                                          doubled{&calls});
  auto p = cz::to_backend(b, std::vector<real>{0, 0}), g = cz::to_backend(b, std::vector<real>{3, 4});
  BOOST_TEST(&update.best(p) == &p);
  update.update(b, g, p, 0.5);
  const real factor = static_cast<real>(5 / (10 + 1e-6)), half = real(0.5);
  BOOST_TEST((cz::to_host(b, p) == std::vector<real>{-half * (6 * factor), -half * (8 * factor)}));
  BOOST_TEST(cz::to_host(b, update.best(p)) == cz::to_host(b, p));
  BOOST_TEST(&update.best(p) == &update.averages().front().values());
  BOOST_TEST((calls == 1 && update.steps() == 1));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(continues_from_its_state, B, all_backends) {
  const auto continues = [](const auto& optimizer) {
    using trained = run<B, std::remove_cvref_t<decltype(optimizer)>>;
    trained whole(optimizer), first(optimizer), second(optimizer);
    whole.steps(10);
    first.steps(4);
    const auto saved = first.saved();
    second.b.upload(saved.at("parameters").data(), second.parameters.data(), count);
    second.update.for_each_buffer([&](const std::string& name, cz::buffer_t<B>& buffer) {
      second.b.upload(saved.at(name).data(), buffer.data(), count);
    });
    second.update.set_steps(first.update.steps());
    second.steps(6);
    return second.saved() == whole.saved() && second.update.steps() == 10;
  };
  BOOST_TEST(continues(cz::adam()));
  BOOST_TEST(continues(cz::adamw{.weight_decay = 0.1}));
  BOOST_TEST(continues(cz::sgd{.momentum = 0.9, .nesterov = true, .weight_decay = 0.1}));
}

BOOST_AUTO_TEST_CASE(threads_do_not_matter) {
  using fast = cz::cpu_backend<float>;
  run<fast, cz::adamw> one({}, fast(1)), two({}, fast(2));
  one.steps(5);
  two.steps(5);
  BOOST_TEST((one.saved() == two.saved()));
}

BOOST_AUTO_TEST_CASE(what_a_checkpoint_holds) {
  using backend = cz::reference_backend<float>;
  backend b;
  const auto names = [&](auto&& update) {
    std::string all;
    update.for_each_buffer([&](const std::string& name, cz::buffer_t<backend>&) { all += name + " "; });
    update.for_each_number([&](const std::string& name, double) { all += name + " "; });
    return all;
  };
  BOOST_TEST(names(cz::updater<backend>(b, tensors)) ==
             "adam.first adam.second adam.beta1 adam.beta2 adam.eps clip_norm ");
  BOOST_TEST(
      names(cz::updater<backend, cz::sgd>(b, tensors, {.momentum = 0.5}, {.average_decays = {0.9, 0.99}})) ==
      "sgd.velocity average average.1 sgd.momentum sgd.nesterov sgd.weight_decay sgd.decay_all clip_norm "
      "average.decay average.1.decay ");
}

BOOST_AUTO_TEST_CASE(options_out_of_range) {
  using backend = cz::reference_backend<float>;
  backend b;
  const auto made = [&](cz::adam optimizer, cz::update_options options) {
    return message_of([&] { cz::updater<backend>(b, tensors, optimizer, options); });
  };
  BOOST_TEST(made({}, {.clip_norm = -1}) ==
             "updater: clip_norm is -1.000000; it must be at least 0, and 0 clips nothing");
  BOOST_TEST(made({}, {.clip_norm = std::numeric_limits<double>::infinity()}) ==
             "updater: clip_norm is inf; it must be at least 0, and 0 clips nothing");
  BOOST_TEST(made({.eps = -1}, {}) == "adam: eps is -1.000000; it must be above 0");
  BOOST_TEST(made({}, {.average_decays = {0.5, 2}}) ==
             "weight_average: the decay is 2.000000; it must lie between 0 and 1");
}
