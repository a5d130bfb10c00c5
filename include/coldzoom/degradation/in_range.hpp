/// A degradation of one value range, for images of another.
#pragma once

#include <coldzoom/degradation/degradation.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// out = in, carried from range From to range To; `in` and `out` may be the same. Index: [n][c][y].
template <ValueRange From, ValueRange To, class In, class Out> struct convert_rows {
  In in;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t y = i % out.dims.h, c = i / out.dims.h % out.dims.c, n = i / (out.dims.h * out.dims.c);
    for (index_t x = 0; x < out.dims.w; ++x) out(n, c, y, x) = convert_range<From, To>(in(n, c, y, x));
  }
};

/// A batch degradation for images of range R, see in_range.
template <ValueRange R, class D> struct range_adaptor {
  using range = R;
  D degradation;

  template <Backend B>
    requires Degradation<D, B>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
             image_tensor<B> out) const {
    using own = typename D::range;
    using space = typename B::space;
    const index_t rows = x0.dims.n * x0.dims.c * x0.dims.h, cost = 4 * x0.dims.w;
    auto memory = b.template allocate<float>(x0.dims.size());
    const image_tensor<B> inside(memory.data(), x0.dims);
    b.for_each_index(rows, convert_rows<R, own, const_image_tensor<B>, image_tensor<B>>{x0, inside}, cost);
    degrade(b, degradation, image_batch<own, const float, space>(inside), level, keys,
            image_batch<own, float, space>(out));
    b.for_each_index(rows, convert_rows<own, R, image_tensor<B>, image_tensor<B>>{out, out}, cost);
  }
};

}  // namespace detail

/// `d` for images of range R: `d` itself where it names this range or none. Otherwise pixels are carried to
/// the range of `d`, degraded there, and carried back; each way rounds, so that level 0 gives the image but
/// for a rounding. Costs two sweeps and the memory of a batch.
template <ValueRange R, class D> auto in_range(D d) {
  if constexpr (AcceptsRange<D, R>) {
    return d;
  } else {
    return detail::range_adaptor<R, D>{std::move(d)};
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA
