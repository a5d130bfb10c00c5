/// What every degradation must obey, for the tests of authors of degradations.
#pragma once

#include <algorithm>
#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/testing/transfer.hpp>

namespace coldzoom::inline COLDZOOM_ISA::testing {

/// What a degradation promises beside the laws that bind all.
struct degradation_promises {
  bool identity_at_zero = true;  // D(x, 0) = x to the bit
  bool random = false;           // other keys give other results; without it keys have no influence
};

/// D(x0, level) of images x0 in host memory.
template <ValueRange R, class D, Backend B>
std::vector<float> degraded(B& b, const D& d, shape dims, const std::vector<float>& x0,
                            const std::vector<float>& level, key_sequence keys) {
  using space = typename B::space;
  auto in = to_backend(b, x0), levels = to_backend(b, level);
  auto out = b.template allocate<float>(dims.size());
  degrade(b, d, image_batch<R, const float, space>(tensor_view<const float, space>(in.data(), dims)),
          const_levels<B>{levels.data(), dims.n}, keys,
          image_batch<R, float, space>(tensor_view<float, space>(out.data(), dims)));
  require_same_bits("degradation_laws", x0, to_host<float>(b, in.data(), dims.size()),
                    [] { return std::string("the degradation changes its input"); });
  return to_host<float>(b, out.data(), dims.size());
}

/// Throws `error` with the first law that `d` breaks on random images of range R:
///
/// - the result is finite and the input stays as it was;
/// - same input and keys, same bits; an image has the same bits alone and in a batch, and on all of `others`,
///   backends of the same type with other numbers of threads;
/// - D(x, 0) = x, and influence of the keys, as promised.
///
/// `dims` are the images tried: odd and not square, so that rows and columns are not mistaken. At least two.
template <ValueRange R, class D, Backend B, std::same_as<B>... Others>
void degradation_laws(const D& d, degradation_promises promises, shape dims, B& b, Others&... others) {
  const char* const where = "degradation_laws";
  require(dims.n >= 2 && dims.image() > 0, where,
          [&] { return "the shape is " + to_string(dims) + "; it needs at least two images"; });
  const std::vector<float> x0 = random_values(dims.size(), 1, R::low, R::high);
  std::vector<float> level;  // from 0 to 1
  for (index_t n = 0; n < dims.n; ++n)
    level.push_back(static_cast<float>(n) / static_cast<float>(dims.n - 1));
  const key_sequence keys{7, stream::user, 100};

  const std::vector<float> batch = degraded<R>(b, d, dims, x0, level, keys);
  require_finite(where, batch);
  require_same_bits(where, batch, degraded<R>(b, d, dims, x0, level, keys),
                    [] { return std::string("a second call gives another result"); });
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
  const std::vector<float> other_keys = degraded<R>(b, d, dims, x0, level, {8, stream::user, 100});
  if (promises.random) {
    require(other_keys != batch, where, "another seed gives the same result; a random degradation must not");
  } else {
    require_same_bits(where, batch, other_keys,
                      [] { return std::string("the result depends on the keys, which is not promised"); });
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA::testing
