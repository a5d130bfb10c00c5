/// The laws that every degradation must obey, for the tests of authors of degradations.
#pragma once

#include <algorithm>
#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/testing/transfer.hpp>
#include <limits>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA::testing {

/// The promises of a degradation beside the laws that bind all.
struct degradation_promises {
  bool identity_at_zero = true;  // D(x, 0) = x to the bit
  bool random = false;           // other keys give other results; without it keys have no influence
  bool strided = true;           // views of any strides; without it the kit tries dense images alone
  bool levels_beyond = false;    // finite at levels below 0 and above 1 too; without it the kit tries none
};

/// Where the images of a batch lie in a buffer that is larger than they are: any index up to `side` off, in
/// each direction, still leads into the buffer.
struct image_layout {
  shape dims;
  index_t size, first;  // elements of the buffer; the place of element (0, 0, 0, 0)
  index_t stride_n, stride_c, stride_y, stride_x;

  /// Dense images, with a margin before the first and behind the last.
  static image_layout dense(shape dims) {
    const index_t margin = side(dims) * (dims.pixels() + dims.w + 1);
    return {dims, dims.size() + 2 * margin, margin, dims.image(), dims.pixels(), dims.w, 1};
  }
  /// Each image in the middle of a cube of its own.
  static image_layout crop(shape dims) { return in_cubes(dims, side(dims) * side(dims), side(dims), 1); }
  /// The same with the channels of a pixel side by side.
  static image_layout channels_last(shape dims) {
    return in_cubes(dims, 1, side(dims) * side(dims), side(dims));
  }

  template <class T, class Space> tensor_view<T, Space> view(T* buffer) const {
    return {buffer + first, dims, stride_n, stride_c, stride_y, stride_x};
  }
  /// Calls f(i, at) for element i of the batch in row-major order, which lies at element `at` of the buffer.
  template <class F> void for_each_element(F&& f) const {
    std::size_t i = 0;
    for (index_t n = 0; n < dims.n; ++n) {
      for (index_t c = 0; c < dims.c; ++c) {
        for (index_t y = 0; y < dims.h; ++y) {
          for (index_t x = 0; x < dims.w; ++x) {
            const index_t at = first + n * stride_n + c * stride_c + y * stride_y + x * stride_x;
            f(i++, static_cast<std::size_t>(at));
          }
        }
      }
    }
  }

 private:
  static index_t side(shape dims) { return std::max({dims.c, dims.h, dims.w}) + 2; }
  static image_layout in_cubes(shape dims, index_t stride_c, index_t stride_y, index_t stride_x) {
    const index_t cube = side(dims) * side(dims) * side(dims);
    return {dims,    (dims.n + 2) * cube, cube + stride_c + stride_y + stride_x, cube, stride_c, stride_y,
            stride_x};
  }
};

/// D(x0, level) of images x0 in host memory, in buffers of these layouts; `gap` lies around the input. Throws
/// `error` where the degradation changes its input or writes outside its output.
template <ValueRange R, class D, Backend B>
std::vector<float> degraded(B& b, const D& d, const image_layout& from, const image_layout& to,
                            const std::vector<float>& x0, const std::vector<float>& level, key_sequence keys,
                            float gap = std::numeric_limits<float>::quiet_NaN()) {
  const char* const where = "degradation_laws";
  using space = typename B::space;
  constexpr float untouched = std::numeric_limits<float>::infinity();
  std::vector<float> before(static_cast<std::size_t>(from.size), gap);
  from.for_each_element([&](std::size_t i, std::size_t at) { before[at] = x0[i]; });
  auto in = to_backend(b, before), levels = to_backend(b, level);
  auto out = to_backend(b, std::vector<float>(static_cast<std::size_t>(to.size), untouched));
  degrade(b, d, image_batch<R, const float, space>(from.view<const float, space>(in.data())),
          const_levels<B>{levels.data(), from.dims.n}, keys,
          image_batch<R, float, space>(to.view<float, space>(out.data())));
  require_same_bits(where, before, to_host<float>(b, in.data(), from.size),
                    [] { return std::string("the degradation changes its input"); });
  std::vector<float> after = to_host<float>(b, out.data(), to.size), result(x0.size());
  to.for_each_element(
      [&](std::size_t i, std::size_t at) { result[i] = std::exchange(after[at], untouched); });
  require(std::count(after.begin(), after.end(), untouched) == to.size, where,
          "the degradation writes outside its image: does it use the strides of `out`, by out(n, c, y, x)?");
  return result;
}

/// The same of dense images.
template <ValueRange R, class D, Backend B>
std::vector<float> degraded(B& b, const D& d, shape dims, const std::vector<float>& x0,
                            const std::vector<float>& level, key_sequence keys) {
  return degraded<R>(b, d, image_layout::dense(dims), image_layout::dense(dims), x0, level, keys);
}

/// Throws `error` with the first law that `d` breaks on random images of range R:
///
/// - the result is finite and the input stays as it was;
/// - nothing is read or written outside the image: the kit puts images into larger buffers of NaN, so that
///   indices in a wrong order are found;
/// - same input and keys, same bits; an image has the same bits alone and in a batch, and on all of `others`,
///   backends of the same type with other numbers of threads;
/// - views of other strides give the same to 1e-4 of the range, if `strided`;
/// - D(x, 0) = x, influence of the keys, and levels -0.25 and 1.25, as promised.
///
/// `dims` are the images tried: at least two, with c, h and w that all differ, so that no index is mistaken
/// for another. Memory: 4 n max(c, h, w)^3 floats.
template <ValueRange R, class D, Backend B, std::same_as<B>... Others>
void degradation_laws(const D& d, degradation_promises promises, shape dims, B& b, Others&... others) {
  const char* const where = "degradation_laws";
  require(dims.n >= 2 && dims.image() > 0 && dims.c != dims.h && dims.c != dims.w && dims.h != dims.w, where,
          [&] {
            return "the shape is " + to_string(dims) +
                   "; it needs at least two images, whose channels, height and width all differ";
          });
  const std::vector<float> x0 = random_values(dims.size(), 1, R::low, R::high);
  std::vector<float> level, beyond;  // from 0 to 1, and outside
  for (index_t n = 0; n < dims.n; ++n) {
    level.push_back(static_cast<float>(n) / static_cast<float>(dims.n - 1));
    beyond.push_back(n % 2 == 0 ? -0.25f : 1.25f);
  }
  const key_sequence keys{7, stream::user, 100};
  const image_layout dense = image_layout::dense(dims);
  const image_layout crop = promises.strided ? image_layout::crop(dims) : dense;
  const float other_gap = 1000 * R::high + 1000;  // for those that let no NaN through
  const char* const outside =
      "the degradation reads outside its image: are the indices c, y, x in this order, and does it state the "
      "`channels` that it needs?";

  const std::vector<float> batch = degraded<R>(b, d, dims, x0, level, keys);
  require_same_bits(where, batch, degraded<R>(b, d, dims, x0, level, keys),
                    [] { return std::string("a second call gives another result"); });
  require(same_bits(degraded<R>(b, d, crop, crop, x0, level, keys),
                    degraded<R>(b, d, crop, crop, x0, level, keys, other_gap)),
          where, outside);
  require_finite(where, batch);
  if (promises.strided) {
    const auto compare = [&](const char* in, const image_layout& from, const char* out,
                             const image_layout& to) {
      const std::vector<float> result = degraded<R>(b, d, from, to, x0, level, keys);
      for (std::size_t i = 0; i < batch.size(); ++i) {
        // Compilers fuse other multiplications with additions where they know that pixels are side by side.
        require(std::abs(result[i] - batch[i]) <= 1e-4f * (R::high - R::low), where, [&] {
          return "element " + std::to_string(i) + " is " + std::to_string(result[i]) + " from " + in +
                 " to " + out + " and " + std::to_string(batch[i]) +
                 " between dense images; the strides must not matter";
        });
      }
    };
    const image_layout last = image_layout::channels_last(dims);
    compare("a crop", crop, "a crop", crop);
    compare("images with channels last", last, "a crop", crop);
    compare("a crop", crop, "images with channels last", last);
  }
  for (index_t n = 0; n < dims.n; ++n) {
    const auto part = [&](const std::vector<float>& all) {
      return std::vector<float>(all.begin() + n * dims.image(), all.begin() + (n + 1) * dims.image());
    };
    require_same_bits(
        where, part(batch),
        degraded<R>(b, d, dims.with_n(1), part(x0), {level[static_cast<std::size_t>(n)]}, keys.from(n)),
        [&] { return "image " + std::to_string(n) + " differs alone and in the batch"; });
  }
  [[maybe_unused]] const auto compare = [&](B& other) {
    require_same_bits(where, batch, degraded<R>(other, d, dims, x0, level, keys),
                      [] { return std::string("another backend object gives another result"); });
  };
  (compare(others), ...);

  if (promises.identity_at_zero) {
    const std::vector<float> zero(level.size());
    require_same_bits(where, x0, degraded<R>(b, d, dims, x0, zero, keys),
                      [] { return std::string("level 0 is not the identity"); });
  }
  if (promises.levels_beyond) {
    const std::vector<float> result = degraded<R>(b, d, crop, crop, x0, beyond, keys);
    require(same_bits(result, degraded<R>(b, d, crop, crop, x0, beyond, keys, other_gap)), where,
            "at the levels -0.25 and 1.25 the degradation reads outside its image, against its promise");
    require(std::all_of(result.begin(), result.end(), [](float value) { return std::isfinite(value); }),
            where, "at the levels -0.25 and 1.25 the result is not finite, against its promise");
  }
  const std::vector<float> other_keys = degraded<R>(b, d, dims, x0, level, {8, stream::user, 100});
  if (promises.random) {
    require(other_keys != batch, where, "another seed gives the same result; a random degradation must not");
  } else {
    require_same_bits(where, batch, other_keys,
                      [] { return std::string("the result depends on the keys, which is not promised"); });
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA::testing
