/// Degradations made of degradations.
#pragma once

#include <cmath>
#include <coldzoom/backend/normals.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <string>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// D names the value range that it works on.
template <class D>
concept StatesRange = requires {
  typename D::range;
};
template <class D> struct range_or_unit { using type = unit; };
template <StatesRange D> struct range_or_unit<D> { using type = typename D::range; };

/// Base of an adaptor: it states the range of its part, where the part does.
template <class D> struct range_of {};
template <StatesRange D> struct range_of<D> { using range = typename D::range; };

/// `degrade` inside an adaptor, which states the range of `d` as its own.
template <class B, class D>
void degrade_part(B& b, const D& d, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
                  image_tensor<B> out) {
  using R = typename range_or_unit<D>::type;  // any will do where d states none
  using space = typename B::space;
  degrade(b, d, image_batch<R, const float, space>(x0), level, keys, image_batch<R, float, space>(out));
}

/// The level of a pass: `each` where its number is below round(level * times), else 0. Index: [n].
template <class Levels> struct levels_of_pass {
  Levels level;
  int times, pass;
  float each;
  float* out;

  COLDZOOM_HD void operator()(index_t n) const {
    out[n] = pass < std::lround(level[n] * static_cast<float>(times)) ? each : 0.0f;
  }
};

/// Index: see row_part.
template <class In, class Out> struct copy_rows {
  index_t columns;
  In in;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, first, last] = row_part::at(i, out.dims, columns);
    for (index_t x = first; x < last; ++x) out(n, c, y, x) = in(n, c, y, x);
  }
};

template <class Levels, class Out> struct add_normals {
  float amplitude;
  Levels level;
  Out out;

  COLDZOOM_HD void operator()(index_t n, index_t c, index_t y, index_t x, index_t length,
                              const float* e) const {
    const float factor = level[n] * amplitude;
    for (index_t j = 0; j < length; ++j) out(n, c, y, x + j) += factor * e[j];
  }
};

}  // namespace detail

/// D(x, level) = second(first(x, level), level). Their draws are independent. Both state the same value range, or one of
/// them none; else put in_range around one. Costs both and the memory of a batch.
template <class First, class Second>
struct composed
    : std::conditional_t<detail::StatesRange<First>, detail::range_of<First>, detail::range_of<Second>> {
  static_assert(!detail::StatesRange<First> ||
                    AcceptsRange<Second, typename detail::range_or_unit<First>::type>,
                "coldzoom: composed degradations must work on one value range: put in_range<R>(d) around one "
                "of them; see docs/concepts/degradation.md");

  First first;
  Second second;

  composed(First f, Second s) : first(std::move(f)), second(std::move(s)) {}

  template <Backend B>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
             image_tensor<B> out) const {
    auto memory = b.template allocate<float>(out.dims.size());
    const image_tensor<B> between(memory.data(), out.dims);
    detail::degrade_part(b, first, x0, level, keys, between);
    detail::degrade_part(b, second, between, level, keys.other(1), out);
  }
};

/// D(x, level): `part` at the level `each`, round(level * times) times. Each time draws anew. Costs `times` degradations
/// and the memory of two batches at every level.
template <class D> struct iterated : detail::range_of<D> {
  D part;
  int times;
  float each;

  /// Throws `error` unless times >= 1.
  explicit iterated(D d, int count, float level = 1) : part(std::move(d)), times(count), each(level) {
    require(times >= 1, "iterated",
            [&] { return "the number of times is " + std::to_string(times) + "; it must be at least 1"; });
  }

  template <Backend B>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
             image_tensor<B> out) const {
    auto memory = b.template allocate<float>(2 * out.dims.size());
    auto levels = b.template allocate<float>(level.size);
    const_image_tensor<B> from = x0;
    for (int k = 0; k < times; ++k) {
      b.for_each_index(level.size,
                       detail::levels_of_pass<const_levels<B>>{level, times, k, each, levels.data()}, 10);
      const image_tensor<B> half(memory.data() + k % 2 * out.dims.size(), out.dims),
          to = k + 1 == times ? out : half;
      detail::degrade_part(b, part, from, {levels.data(), level.size},
                           keys.other(static_cast<std::uint64_t>(k)), to);
      from = to;
    }
  }
};

/// D(x, level): `part` on the `count` channels from `first` on alone.
template <class D> struct on_channels : detail::range_of<D> {
  D part;
  index_t first, count;

  on_channels(D d, index_t from, index_t number) : part(std::move(d)), first(from), count(number) {}

  /// Throws `error` where the images have no such channels.
  template <Backend B>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
             image_tensor<B> out) const {
    require(first >= 0 && count >= 1 && first + count <= out.dims.c, "on_channels", [&] {
      return "the channels are " + std::to_string(first) + " to " + std::to_string(first + count - 1) +
             ", the images have " + std::to_string(out.dims.c);
    });
    const index_t columns = detail::columns_an_index<B>(out.dims.w);
    b.for_each_index(detail::row_part::count(out.dims, columns),
                     detail::copy_rows<const_image_tensor<B>, image_tensor<B>>{columns, x0, out}, columns);
    const auto chosen = [&](auto view) {
      view.data += first * view.stride_c;
      view.dims.c = count;
      return view;
    };
    detail::degrade_part(b, part, chosen(x0), level, keys, chosen(out));
  }
};

/// D(x, level) = part(x, level) + level amplitude e, e standard normal: hot on cold. What is left of the picture is no
/// longer known exactly, as in a measurement; and where `part` loses everything, the noise is what samples differ by.
/// Random. Cost: 5 to 9 ns an element more.
template <class D> struct with_noise : detail::range_of<D> {
  D part;
  float amplitude;

  explicit with_noise(D d, float noise = 0.1f) : part(std::move(d)), amplitude(noise) {}

  template <Backend B>
  void apply(B& b, const_image_tensor<B> x0, const_levels<B> level, key_sequence keys,
             image_tensor<B> out) const {
    detail::degrade_part(b, part, x0, level, keys, out);
    detail::for_each_normal(b, keys.other(1), out.dims,
                            detail::add_normals<const_levels<B>, image_tensor<B>>{amplitude, level, out});
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
