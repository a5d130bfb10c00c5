/// Fits a mixture of normal laws to degraded images. Needs Eigen.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/initial_state/gaussian_mixture.hpp>
#include <map>

// g++ 12 calls the undefined vectors of its own AVX-512 intrinsics uninitialised wherever Eigen uses them.
#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__)
#  pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#  pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <Eigen/Eigenvalues>

namespace coldzoom::inline COLDZOOM_ISA {

struct mixture_options {
  index_t components = 16;   // for each label; fewer where a label has less than 20 images for each
  index_t rank = 32;         // the most dimensions, up to 64
  double variance = 0.9999;  // the share of the images' variance that the dimensions keep, if so many suffice
  int iterations = 50;
  std::uint64_t seed = 0;
};

namespace detail {

/// The main directions of images, and the images' coordinates along them.
struct principal_directions {
  std::vector<float> base, basis;  // as those of mixture_numbers
  Eigen::MatrixXd coordinates;     // image by image

  template <class Images> principal_directions(const Images& images, const mixture_options& options) {
    const shape d = images.dims;
    const auto at = [&](index_t n, index_t e) {
      return static_cast<double>(images(n, e / (d.h * d.w), e / d.w % d.h, e % d.w));
    };
    // Most pixels of a zoomed or masked image never change, and the price of the rest is cubic.
    std::vector<index_t> varying;
    for (index_t e = 0; e < d.image(); ++e) {
      base.push_back(static_cast<float>(at(0, e)));
      index_t n = 1;
      while (n < d.n && at(n, e) == at(0, e)) ++n;
      if (n < d.n) varying.push_back(e);
    }
    const auto m = static_cast<Eigen::Index>(varying.size());
    Eigen::MatrixXd rows(d.n, m);
    for (Eigen::Index j = 0; j < m; ++j) {
      const index_t e = varying[static_cast<std::size_t>(j)];
      for (index_t n = 0; n < d.n; ++n) rows(n, j) = at(n, e);
      const double mean = rows.col(j).mean();
      base[static_cast<std::size_t>(e)] = static_cast<float>(mean);
      rows.col(j).array() -= mean;
    }
    coordinates = Eigen::MatrixXd::Zero(d.n, 0);
    if (m == 0) return;
    const Eigen::MatrixXd covariance = rows.transpose() * rows / static_cast<double>(d.n);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);  // eigenvalues ascend
    double kept = 0;
    Eigen::Index rank = 0;
    while (rank < std::min<Eigen::Index>(m, options.rank) && kept < options.variance * covariance.trace()) {
      kept += solver.eigenvalues()(m - 1 - rank++);
    }
    const Eigen::MatrixXd directions = solver.eigenvectors().rightCols(rank).rowwise().reverse();
    coordinates = rows * directions;
    basis.resize(static_cast<std::size_t>(rank * d.image()));
    for (Eigen::Index j = 0; j < rank; ++j) {
      for (Eigen::Index i = 0; i < m; ++i) {
        basis[static_cast<std::size_t>(j * d.image() + varying[static_cast<std::size_t>(i)])] =
            static_cast<float>(directions(i, j));
      }
    }
  }
};

/// Expectation and maximisation (Dempster, Laird, Rubin 1977) of full covariances, from centres chosen far from one
/// another (Arthur and Vassilvitskii 2007). Rows of x are points.
class mixture_fit {
 public:
  mixture_fit(const Eigen::MatrixXd& x, index_t components, double floor, const mixture_options& options,
              std::uint64_t label)
      : x_(x),
        floor_(floor) {
    const Eigen::Index n = x.rows();
    const sample_key key = key_sequence{options.seed, stream::user, label}[0];
    means_.resize(components, x.cols());
    Eigen::VectorXd distance = Eigen::VectorXd::Constant(n, HUGE_VAL);
    for (Eigen::Index k = 0; k < components; ++k) {
      const double u = static_cast<double>(random_uniform(key, static_cast<std::uint64_t>(k)));
      Eigen::Index chosen =
          std::min<Eigen::Index>(n - 1, static_cast<Eigen::Index>(u * static_cast<double>(n)));
      if (k > 0 && distance.sum() > 0) {
        double at = u * distance.sum();
        for (chosen = 0; chosen + 1 < n && (at -= distance(chosen)) > 0; ++chosen) {
        }
      }
      means_.row(k) = x.row(chosen);
      distance = distance.cwiseMin((x.rowwise() - x.row(chosen)).rowwise().squaredNorm());
    }
    shares_ = Eigen::VectorXd::Constant(components, 1.0 / static_cast<double>(components));
    const Eigen::MatrixXd centred = x.rowwise() - x.colwise().mean();
    const Eigen::MatrixXd whole = centred.transpose() * centred / static_cast<double>(n);
    for (index_t k = 0; k < components; ++k)
      factors_.push_back(factor_of(whole / static_cast<double>(components)));
    for (int i = 0; i < options.iterations; ++i) improve();
  }

  const Eigen::VectorXd& shares() const { return shares_; }
  const Eigen::MatrixXd& means() const { return means_; }
  const Eigen::MatrixXd& factor(index_t k) const { return factors_[static_cast<std::size_t>(k)]; }

 private:
  Eigen::MatrixXd factor_of(Eigen::MatrixXd covariance) const {
    covariance.diagonal().array() += floor_;
    return covariance.llt().matrixL();
  }
  void improve() {
    const Eigen::Index n = x_.rows(), k = means_.rows();
    Eigen::MatrixXd belongs(n, k);
    for (Eigen::Index j = 0; j < k; ++j) {
      const Eigen::MatrixXd& l = factors_[static_cast<std::size_t>(j)];
      const Eigen::MatrixXd standard =
          l.triangularView<Eigen::Lower>().solve((x_.rowwise() - means_.row(j)).transpose());
      belongs.col(j) = -0.5 * standard.colwise().squaredNorm().transpose();
      belongs.col(j).array() += std::log(std::max(shares_(j), 1e-12)) - l.diagonal().array().log().sum();
    }
    belongs.colwise() -= belongs.rowwise().maxCoeff().eval();
    belongs = belongs.array().exp();
    belongs.array().colwise() /= belongs.rowwise().sum().array().eval();
    for (Eigen::Index j = 0; j < k; ++j) {
      const double weight = belongs.col(j).sum();
      shares_(j) = weight / static_cast<double>(n);
      if (weight < 1e-9) continue;  // nothing is left of it
      means_.row(j) = belongs.col(j).transpose() * x_ / weight;
      const Eigen::MatrixXd centred = x_.rowwise() - means_.row(j);
      factors_[static_cast<std::size_t>(j)] =
          factor_of(centred.transpose() * belongs.col(j).asDiagonal() * centred / weight);
    }
  }

  const Eigen::MatrixXd& x_;
  double floor_;
  Eigen::VectorXd shares_;
  Eigen::MatrixXd means_;
  std::vector<Eigen::MatrixXd> factors_;
};

/// Sums over images for each of their elements.
struct element_moments {
  std::vector<double> mean, deviation;

  template <class Images> explicit element_moments(const Images& images) {
    const shape d = images.dims;
    for (index_t e = 0; e < d.image(); ++e) {
      double sum = 0, squares = 0;
      for (index_t n = 0; n < d.n; ++n) {
        const auto value = static_cast<double>(images(n, e / (d.h * d.w), e / d.w % d.h, e % d.w));
        sum += value;
        squares += value * value;
      }
      const double average = sum / static_cast<double>(d.n);
      mean.push_back(average);
      deviation.push_back(std::sqrt(std::max(0.0, squares / static_cast<double>(d.n) - average * average)));
    }
  }
};

/// Images that crowd at the ends of the range, as those of black and white do, lose spread where draws are cut to it.
/// Moves and stretches each element until the draws have the mean and the deviation of the images.
template <ValueRange R> void match_moments(mixture_numbers& m, shape image, const element_moments& wanted) {
  constexpr index_t draws = 2048;
  constexpr int rounds = 8;
  std::vector<float> below, memory(static_cast<std::size_t>(draws * image.image()));
  float sum = 0;
  for (const float share : m.share) below.push_back(sum += share);
  const key_sequence keys{0, stream::user, 0};
  std::vector<std::int32_t> component;
  for (index_t n = 0; n < draws; ++n) {
    component.push_back(static_cast<std::int32_t>(
        pick_component(below.data(), 0, m.components(), random_uniform(keys[n], 0))));
  }
  const tensor_view<float> out(memory.data(), image.with_n(draws));
  for (int round = 0; round < rounds; ++round) {
    const draw_mixture<R, tensor_view<float>> draw{
        m.rank, m.base.data(), m.basis.data(), m.mean.data(), m.factor.data(), component.data(), keys, out};
    for (index_t n = 0; n < draws; ++n) draw(n);
    const element_moments found(out);
    for (std::size_t e = 0; e < m.base.size(); ++e) {
      if (found.deviation[e] < 1e-6 || wanted.deviation[e] < 1e-6) continue;
      const double stretch = std::clamp(wanted.deviation[e] / found.deviation[e], 0.8, 1.25);
      m.base[e] += static_cast<float>(wanted.mean[e] - found.mean[e]);
      for (index_t j = 0; j < m.rank; ++j)
        m.basis[static_cast<std::size_t>(j) * m.base.size() + e] *= static_cast<float>(stretch);
    }
  }
}

}  // namespace detail

/// Fits a mixture for each label to images in host memory, all of it in double; `labels` has a number for each image,
/// or is empty. The directions are the principal components of all images, and the variance in each of them is at
/// least that of the rounding of a byte. At the end each element is moved and stretched, so that draws that are cut to
/// the range have its mean and deviation. The same images and options give the same bits. Throws `error` for fewer
/// than two images, labels below 0 or of another number, and options out of range. Cost: iterations * n * components *
/// rank^2 multiply-adds twice, some seconds for 60,000 windows of 4 x 4; 8 bytes for each pixel of all images that varies.
template <ValueRange R>
mixture_numbers fit_mixture(image_batch<R, const float> images, const std::vector<std::uint8_t>& labels,
                            mixture_options options = {}) {
  const char* const where = "fit_mixture";
  const shape d = images.dims;
  require(d.n >= 2 && d.image() > 0, where,
          [&] { return "found images of " + to_string(d) + ", wanted two at least"; });
  require(labels.empty() || static_cast<index_t>(labels.size()) == d.n, where, [&] {
    return "found " + std::to_string(labels.size()) + " labels for " + std::to_string(d.n) + " images";
  });
  require(
      options.components >= 1 && options.rank >= 1 && options.rank <= mixture_numbers::most_rank &&
          options.iterations >= 1 && options.variance > 0 && options.variance <= 1,
      where,
      "wanted at least one component and iteration, a rank of 1 to 64, and a variance above 0 and up to 1");
  const detail::principal_directions directions(images, options);
  const Eigen::MatrixXd& x = directions.coordinates;
  std::map<std::int32_t, std::vector<Eigen::Index>> by_label;
  for (index_t n = 0; n < d.n; ++n)
    by_label[labels.empty() ? 0 : labels[static_cast<std::size_t>(n)]].push_back(n);

  mixture_numbers out;
  out.rank = x.cols();
  const double step = static_cast<double>(R::high - R::low) / 255;
  out.base = directions.base;
  out.basis = directions.basis;
  for (const auto& [label, places] : by_label) {
    if (out.rank == 0) {  // all images are alike
      out.share.push_back(static_cast<float>(places.size()) / static_cast<float>(d.n));
      out.labels.push_back(label);
      continue;
    }
    Eigen::MatrixXd own(static_cast<Eigen::Index>(places.size()), x.cols());
    for (std::size_t i = 0; i < places.size(); ++i) own.row(static_cast<Eigen::Index>(i)) = x.row(places[i]);
    const index_t components =
        std::clamp<index_t>(static_cast<index_t>(places.size()) / 20, 1, options.components);
    const detail::mixture_fit fit(own, components, step * step / 12, options,
                                  static_cast<std::uint64_t>(label));
    for (index_t k = 0; k < components; ++k) {
      const double share = fit.shares()(k) * static_cast<double>(places.size()) / static_cast<double>(d.n);
      if (share < 1e-9) continue;
      out.share.push_back(static_cast<float>(share));
      out.labels.push_back(label);
      for (index_t j = 0; j < out.rank; ++j) out.mean.push_back(static_cast<float>(fit.means()(k, j)));
      for (index_t j = 0; j < out.rank; ++j) {
        for (index_t i = 0; i < out.rank; ++i) out.factor.push_back(static_cast<float>(fit.factor(k)(j, i)));
      }
    }
  }
  detail::match_moments<R>(out, d.with_n(1), detail::element_moments(images));
  return out;
}

}  // namespace coldzoom::inline COLDZOOM_ISA

#pragma GCC diagnostic pop
