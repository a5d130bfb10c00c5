/// What was found of a degradation on images, and advice that follows from it; see examine_degradation.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/core/view.hpp>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA::testing {

/// A step that was looked at.
struct degradation_step {
  int t = 0;
  float level = 0;
  double distance = 0;   // root of the mean square of D(x, t) - x, in parts of the value range
  double recovered = 0;  // share of the images' variance that a linear predictor recovers from D(x, t)
  bool changed = true;   // whether it differs from the step that was looked at before
};

/// What examine_degradation found.
struct degradation_report {
  shape images;
  int total = 0;                          // T
  double farthest_at_0 = 0;               // |D(x, 0) - x|, in parts of the range
  bool finite = true, repeatable = true;  // same keys, same bits
  bool independent = true;                // an image has the same bits alone and in a batch
  bool random = false;                    // other keys, other results
  double below = 0, above = 0;            // how far results leave the range, in parts of it
  std::vector<degradation_step> steps;    // from 1 to T
  std::map<std::string, double> sampled;  // by the name of the sampler: distance to x after restoration
  double microseconds = 0;                // of an image, in a batch
};

/// A finding that a person can act on.
struct finding {
  enum class kind { good, note, fault } what;
  std::string text;
};

/// The verdict on a degradation, the faults first.
inline std::vector<finding> findings_of(const degradation_report& r) {
  std::vector<finding> all;
  const auto say = [&](finding::kind kind, std::string text) { all.push_back({kind, std::move(text)}); };
  const auto number = [](double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return std::string(text);
  };
  const auto percent = [&](double share) { return number(100 * share) + " %"; };
  using enum finding::kind;
  if (!r.finite) {
    say(fault,
        "The result is not finite: look for a division by 0, a root or a logarithm of a number below 0.");
    return all;
  }
  if (!r.repeatable) {
    say(fault,
        "A second call with the same keys gives another result: take all randomness from the key, and write "
        "every "
        "element of the result.");
  }
  if (!r.independent) {
    say(fault,
        "An image has other results alone than in a batch: read image n alone for result n, and take its "
        "randomness "
        "from keys[n].");
  }
  if (r.farthest_at_0 > 1e-5) {
    say(fault, "D(x, 0) is off x by up to " + percent(r.farthest_at_0) +
                   " of the range: the last step of sampling would not give a clean image; let level 0 leave "
                   "it alone.");
  } else {
    say(good, r.farthest_at_0 == 0 ? "D(x, 0) = x to the bit." : "D(x, 0) = x but for roundings.");
  }
  say(good, r.random ? "It is random and repeats with its keys: give samplers the keys that made the images "
                       "(degrade_and_restore does)."
                     : "It is deterministic.");
  if (r.below > 1e-4 || r.above > 1e-4) {
    say(note, "Results leave the range, by " + percent(r.below) + " below and " + percent(r.above) +
                  " above: networks take them as they are, pictures are clipped.");
  }
  double most = 1;
  for (const degradation_step& step : r.steps) {
    if (!step.changed) {
      say(note, "Step " + std::to_string(step.t) +
                    " looks like the step before it: fewer steps would do, or levels "
                    "that lie apart.");
    }
    if (step.recovered > most + 0.03) {
      say(note, "At step " + std::to_string(step.t) + " more of the images can be recovered than before, " +
                    percent(step.recovered) + " of their variance: information should fall with the level.");
    }
    most = std::min(most, step.recovered);
  }
  const double left = r.steps.back().recovered, first = r.steps.front().recovered;
  if (left > 0.5) {
    say(note,
        "At T a linear predictor still recovers " + percent(left) +
            " of the variance: this restores images; to generate new ones, let the last level lose more.");
  } else if (left > 0.05) {
    say(note,
        "At T a linear predictor recovers " + percent(left) +
            " of the variance: samples that start from degraded training images keep this much of them.");
  } else {
    say(good, "At T next to nothing is left that a linear predictor could use (" + percent(left) +
                  " of the variance): all of the picture is generated.");
  }
  if (first < 0.5 && r.total > 1) {
    say(note, "Step " + std::to_string(r.steps.front().t) + " loses more than half already (" +
                  percent(first) +
                  " recovered): take more steps, or a schedule that starts slowly, such as power_schedule.");
  }
  const double naive = r.sampled.at("naive"), tacos = r.sampled.at("tacos"), direct = r.sampled.at("direct");
  const std::string numbers = " (distance to the images with linear predictors: direct " + number(direct) +
                              ", tacos " + number(tacos) + ", naive " + number(naive) + ").";
  if (tacos < naive * 0.999) {
    say(good, "tacos_sampler fits: it keeps what is known" + numbers);
  } else if (tacos > naive * 1.001) {
    say(note,
        "naive_sampler fits better than tacos_sampler, whose errors add up where a degradation moves the "
        "picture or "
        "spreads it" +
            numbers);
  } else {
    say(good, "naive_sampler and tacos_sampler do alike" + numbers);
  }
  if (r.microseconds > 20) {
    say(note, "An image costs " + number(r.microseconds) +
                  " us: see whether training waits for it; a batch form can share work between pixels.");
  } else {
    say(good, "An image costs " + number(r.microseconds) + " us.");
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const finding& a, const finding& c) { return a.what > c.what; });
  return all;
}

}  // namespace coldzoom::inline COLDZOOM_ISA::testing
