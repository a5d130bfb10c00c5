/// What every layer must obey, checked on both backends: gradients equal to finite differences, and results
/// that depend on nothing but the values they are made of.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>
#include <coldzoom/nn/layer.hpp>
#include <string>
#include <vector>

#include "common/double_engine.hpp"
#include "common/worse.hpp"

using coldzoom::index_t;
using values = std::vector<double>;

inline index_t length(const values& v) { return static_cast<index_t>(v.size()); }

/// Standard normal values that float holds exactly.
inline values random_values(index_t count, std::uint64_t seed) {
  values result;
  for (index_t i = 0; i < count; ++i)
    result.push_back(coldzoom::random_normal({seed}, static_cast<std::uint64_t>(i)));
  return result;
}

inline double norm(const values& v) {
  double squares = 0;
  for (const double value : v) squares += value * value;
  return std::sqrt(squares);
}

/// |a - b| / max(|b|, floor), Euclidean.
inline double relative_error(const values& a, const values& b, double floor = 1e-300) {
  BOOST_REQUIRE(a.size() == b.size());
  values difference(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  return norm(difference) / std::max(norm(b), floor);
}

/// Dense NCHW values into an activation whose padding lanes then hold `padding`.
template <class View> void write(const View& view, const values& from, double padding = 0) {
  using real = std::remove_reference_t<decltype(*view.data)>;
  std::fill_n(view.data, view.size(), static_cast<real>(padding));
  std::size_t next = 0;
  for (index_t n = 0; n < view.dims.n; ++n) {
    for (index_t c = 0; c < view.dims.c; ++c) {
      for (index_t p = 0; p < view.dims.pixels(); ++p)
        view.data[view.offset(n, c, p)] = static_cast<real>(from[next++]);
    }
  }
}
template <class View> values read(const View& view) {
  values result;
  for (index_t n = 0; n < view.dims.n; ++n) {
    for (index_t c = 0; c < view.dims.c; ++c) {
      for (index_t p = 0; p < view.dims.pixels(); ++p)
        result.push_back(static_cast<double>(view.data[view.offset(n, c, p)]));
    }
  }
  return result;
}

/// What one forward and one backward pass make.
struct passes {
  values y, dx, gradients;
  friend bool operator==(const passes&, const passes&) = default;
};

/// Values of a layer that is probed, and what can be asked of it. Knows neither the layer nor the backend, so
/// that the checks below compile once.
struct probe {
  values input, parameters;
  values objective;  // the backward pass differentiates sum(objective * y)
  values time;       // side inputs
  std::vector<std::int32_t> label;
  std::vector<coldzoom::sample_key> keys;
  double padding = 0;  // what the padding lanes of x, y, dy and dx hold before a pass
  bool want_dx = true;
  index_t images = 0;

  virtual ~probe() = default;
  /// y of the first n images, with the parameters as they are.
  virtual values forward(index_t n) = 0;
  /// Forward and backward of the first n images, `repetitions` times into the same gradients.
  virtual passes run(index_t n, int repetitions) = 0;

  passes run() { return run(images, 1); }
  double value() {
    const values y = forward(images);
    double total = 0;
    for (std::size_t i = 0; i < y.size(); ++i) total += objective[i] * y[i];
    return total;
  }
};

/// The probe of one layer on one backend; all values random at first, and exact in float.
template <coldzoom::Backend B, class L> class layer_probe : public probe {
 public:
  layer_probe(B backend, const L& layer, coldzoom::shape in, coldzoom::pass mode = coldzoom::pass::train)
      : b_(backend),
        layer_(layer),
        ws_(layer.make_workspace(b_, in, mode)),
        x_(b_, in),
        y_(b_, layer.output_shape(in)),
        dy_(b_, layer.output_shape(in)),
        dx_(b_, in) {
    images = in.n;
    input = random_values(in.size(), 1);
    parameters = random_values(coldzoom::parameter_count(layer), 2);
    objective = random_values(layer.output_shape(in).size(), 3);
    time = random_values(in.n, 4);
    for (index_t n = 0; n < in.n; ++n) {
      label.push_back(static_cast<std::int32_t>(n % 3));
      keys.push_back({6, coldzoom::stream::dropout, static_cast<std::uint64_t>(n)});
    }
    // Near the initial values, but off them: ones and zeros would hide errors.
    const std::vector<float> initial = coldzoom::initial_parameters(layer, 5);
    for (std::size_t i = 0; i < parameters.size(); ++i)
      parameters[i] = static_cast<double>(initial[i] + 0.3f * static_cast<float>(parameters[i]));
  }

  values forward(index_t n) override {
    times_.assign(time.begin(), time.begin() + n);
    real_parameters_.assign(parameters.begin(), parameters.end());
    const auto y = y_.view(n);
    write(x_.view(n), input, padding);
    write(y, values(objective.size()), padding);
    layer_.pack_weights(b_, real_parameters_.data(), ws_);
    layer_.forward(b_, real_parameters_.data(), x_.view(n), side(), y, ws_);
    return read(y);
  }

  using probe::run;
  passes run(index_t n, int repetitions) override {
    std::vector<coldzoom::real_t<B>> gradients(parameters.size());
    passes result;
    auto dx = dx_.view(n);
    write(dx, input, padding);
    if (!want_dx) dx.data = nullptr;
    for (int i = 0; i < repetitions; ++i) {
      result.y = forward(n);
      write(dy_.view(n), objective, padding);
      layer_.backward(b_, real_parameters_.data(), x_.view(n), side(), dy_.view(n), dx, gradients.data(),
                      ws_);
      layer_.reduce_gradients(b_, gradients.data(), ws_);
    }
    if (want_dx) result.dx = read(dx);
    result.gradients.assign(gradients.begin(), gradients.end());
    return result;
  }

 private:
  coldzoom::side_inputs<B> side() const {
    const auto n = static_cast<index_t>(times_.size());
    return {{times_.data(), n}, {label.data(), n}, {}, {}, {keys.empty() ? nullptr : keys.data(), n}};
  }

  B b_;
  L layer_;
  typename L::template workspace<B> ws_;
  coldzoom::activation_buffer<B> x_, y_, dy_, dx_;
  std::vector<coldzoom::real_t<B>> real_parameters_, times_;
};

/// Central differences of `value()` in the elements of `at`: the truncation error is about step^2, the
/// rounding error 2^-53 / step, both relative to values near one.
template <class Value> values finite_differences(values& at, Value&& value) {
  const double step = 1e-5;
  values result;
  for (double& element : at) {
    const double centre = element;
    element = centre + step;
    const double above = value();
    element = centre - step;
    const double below = value();
    element = centre;
    result.push_back((above - below) / (2 * step));
  }
  return result;
}

/// Input gradient and each parameter tensor's gradient against finite differences; `p` computes in double.
inline void check_gradients(probe& p, const coldzoom::parameter_list& tensors) {
  const double tolerance = 1e-7;
  const passes analytic = p.run();
  const auto value = [&] { return p.value(); };
  double worst = relative_error(analytic.dx, finite_differences(p.input, value));
  BOOST_TEST(worst < tolerance, "input gradient off by " << worst);

  const values numeric = finite_differences(p.parameters, value);
  // A tensor without influence (a bias in front of a normalisation) has no norm to be relative to.
  const double floor = 1e-3 * norm(numeric);
  index_t begin = 0;
  for (const coldzoom::parameter_info& tensor : tensors) {
    const auto part = [&](const values& all) {
      return values(all.begin() + begin, all.begin() + begin + tensor.size());
    };
    const double off = relative_error(part(analytic.gradients), part(numeric), floor);
    BOOST_TEST(off < tolerance, "gradient of " << tensor.name << " off by " << off);
    worst = std::max(worst, off);
    begin += tensor.size();
  }
  BOOST_TEST(begin == static_cast<index_t>(p.parameters.size()));
  BOOST_TEST_MESSAGE("worst gradient error " << worst);
}

/// Results do not depend on padding lanes, batch size, or whether dx is wanted; gradients add up. To the bit.
inline void check_independence(probe& p) {
  const passes plain = p.run();
  p.padding = 1e30;
  BOOST_TEST((p.run() == plain), "padding lanes have influence");
  p.padding = 0;

  const values twice = p.run(p.images, 2).gradients;
  BOOST_TEST(std::equal(twice.begin(), twice.end(), plain.gradients.begin(),
                        [](double sum, double one) { return sum == 2 * one; }),
             "gradients do not add up");

  const passes first = p.run(1, 1);
  BOOST_TEST(std::equal(first.y.begin(), first.y.end(), plain.y.begin()), "y depends on the batch");
  BOOST_TEST(std::equal(first.dx.begin(), first.dx.end(), plain.dx.begin()), "dx depends on the batch");

  p.want_dx = false;
  BOOST_TEST((p.run().gradients == plain.gradients), "gradients depend on whether dx is wanted");
  p.want_dx = true;
}

/// What a vector backend makes, in float unless `unit` says otherwise, against the plain backend in double. Float rounds
/// sums of up to some hundred terms: 64 units of 2^-24 relative to the norm leave room for that and for nothing else, in
/// networks of a few layers.
inline void check_agreement(const passes& fast, const passes& plain, double units = 64,
                            double unit = 0x1p-24) {
  const double worst = worse(worse(relative_error(fast.y, plain.y), relative_error(fast.dx, plain.dx)),
                             relative_error(fast.gradients, plain.gradients));
  BOOST_TEST(worst < units * unit, "the backends differ by " << worst);
  BOOST_TEST_MESSAGE("worst difference between backends " << worst);
}

/// All of the above, and the same bits for any thread count and for a workspace that only predicts.
template <class L> void check_layer(const L& layer, coldzoom::shape in, double units = 64) {
  using namespace coldzoom;
  static_assert(Layer<L, reference_backend<float>> && Layer<L, reference_backend<double>>);
  static_assert(Layer<L, cpu_backend<float>> && Layer<L, cpu_backend<double>>);
  parameter_list tensors;
  layer.describe(tensors, "");
  BOOST_TEST_CONTEXT("input " << to_string(in)) {
    layer_probe<reference_backend<double>, L> plain_double({}, layer, in);
    check_gradients(plain_double, tensors);
    const passes wanted = plain_double.run();
    layer_probe<cpu_backend<double>, L> fast_double(cpu_backend<double>(2), layer, in);
    // Functions in double are off by some bits, which layers that repeat make more of.
    check_agreement(fast_double.run(), wanted, units, 0x1p-46);
    check_independence(fast_double);

    using fast_probe = layer_probe<cpu_backend<float>, L>;
    fast_probe fast(cpu_backend<float>(2), layer, in);
    check_independence(fast);
    const passes result = fast.run();
    check_agreement(result, wanted, units);
    BOOST_TEST((fast_probe(cpu_backend<float>(1), layer, in).run() == result), "1 and 2 threads differ");
    BOOST_TEST((fast_probe(cpu_backend<float>(5), layer, in).run() == result), "5 and 2 threads differ");
    BOOST_TEST((fast_probe(cpu_backend<float>(2), layer, in, pass::predict).forward(in.n) == result.y),
               "a workspace for prediction gives another y");
  }
}
