/// Initial states from a fitted law: drawn, not copied from images.
#pragma once

#include <coldzoom/core/error.hpp>
#include <coldzoom/initial_state/initial_state.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// A mixture of normal laws in a subspace of the images: image = base + sum over j of v_j basis_j, and v is normal with
/// the mean and the covariance factor factor^T of a component, which is chosen by its share. fit_mixture makes them.
struct mixture_numbers {
  static constexpr index_t most_rank = 64;

  index_t rank = 0;                  // dimensions of v, at most 64; 0 where all images are alike
  std::vector<float> base;           // [C * H * W]
  std::vector<float> basis;          // [rank][C * H * W]
  std::vector<float> share;          // [component], above 0, sum 1
  std::vector<std::int32_t> labels;  // [component], never falling; all 0 without labels
  std::vector<float> mean;           // [component][rank]
  std::vector<float> factor;         // [component][rank][rank], 0 above the diagonal

  index_t components() const { return static_cast<index_t>(share.size()); }
};

namespace detail {

/// The component among first .. last - 1 of a uniform number; `below` sums the shares.
COLDZOOM_HD inline index_t pick_component(const float* below, index_t first, index_t last, float uniform) {
  const float low = first > 0 ? below[first - 1] : 0, at = low + uniform * (below[last - 1] - low);
  index_t k = first;
  while (k + 1 < last && below[k] <= at) ++k;
  return k;
}

/// Index: [n].
template <ValueRange R, class Out> struct draw_mixture {
  index_t rank;
  const float *base, *basis, *mean, *factor;
  const std::int32_t* component;
  key_sequence keys;
  Out out;

  COLDZOOM_HD void operator()(index_t n) const {
    const index_t k = component[n], h = out.dims.h, w = out.dims.w, pixels = out.dims.image();
    const sample_key key = keys[n];
    float normal[mixture_numbers::most_rank], v[mixture_numbers::most_rank];
    for (index_t j = 0; j < rank; ++j) {
      normal[j] =
          random_normal(key, 4 + static_cast<std::uint64_t>(j));  // the first numbers choose the component
      const float* row = factor + (k * rank + j) * rank;
      v[j] = mean[k * rank + j];
      for (index_t i = 0; i <= j; ++i) v[j] += row[i] * normal[i];
    }
    for (index_t e = 0; e < pixels; ++e) {
      float value = base[e];
      for (index_t j = 0; j < rank; ++j) value += v[j] * basis[j * pixels + e];
      out(n, e / (h * w), e / w % h, e % w) = value < R::low ? R::low : value > R::high ? R::high : value;
    }
  }
};

}  // namespace detail

/// Draws images of range R from a fitted mixture, cut to the range; of any label, or of a label asked for. The states
/// are new ones, and no training image is needed to draw them. Cost: rank * C * H * W multiply-adds an image.
template <ValueRange R, Backend B> class gaussian_mixture {
 public:
  using range = R;

  /// For images of the shape `image`. Throws `error` where the arrays do not fit it or one another.
  gaussian_mixture(B& b, shape image, const mixture_numbers& numbers)
      : image_(image.with_n(1)),
        rank_(numbers.rank),
        labels_(numbers.labels) {
    check(numbers);
    float sum = 0;
    for (const float share : numbers.share) below_.push_back(sum += share);
    const auto copy = [&](const std::vector<float>& from) {
      auto to = b.template allocate<float>(static_cast<index_t>(from.size()));
      b.upload(from.data(), to.data(), to.size());
      return to;
    };
    base_ = copy(numbers.base);
    basis_ = copy(numbers.basis);
    mean_ = copy(numbers.mean);
    factor_ = copy(numbers.factor);
  }

  /// The component of a sample: of `label`, or of any where it is below 0. Throws `error` where no component has it.
  index_t component(const sample_key& key, std::int32_t label = -1) const {
    index_t first = 0, last = static_cast<index_t>(labels_.size());
    if (label >= 0) {
      while (first < last && labels_[static_cast<std::size_t>(first)] < label) ++first;
      index_t end = first;
      while (end < last && labels_[static_cast<std::size_t>(end)] == label) ++end;
      last = end;
      require(first < last, "gaussian_mixture",
              [&] { return "no component has label " + std::to_string(label); });
    }
    return detail::pick_component(below_.data(), first, last, random_uniform(key, 0));
  }
  std::int32_t label_of(index_t component) const { return labels_[static_cast<std::size_t>(component)]; }

  /// out[n] by keys[n], of any label.
  void draw(B& b, key_sequence keys, image_batch<R, float, typename B::space> out) const {
    draw(b, keys, std::vector<std::int32_t>(static_cast<std::size_t>(out.dims.n), -1), out);
  }
  /// The same with a label for each image, any where it is below 0.
  void draw(B& b, key_sequence keys, const std::vector<std::int32_t>& labels,
            image_batch<R, float, typename B::space> out) const {
    require(out.dims.with_n(1) == image_ && static_cast<index_t>(labels.size()) == out.dims.n,
            "gaussian_mixture", [&] {
              return "the output is " + to_string(out.dims) + " for " + std::to_string(labels.size()) +
                     " labels; the images are " + to_string(image_) + ", with a label each";
            });
    std::vector<std::int32_t> chosen;
    for (index_t n = 0; n < out.dims.n; ++n) {
      chosen.push_back(static_cast<std::int32_t>(component(keys[n], labels[static_cast<std::size_t>(n)])));
    }
    auto components = b.template allocate<std::int32_t>(out.dims.n);
    b.upload(chosen.data(), components.data(), out.dims.n);
    using kernel = detail::draw_mixture<R, tensor_view<float, typename B::space>>;
    b.for_each_index(out.dims.n,
                     kernel{rank_, base_.data(), basis_.data(), mean_.data(), factor_.data(),
                            components.data(), keys, out},
                     (rank_ + 1) * out.dims.image());
  }

 private:
  void check(const mixture_numbers& m) const {
    const char* const where = "gaussian_mixture";
    require(m.rank >= 0 && m.rank <= mixture_numbers::most_rank && m.components() > 0, where, [&] {
      return "found rank " + std::to_string(m.rank) + " and " + std::to_string(m.components()) +
             " components, wanted a rank of 0 to 64 and a component at least";
    });
    const auto size = [&](const char* name, std::size_t found, index_t wanted) {
      require(static_cast<index_t>(found) == wanted, where, [&] {
        return std::string(name) + " has " + std::to_string(found) + " numbers, wanted " +
               std::to_string(wanted);
      });
    };
    const index_t pixels = image_.image(), k = m.components();
    size("base", m.base.size(), pixels);
    size("basis", m.basis.size(), m.rank * pixels);
    size("labels", m.labels.size(), k);
    size("mean", m.mean.size(), k * m.rank);
    size("factor", m.factor.size(), k * m.rank * m.rank);
    for (index_t i = 0; i < k; ++i) {
      const auto at = static_cast<std::size_t>(i);
      require(m.share[at] > 0 && (i == 0 || m.labels[at] >= m.labels[at - 1]), where, [&] {
        return "component " + std::to_string(i) + " has the share " + std::to_string(m.share[at]) +
               " and the label " + std::to_string(m.labels[at]) +
               "; shares lie above 0, and labels never fall";
      });
    }
  }

  shape image_;
  index_t rank_;
  std::vector<std::int32_t> labels_;
  std::vector<float> below_;
  typename B::template buffer<float> base_, basis_, mean_, factor_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
