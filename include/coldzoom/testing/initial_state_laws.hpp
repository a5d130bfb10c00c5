/// The laws that every initial state must obey, for the tests of authors of initial states.
#pragma once

#include <coldzoom/initial_state/initial_state.hpp>
#include <coldzoom/testing/transfer.hpp>

namespace coldzoom::inline COLDZOOM_ISA::testing {

/// The promises of an initial state beside the laws that bind all.
struct initial_state_promises {
  bool within_range = true;  // every value lies in [low, high] of its range
};

/// Throws `error` with the first law that `initial` breaks when it draws images of `dims` (at least two):
/// every value is written and finite; same keys, same bits; sample i has the same bits alone and in a batch,
/// and on all of `others`, backends of the same type with other numbers of threads; other keys give other
/// samples; values within the range, as promised.
template <class L, Backend B, std::same_as<B>... Others>
  requires InitialState<L, B>
void initial_state_laws(const L& initial, initial_state_promises promises, shape dims, B& b,
                        Others&... others) {
  using range = typename L::range;
  const char* const where = "initial_state_laws";
  require(dims.n >= 2 && dims.image() > 0, where,
          [&] { return "the shape is " + to_string(dims) + "; it needs at least two images"; });
  const auto draw = [&](B& on, shape d, key_sequence keys, float before) {
    using space = typename B::space;
    auto memory = to_backend(on, std::vector<float>(static_cast<std::size_t>(d.size()), before));
    initial.draw(on, keys, image_batch<range, float, space>(tensor_view<float, space>(memory.data(), d)));
    return to_host<float>(on, memory.data(), d.size());
  };
  const key_sequence keys{7, stream::initial_state, 100};
  const std::vector<float> batch = draw(b, dims, keys, 0);
  require_finite(where, batch);
  // The memory holds other values before, so that an unwritten value shows.
  require_same_bits(where, batch, draw(b, dims, keys, 1e30f),
                    [] { return std::string("a second call gives another result"); });
  for (index_t n = 0; n < dims.n; ++n) {
    const std::vector<float> in_batch(batch.begin() + n * dims.image(),
                                      batch.begin() + (n + 1) * dims.image());
    require_same_bits(where, in_batch, draw(b, dims.with_n(1), keys.from(n), 0),
                      [&] { return "sample " + std::to_string(n) + " differs alone and in the batch"; });
  }
  [[maybe_unused]] const auto compare = [&](B& other) {
    require_same_bits(where, batch, draw(other, dims, keys, 0),
                      [] { return std::string("another backend object gives another result"); });
  };
  (compare(others), ...);
  require(draw(b, dims, {8, stream::initial_state, 100}, 0) != batch, where,
          "another seed gives the same samples; it must not");
  if (!promises.within_range) return;
  for (const float value : batch) {
    require(value >= range::low && value <= range::high, where, [&] {
      return "a value is " + std::to_string(value) + "; the range is " + std::to_string(range::low) + " to " +
             std::to_string(range::high);
    });
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA::testing
