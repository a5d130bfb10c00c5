/// Pictures that turn into others.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <memory>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// Index: see row_part.
template <class In, class Levels, class Out> struct blend_rows {
  index_t columns;
  In x0;
  Levels level;
  key_sequence keys;
  tensor_view<const float, typename In::space> others;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, first, last] = row_part::at(i, out.dims, columns);
    const index_t other = random_below(keys[n], 0, others.dims.n);
    for (index_t x = first; x < last; ++x)
      out(n, c, y, x) = (1 - level[n]) * x0(n, c, y, x) + level[n] * others(other, c, y, x);
  }
};

}  // namespace detail

/// D(x, level) = (1 - level) x + level y, y a picture of another set, the same for a key at every level: animorphosis (Bansal
/// et al. 2022, section 5.4, with amplitudes that add up to 1 in place of squares). Random.
template <ValueRange R, Backend B> class blend {
 public:
  using range = R;

  /// `others`: dense in host memory, copied. Throws `error` where there are none.
  blend(B& b, image_batch<R, const float> others) : dims_(others.dims) {
    require(dims_.size() > 0, "blend",
            [&] { return "the other pictures are " + to_string(dims_) + "; there must be some"; });
    auto memory = b.template allocate<float>(dims_.size());
    b.upload(others.data, memory.data(), dims_.size());
    others_ = std::make_shared<const typename B::template buffer<float>>(std::move(memory));
  }

  /// Throws `error` for images of another shape than the others.
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
             image_tensor<B> out) const {
    require(out.dims.with_n(1) == dims_.with_n(1), "blend", [&] {
      return "the images are " + to_string(out.dims) + ", the other pictures " + to_string(dims_) +
             "; they must agree in all but their number";
    });
    using kernel = detail::blend_rows<const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
    const index_t columns = detail::columns_an_index<B>(out.dims.w);
    b.for_each_index(detail::row_part::count(out.dims, columns),
                     kernel{columns, x0, level, keys, {others_->data(), dims_}, out}, 2 * columns);
  }

 private:
  shape dims_;
  std::shared_ptr<const typename B::template buffer<float>> others_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
