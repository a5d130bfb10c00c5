/// The input of a network whose noise grows beyond all bounds.
#pragma once

#include <cmath>
#include <coldzoom/nn/input.hpp>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// to = from / deviation at the level. Index: element of `to` in row-major order.
template <class D, class In, class Levels, class Out> struct scaled_planes {
  D degradation;
  double sigma_data;
  In from;
  Levels level;
  Out to;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, x] = element_place::at(i, to.dims);
    const auto a = degradation.amplitudes(level[n]);
    const double signal = a.signal * sigma_data;
    to(n, c, y, x) = static_cast<float>(static_cast<double>(from(n, c, y, x)) /
                                        std::sqrt(signal * signal + a.noise * a.noise));
  }
};

}  // namespace detail

/// x_t / sqrt(signal^2 sigma_data^2 + noise^2), of deviation 1 at every level where the data have mean 0 and
/// deviation sigma_data: the factor is c_in of EDM (Karras et al. 2022, table 1). `D` is the degradation of
/// the method, one with `amplitudes(level)`.
template <class D> struct scaled_input {
  D degradation;
  double sigma_data;

  /// Throws `error` unless sigma_data > 0.
  explicit scaled_input(D d, double deviation = 0.5) : degradation(std::move(d)), sigma_data(deviation) {
    require(sigma_data > 0, "scaled_input",
            [&] { return "sigma_data is " + std::to_string(sigma_data) + "; it must be above 0"; });
  }

  index_t channels(shape image) const { return image.c; }
  template <Backend B>
  void compose(B& b, const input_context<B>& context, tensor_view<float, typename B::space> to) const {
    using kernel = detail::scaled_planes<D, detail::const_planes_of<B>,
                                         vector_view<const float, typename B::space>, detail::planes_of<B>>;
    b.for_each_index(to.dims.size(), kernel{degradation, sigma_data, context.x_t, context.level, to}, 20);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
