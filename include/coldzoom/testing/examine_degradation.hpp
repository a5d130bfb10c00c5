/// What a degradation does to images of one's own, measured. Needs Eigen.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/data/image_buffer.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/sampling/direct.hpp>
#include <coldzoom/sampling/naive.hpp>
#include <coldzoom/sampling/tacos.hpp>
#include <coldzoom/testing/degradation_report.hpp>
#include <coldzoom/testing/transfer.hpp>
#include <map>

// g++ 12 calls the undefined vectors of its own AVX-512 intrinsics uninitialised wherever Eigen uses them.
#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__)
#  pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#  pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <Eigen/Cholesky>
#include <Eigen/Core>

namespace coldzoom::inline COLDZOOM_ISA::testing {

namespace detail {

/// A linear predictor of images from degraded ones, by ridge regression in its dual form, whose cost does not grow with
/// the images' size cubed.
class linear_predictor {
 public:
  using matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  /// Rows are images. The ridge is the one of a few that predicts the last fifth best from the rest.
  linear_predictor(const matrix& z, const matrix& x)
      : z_mean_(z.colwise().mean()),
        x_mean_(x.colwise().mean()) {
    const Eigen::Index kept = z.rows() * 4 / 5;
    double least = HUGE_VAL, best = 0;
    for (const double ridge : {1e-9, 1e-6, 1e-4, 1e-2, 1.0, 1e2}) {
      fit(z.topRows(kept), x.topRows(kept), ridge);
      const double off =
          (predict(z.bottomRows(z.rows() - kept)) - x.bottomRows(x.rows() - kept)).squaredNorm();
      if (off < least) {
        least = off;
        best = ridge;
      }
    }
    fit(z, x, best);
  }
  matrix predict(const matrix& z) const {
    return (((z.rowwise() - z_mean_) * known_.transpose()) * weights_).rowwise() + x_mean_;
  }

 private:
  void fit(const matrix& z, const matrix& x, double ridge) {
    known_ = z.rowwise() - z_mean_;
    matrix inner = known_ * known_.transpose();
    // Of images that are all alike, nothing follows: any ridge will do.
    inner.diagonal().array() += std::max(ridge * inner.trace() / static_cast<double>(inner.rows()), 1e-30);
    weights_ = inner.ldlt().solve(x.rowwise() - x_mean_);
  }

  Eigen::RowVectorXd z_mean_, x_mean_;
  matrix known_, weights_;
};

/// Images in host memory as rows.
inline linear_predictor::matrix rows_of(const std::vector<float>& images, index_t count) {
  using floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const floats>(images.data(), count, static_cast<index_t>(images.size()) / count)
      .template cast<double>();
}

}  // namespace detail

/// Degrades images of one's own, dense in host memory, and measures what a user wants to know before training: the laws of a
/// degradation on these images, the information that is left at up to `looks` steps, what the samplers make of it where a linear
/// predictor takes the place of the network, and the time. Two thirds of the images fit the predictors, the rest are
/// judged. Throws `error` for less than 30 images. Cost: a few seconds for 1,500 images of 28 x 28.
template <ValueRange R, Backend B, class D, Schedule S>
degradation_report examine_degradation(B& b, const D& degradation, const S& schedule,
                                       image_batch<R, const float> images, int looks = 8) {
  using matrix = detail::linear_predictor::matrix;
  using batch = image_batch<R, float, typename B::space>;
  const shape dims = images.dims;
  require(dims.n >= 30 && images.contiguous(), "examine_degradation",
          [&] { return "found " + std::to_string(dims.n) + " images, wanted at least 30, dense"; });
  const double range = static_cast<double>(R::high - R::low);
  const std::vector<float> clean(images.data, images.data + dims.size());
  degradation_report report;
  report.images = dims;
  report.total = schedule.steps();

  // Of `count` images and levels in the backend's memory.
  const auto degrade_to = [&](const float* x0, index_t count, const float* level, key_sequence keys,
                              batch out) {
    using view = tensor_view<const float, typename B::space>;
    degrade(b, degradation, image_batch<R, const float, typename B::space>(view(x0, dims.with_n(count))),
            {level, count}, keys, out);
  };
  const auto levels_of = [&](int t, index_t count) {
    return to_backend(b, std::vector<float>(static_cast<std::size_t>(count), schedule.level(t)));
  };
  const auto degraded = [&](const std::vector<float>& x0, int t, key_sequence keys) {
    const index_t count = static_cast<index_t>(x0.size()) / dims.image();
    const auto in = to_backend(b, x0), level = levels_of(t, count);
    image_buffer<B, R> out(b, dims.with_n(count));
    degrade_to(in.data(), count, level.data(), keys, out.view());
    return out.to_host(b);
  };
  const auto distance = [&](const std::vector<float>& a, const std::vector<float>& c) {
    double square = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double off = static_cast<double>(a[i]) - static_cast<double>(c[i]);
      square += off * off;
    }
    return std::sqrt(square / static_cast<double>(a.size())) / range;
  };
  const key_sequence keys{1, stream::sampling, 0};

  const std::vector<float> at_0 = degraded(clean, 0, keys);
  for (std::size_t i = 0; i < clean.size(); ++i)
    report.farthest_at_0 =
        std::max(report.farthest_at_0, static_cast<double>(std::abs(at_0[i] - clean[i])) / range);

  // Fits one predictor for each step of a sampler.
  const index_t known = dims.n * 2 / 3, judged = dims.n - known;
  const auto split = [&](const std::vector<float>& all) {
    return std::pair(std::vector<float>(all.begin(), all.begin() + known * dims.image()),
                     std::vector<float>(all.begin() + known * dims.image(), all.end()));
  };
  const auto clean_parts = split(clean);
  const std::vector<float>& last_clean = clean_parts.second;
  const matrix first_rows = detail::rows_of(clean_parts.first, known),
               last_rows = detail::rows_of(last_clean, judged);
  const double variance = (last_rows.rowwise() - first_rows.colwise().mean()).squaredNorm();
  const int calls = std::min(looks, schedule.steps());
  std::vector<int> chosen = sampling_steps(schedule.steps(), calls);
  std::reverse(chosen.begin(), chosen.end());
  std::map<int, detail::linear_predictor> predictors;
  std::vector<float> before = at_0, last;
  for (const int t : chosen) {
    const std::vector<float> z = degraded(clean, t, keys);
    if (t == chosen[chosen.size() / 2])
      report.random = !same_bits(z, degraded(clean, t, {2, stream::sampling, 0}));
    degradation_step step{t, schedule.level(t), distance(z, clean), 0, !same_bits(z, before)};
    for (const float value : z) {
      report.finite = report.finite && std::isfinite(value);
      report.below = std::max(report.below, static_cast<double>(R::low - value) / range);
      report.above = std::max(report.above, static_cast<double>(value - R::high) / range);
    }
    if (!report.finite) return report;
    const auto [first, rest] = split(z);
    const auto at =
        predictors.emplace(t, detail::linear_predictor(detail::rows_of(first, known), first_rows)).first;
    const double off = (at->second.predict(detail::rows_of(rest, judged)) - last_rows).squaredNorm();
    step.recovered = variance > 0 ? std::max(0.0, 1 - off / variance) : 1;
    report.steps.push_back(step);
    before = z;
    last = rest;
  }

  report.repeatable = same_bits(before, degraded(clean, chosen.back(), keys));
  const std::vector<float> alone(clean.begin() + dims.image(), clean.begin() + 2 * dims.image());
  const std::vector<float> found = degraded(alone, chosen.back(), keys.from(1));
  report.independent = std::equal(found.begin(), found.end(), before.begin() + dims.image());

  auto model = predicting<predict_x0>([&](auto x_t, const sampling_step& step, auto y) {
    std::vector<float> z(static_cast<std::size_t>(x_t.dims.size()));
    b.download(x_t.data, z.data(), x_t.dims.size());
    b.synchronize();
    const matrix answer = predictors.at(step.t).predict(detail::rows_of(z, x_t.dims.n));
    std::transform(answer.data(), answer.data() + answer.size(), z.begin(),
                   [](double v) { return std::clamp(static_cast<float>(v), R::low, R::high); });
    b.upload(z.data(), y.data, x_t.dims.size());
  });
  const auto walk = [&](const auto& sampler) {
    auto memory = to_backend(b, last);
    const batch z(tensor_view<float, typename B::space>(memory.data(), dims.with_n(judged)));
    sampler(b, model, degradation, schedule, calls, keys.from(known), z);
    report.sampled[std::remove_cvref_t<decltype(sampler)>::name] = distance(to_host(b, memory), last_clean);
  };
  walk(naive_sampler{});
  walk(tacos_sampler{});
  walk(direct_sampler{});

  // Batches as training has them, at a middle level; the fastest of a few.
  const index_t count = std::min<index_t>(dims.n, 128);
  const std::vector<float> some(clean.begin(), clean.begin() + count * dims.image());
  const auto in = to_backend(b, some), level = levels_of((schedule.steps() + 1) / 2, count);
  image_buffer<B, R> out(b, dims.with_n(count));
  report.microseconds = HUGE_VAL;
  for (int k = 0; k < 7; ++k) {
    b.synchronize();
    const auto start = std::chrono::steady_clock::now();
    degrade_to(in.data(), count, level.data(), keys, out.view());
    b.synchronize();
    const std::chrono::duration<double, std::micro> passed = std::chrono::steady_clock::now() - start;
    report.microseconds = std::min(report.microseconds, passed.count() / static_cast<double>(count));
  }
  return report;
}

}  // namespace coldzoom::inline COLDZOOM_ISA::testing

#pragma GCC diagnostic pop
