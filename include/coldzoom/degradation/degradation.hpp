/// The concepts of a degradation, and `degrade`, which applies one to a batch.
#pragma once

#include <coldzoom/core/call.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/random.hpp>
#include <coldzoom/core/range.hpp>
#include <coldzoom/degradation/rows.hpp>
#include <coldzoom/degradation/separable.hpp>
#include <concepts>
#include <type_traits>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

template <class D>
concept plain_pixel = requires(const D d, image_view<const float> x0, index_t i, float level) {
  { d(x0, i, i, i, level) } -> std::same_as<float>;
};
template <class D>
concept keyed_pixel = requires(const D d, image_view<const float> x0, index_t i, float level,
                               sample_key key) {
  { d(x0, i, i, i, level, key) } -> std::same_as<float>;
};
template <class D, class B>
concept plain_batch = requires(const D d, B& b, const_image_tensor<B> x0, const_levels<B> level,
                               image_tensor<B> out) {
  d.apply(b, x0, level, out);
};
template <class D, class B>
concept keyed_batch = requires(const D d, B& b, const_image_tensor<B> x0, const_levels<B> level,
                               key_sequence keys, image_tensor<B> out) {
  d.apply(b, x0, level, keys, out);
};

}  // namespace detail

/// The ten-line form: d(x0, c, y, x, level) is pixel (c, y, x) of the degraded image, which has the shape of
/// x0. A degradation with randomness takes a `sample_key` last: one key stands for one draw at every level.
/// `level` comes from the schedule. Mark the operator COLDZOOM_HD and it runs on every backend. A degradation
/// that mixes channels states how many it needs by a member `channels`, which `degrade` checks.
template <class D>
concept PixelDegradation = std::is_trivially_copyable_v<D> &&
    (detail::plain_pixel<D> || detail::keyed_pixel<D>);

/// The general form: d.apply(b, x0, level, out) or d.apply(b, x0, level, keys, out) on whole batches, for
/// degradations that need passes, scratch memory or tables.
template <class D, class B>
concept BatchDegradation = detail::plain_batch<D, B> || detail::keyed_batch<D, B>;

template <class D, class B>
concept Degradation = BatchDegradation<D, B> || PixelDegradation<D> || SeparableDegradation<D>;

/// Explains what is missing where `D` is no degradation on backend `B`.
template <class D, class B> consteval bool check_degradation() {
  constexpr bool callable = detail::plain_pixel<D> || detail::keyed_pixel<D>;
  constexpr bool whole = BatchDegradation<D, B>;
  constexpr bool linear = SeparableDegradation<D>;
  static_assert(
      callable || whole || linear,
      "coldzoom: give your degradation `float operator()(image_view<const float> x0, index_t c, index_t y, "
      "index_t x, float level) const` (with COLDZOOM_HD), or `weight(level, axis, extent, to, from)`, or "
      "`apply(b, x0, level, out)`; see docs/concepts/degradation.md");
  constexpr bool plain = std::is_trivially_copyable_v<D>;
  static_assert(
      !callable || whole || plain,
      "coldzoom: a pixel degradation must be trivially copyable: keep plain numbers and pointers in it, or "
      "write `apply(b, x0, level, out)`; see docs/concepts/degradation.md");
  return Degradation<D, B>;
}

/// D states how many channels its images must have: `static constexpr index_t channels = 3;`, or a plain
/// member where the number is chosen at run time.
template <class D>
concept StatesChannels = requires(const D d) {
  { d.channels } -> std::convertible_to<index_t>;
};

/// True where D works on pixels of range R: it names that range, or none.
template <class D, class R>
concept AcceptsRange = !requires {
  typename D::range;
}
|| requires { requires std::same_as<typename D::range, R>; };

namespace detail {

/// Index: see row_part.
template <class D, class In, class Levels, class Out> struct degrade_rows {
  index_t columns;
  D d;
  In x0;
  Levels level;
  key_sequence keys;
  Out out;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, first, last] = row_part::at(i, out.dims, columns);
    const auto image = x0.image(n);
    // Copies, for all that is read through pointers might change with each pixel that is written.
    const D degradation = d;
    const float severity = level[n];
    const sample_key key = keys[n];
    for (index_t x = first; x < last; ++x) {
      if constexpr (keyed_pixel<D>) {
        out(n, c, y, x) = call_in_kernel(degradation, image, c, y, x, severity, key);
      } else {
        out(n, c, y, x) = call_in_kernel(degradation, image, c, y, x, severity);
      }
    }
  }
};

}  // namespace detail

/// out[n] = D(x0[n], level[n]). All views in the backend's memory, out as large as x0 and apart from it.
/// Throws `error` where the shapes differ or the degradation states another number of channels. Repeatable:
/// same keys, same bits.
template <class B, class D, ValueRange R>
void degrade(B& b, const D& d, image_batch<R, const float, typename B::space> x0, const_levels<B> level,
             key_sequence keys, image_batch<R, float, typename B::space> out) {
  constexpr bool same_range = AcceptsRange<D, R>;
  static_assert(
      same_range,
      "coldzoom: this degradation wants pixels of another value range: use images of its `range`, or "
      "convert_range first; see docs/concepts/degradation.md");
  if constexpr (check_degradation<D, B>()) {
    require(x0.dims == out.dims && level.size == x0.dims.n, "degrade", [&] {
      return "x0 is " + to_string(x0.dims) + ", out is " + to_string(out.dims) + " and there are " +
             std::to_string(level.size) + " levels; the shapes must agree, with one level an image";
    });
    if constexpr (StatesChannels<D>) {
      require(x0.dims.c == static_cast<index_t>(d.channels), "degrade", [&] {
        return "the images have " + std::to_string(x0.dims.c) + " channels; this degradation wants " +
               std::to_string(d.channels);
      });
    }
    if constexpr (detail::keyed_batch<D, B>) {
      d.apply(b, x0, level, keys, out);
    } else if constexpr (detail::plain_batch<D, B>) {
      d.apply(b, x0, level, out);
    } else if constexpr (SeparableDegradation<D>) {
      detail::degrade_separably(b, d, x0, level, out);
    } else {
      using kernel = detail::degrade_rows<D, const_image_tensor<B>, const_levels<B>, image_tensor<B>>;
      const index_t columns = detail::columns_an_index<B>(out.dims.w);
      b.for_each_index(detail::row_part::count(out.dims, columns), kernel{columns, d, x0, level, keys, out},
                       10 * columns);
    }
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA
