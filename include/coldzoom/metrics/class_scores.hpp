/// Scores of class probabilities: which classes occur, and how sure the classifier is.
#pragma once

#include <coldzoom/metrics/features.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

/// exp of the mean over samples of KL(p(class | sample) || p(class)), all samples in one part (Salimans et
/// al. 2016; the Inception score where the classifier is that network). From 1 to the number of classes; high
/// where single samples are certain and classes are even. It never looks at real data: real images score
/// high, and so does one perfect picture a class. Cost: n k logarithms.
inline double classifier_score(const class_probabilities& p) {
  const index_t n = p.size(), k = p.classes();
  std::vector<double> marginal(static_cast<std::size_t>(k));
  for (index_t i = 0; i < n; ++i) {
    for (index_t c = 0; c < k; ++c) marginal[static_cast<std::size_t>(c)] += static_cast<double>(p[i][c]);
  }
  double divergence = 0;
  for (index_t i = 0; i < n; ++i) {
    for (index_t c = 0; c < k; ++c) {
      const double q = static_cast<double>(p[i][c]);
      const double mean = marginal[static_cast<std::size_t>(c)] / static_cast<double>(n);
      if (q > 0) divergence += q * std::log(q / mean);
    }
  }
  return std::exp(divergence / static_cast<double>(n));
}

/// Share of rows by predicted class; k values that sum to 1.
inline std::vector<double> class_histogram(const class_probabilities& p) {
  std::vector<double> share(static_cast<std::size_t>(p.classes()));
  for (index_t i = 0; i < p.size(); ++i) ++share[static_cast<std::size_t>(p.predicted(i))];
  for (double& s : share) s /= static_cast<double>(p.size());
  return share;
}

/// Share of rows whose greatest probability is below `threshold`: pictures that are no clear digit.
inline double unconfident_share(const class_probabilities& p, float threshold = 0.9f) {
  index_t count = 0;
  for (index_t i = 0; i < p.size(); ++i) count += p.confidence(i) < threshold;
  return static_cast<double>(count) / static_cast<double>(p.size());
}

/// Share of rows whose greatest probability is that of the class asked for: asked[i % asked.size()] of row i.
/// Throws `error` where `asked` is empty or names a class that the classifier does not know.
inline double asked_class_share(const class_probabilities& p, const std::vector<index_t>& asked) {
  require(!asked.empty(), "asked_class_share", "no class was asked for");
  for (const index_t c : asked) {
    require(c >= 0 && c < p.classes(), "asked_class_share", [&] {
      return "class " + std::to_string(c) + " was asked for, the classifier knows 0 to " +
             std::to_string(p.classes() - 1);
    });
  }
  index_t count = 0;
  for (index_t i = 0; i < p.size(); ++i) {
    count += p.predicted(i) == asked[static_cast<std::size_t>(i) % asked.size()];
  }
  return static_cast<double>(count) / static_cast<double>(p.size());
}

namespace detail {

inline void check_histograms(const char* where, const std::vector<double>& p, const std::vector<double>& q) {
  require(p.size() == q.size() && !p.empty(), where, [&] {
    return "the histograms have " + std::to_string(p.size()) + " and " + std::to_string(q.size()) +
           " classes; they must have the same, at least one";
  });
  for (const std::vector<double>* shares : {&p, &q}) {
    double sum = 0;
    for (const double s : *shares) {
      require(s >= 0, where, [&] { return "a share is " + std::to_string(s) + "; it must not be negative"; });
      sum += s;
    }
    require(std::abs(sum - 1) < 1e-6, where,
            [&] { return "the shares sum to " + std::to_string(sum) + ", not to 1"; });
  }
}

}  // namespace detail

/// KL(p || reference) in nats, sum of p log(p / reference). 0 where they agree; a class without samples adds
/// nothing itself, the others must then have more than their share. Throws `error` where the reference lacks
/// a class that occurs in p, which would make it infinite, and for shares that do not sum to 1.
inline double class_divergence(const std::vector<double>& p, const std::vector<double>& reference) {
  detail::check_histograms("class_divergence", p, reference);
  double divergence = 0;
  for (std::size_t c = 0; c < p.size(); ++c) {
    if (p[c] == 0) continue;
    require(reference[c] > 0, "class_divergence", [&] {
      return "class " + std::to_string(c) +
             " occurs in the samples and not in the reference; the divergence "
             "is infinite, use class_variation";
    });
    divergence += p[c] * std::log(p[c] / reference[c]);
  }
  return std::max(0.0, divergence);
}

/// Total variation: half the sum of |p - reference|, the share of samples that would have to change class.
inline double class_variation(const std::vector<double>& p, const std::vector<double>& reference) {
  detail::check_histograms("class_variation", p, reference);
  double sum = 0;
  for (std::size_t c = 0; c < p.size(); ++c) sum += std::abs(p[c] - reference[c]);
  return sum / 2;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
