/// Data whose best predictions, losses and paths are known in closed form.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/prediction/model_concept.hpp>
#include <utility>
#include <vector>

/// Pixels are independent, each from a mixture of normal laws of one deviation. One part makes a normal law.
/// With x_t = signal x0 + noise e everything about x0 given x_t follows from Bayes' rule.
struct known_law {
  struct part {
    double share, mean;
  };
  std::vector<part> parts;
  double deviation;

  double mean() const {
    double sum = 0;
    for (const part& p : parts) sum += p.share * p.mean;
    return sum;
  }
  double variance() const {
    double sum = deviation * deviation;
    for (const part& p : parts) sum += p.share * std::pow(p.mean - mean(), 2);
    return sum;
  }

  /// Of x0 given x_t = z.
  struct posterior {
    double mean, variance;
  };
  posterior given(double z, coldzoom::amplitudes a) const {
    const double q = marginal_variance(a), gain = a.signal * deviation * deviation / q;
    const auto exponent = [&](const part& p) { return -std::pow(z - a.signal * p.mean, 2) / (2 * q); };
    double largest = -HUGE_VAL;
    for (const part& p : parts) largest = std::max(largest, exponent(p));
    double total = 0, first = 0, second = 0;
    for (const part& p : parts) {
      const double likelihood = p.share * std::exp(exponent(p) - largest);
      const double mean = p.mean + gain * (z - a.signal * p.mean);
      total += likelihood;
      first += likelihood * mean;
      second += likelihood * mean * mean;
    }
    const double mean = first / total, own = deviation * deviation * a.noise * a.noise / q;
    return {mean, own + second / total - mean * mean};
  }

  /// The share of x_t below z.
  double share_below(double z, coldzoom::amplitudes a) const {
    double sum = 0;
    for (const part& p : parts)
      sum += p.share * std::erfc((a.signal * p.mean - z) / std::sqrt(2 * marginal_variance(a))) / 2;
    return sum;
  }
  /// The z with that share below it, by bisection.
  double quantile(double share, coldzoom::amplitudes a) const {
    double low = 0, high = 0;
    for (const part& p : parts) {
      const double reach = 12 * std::sqrt(marginal_variance(a));
      low = std::min(low, a.signal * p.mean - reach);
      high = std::max(high, a.signal * p.mean + reach);
    }
    for (int i = 0; i < 100; ++i) {
      const double middle = (low + high) / 2;
      (share_below(middle, a) < share ? low : high) = middle;
    }
    return (low + high) / 2;
  }
  /// Where the path that deterministic samplers follow leads from z. The path keeps the law of x_t at every t
  /// (Song et al. 2021, "Score-based generative modeling", section 4.3), and paths on a line never cross, so
  /// that it keeps the share below too.
  double carried(double z, coldzoom::amplitudes from, coldzoom::amplitudes to) const {
    return quantile(share_below(z, from), to);
  }

 private:
  double marginal_variance(coldzoom::amplitudes a) const {
    return std::pow(a.signal * deviation, 2) + a.noise * a.noise;
  }
};

/// The answer to z with the least squared error: targets are linear in x0 and e, so it is the target of their
/// means.
template <class P> double best_answer(const known_law& law, double z, coldzoom::amplitudes a) {
  const double x0 = law.given(z, a).mean;
  return P::target(x0, (z - a.signal * x0) / a.noise, a);
}

/// A model with the best answers in host memory, rounded to float; at(t) gives the amplitudes.
template <class P, class At> auto best_model(const known_law& law, At at) {
  return coldzoom::predicting<P>([&law, at](auto x_t, const coldzoom::sampling_step& step, auto y) {
    for (coldzoom::index_t i = 0; i < x_t.dims.size(); ++i)
      y.data[i] = static_cast<float>(best_answer<P>(law, static_cast<double>(x_t.data[i]), at(step.t)));
  });
}
