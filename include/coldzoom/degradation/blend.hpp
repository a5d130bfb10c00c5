/// Pictures that turn into others, and parts of them that a mask hides.
#pragma once

#include <algorithm>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <concepts>
#include <memory>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Index: see row_part.
template <class In, class Levels, class Out> struct blend_rows {
  index_t columns;
  In x0;
  Levels level;
  const float* others;
  const index_t* drawn;  // where the picture of image n begins
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, first, last] = row_part::at(i, out.dims, columns);
    const float share = level[n];
    const float* other = others + drawn[n] + (c * out.dims.h + y) * out.dims.w;
    for (index_t x = first; x < last; ++x) out(n, c, y, x) = (1 - share) * x0(n, c, y, x) + share * other[x];
  }
};

/// Index: see row_part.
template <class In, class Levels, class Out> struct fade_hidden_rows {
  index_t columns;
  In x0;
  Levels level;
  In hidden;  // one image
  float fill;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, first, last] = row_part::at(i, out.dims, columns);
    for (index_t x = first; x < last; ++x) {
      const float share = level[n] * hidden(0, c, y, x);
      out(n, c, y, x) = (1 - share) * x0(n, c, y, x) + share * fill;
    }
  }
};

}  // namespace detail

/// D(x, level) = (1 - level) x + level y, y a picture of another set, the same for a key at every level: animorphosis (Bansal
/// et al. 2022, section 5.4, with amplitudes that add up to 1 in place of squares). Random. Copies share the pictures.
template <ValueRange R> class blend {
 public:
  using range = R;

  /// `others` are dense in host memory, which is copied. Throws `error` where there are none.
  explicit blend(image_batch<R, const float> others) : dims_(others.dims) {
    require(dims_.size() > 0, "blend",
            [&] { return "the other pictures are " + to_string(dims_) + "; there must be some"; });
    others_ = std::make_shared<const std::vector<float>>(others.data, others.data + dims_.size());
  }

  /// Throws `error` for images of another shape than the others.
  template <Backend B>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
             image_tensor<B> out) const {
    require(out.dims.with_n(1) == dims_.with_n(1), "blend", [&] {
      return "the images are " + to_string(out.dims) + ", the other pictures " + to_string(dims_) +
             "; they must agree in all but their number";
    });
    std::vector<index_t> drawn(static_cast<std::size_t>(out.dims.n));
    for (index_t n = 0; n < out.dims.n; ++n) {
      drawn[static_cast<std::size_t>(n)] = random_below(keys[n], 0, dims_.n) * dims_.image();
    }
    if constexpr (std::same_as<typename B::space, host_space>) {
      blend_in(b, x0, level, others_->data(), drawn.data(), out);
    } else {
      // The pictures of this batch alone: all others may be more than a device holds.
      std::vector<float> pictures(static_cast<std::size_t>(out.dims.size()));
      for (index_t n = 0; n < out.dims.n; ++n) {
        index_t& begin = drawn[static_cast<std::size_t>(n)];
        std::copy_n(others_->begin() + begin, dims_.image(), pictures.begin() + n * dims_.image());
        begin = n * dims_.image();
      }
      blend_in(b, x0, level, to_backend(b, pictures).data(), to_backend(b, drawn).data(), out);
    }
  }

 private:
  template <class B>
  void blend_in(B& b, const_image_tensor<B> x0, const_levels<B> level, const float* others,
                const index_t* drawn, image_tensor<B> out) const {
    using kernel = detail::blend_rows<const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
    const index_t columns = detail::columns_an_index<B>(out.dims.w);
    b.for_each_index(detail::row_part::count(out.dims, columns),
                     kernel{columns, x0, level, others, drawn, out}, 2 * columns);
  }

  shape dims_;
  std::shared_ptr<const std::vector<float>> others_;
};

/// D(x, level) = (1 - level h) x + level h fill: where a mask of the user's hides the picture, it fades. h is a share for each
/// element, 1 where all is lost at level 1, 0 where nothing ever is. Any value range. Deterministic.
class hidden_part {
 public:
  /// `hidden` has one value in [0, 1] for each element of an image of `dims`, of which n is ignored. Throws `error` for
  /// another number of them, and for other values.
  hidden_part(shape dims, std::vector<float> hidden, float fill = 0)
      : dims_(dims.with_n(1)),
        hidden_(std::move(hidden)),
        fill_(fill) {
    require(static_cast<index_t>(hidden_.size()) == dims_.size(), "hidden_part", [&] {
      return "found " + std::to_string(hidden_.size()) + " values, wanted one for each element of " +
             to_string(dims_);
    });
    require(std::all_of(hidden_.begin(), hidden_.end(), [](float h) { return h >= 0 && h <= 1; }),
            "hidden_part", "found a value outside [0, 1]");
  }

  /// Throws `error` for images of another shape than the mask.
  template <Backend B>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, image_tensor<B> out) const {
    require(out.dims.with_n(1) == dims_, "hidden_part", [&] {
      return "the images are " + to_string(out.dims) + ", the mask " + to_string(dims_) +
             "; they must agree in all but their number";
    });
    const auto hidden = to_backend(b, hidden_);
    using kernel = detail::fade_hidden_rows<const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
    const index_t columns = detail::columns_an_index<B>(out.dims.w);
    b.for_each_index(detail::row_part::count(out.dims, columns),
                     kernel{columns, x0, level, {hidden.data(), dims_}, fill_, out}, 2 * columns);
  }

 private:
  shape dims_;
  std::vector<float> hidden_;
  float fill_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
