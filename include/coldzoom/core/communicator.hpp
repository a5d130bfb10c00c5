/// The processes of a run, and what they tell one another.
#pragma once

#include <algorithm>
#include <coldzoom/core/config.hpp>
#include <coldzoom/core/view.hpp>
#include <concepts>

namespace coldzoom::inline COLDZOOM_ISA {

/// A run of neighbours among numbered things: first .. last - 1.
struct index_range {
  index_t first, last;

  constexpr index_t size() const { return last - first; }
};

/// What is rank `rank`'s of `count` things, in order; all ranks get as many where `ranks` divides `count`.
constexpr index_range part_of_rank(index_t count, int rank, int ranks) {
  return {count * rank / ranks, count * (rank + 1) / ranks};
}

/// One of size() processes that run the same program, as a handle that can be copied. rank() is its number, from 0.
///
/// All ranks make the same calls in the same order; each waits for the others as far as it needs. Memory is the host's:
///
/// - `exchange(from, count, to)`: to each rank goes its part of the `count` values at `from`, see part_of_rank; `to` is filled
///   with this rank's parts of all ranks' values, one after another in the order of the ranks;
/// - `gather(values, count)`: each rank has filled its own part; afterwards all parts are filled on all ranks.
///
/// They move bytes and compute nothing, so results do not depend on the library that sends them. They throw `error`, or end the
/// program, where a rank cannot be reached.
template <class C>
concept Communicator = std::copy_constructible<C> &&
    requires(const C& c, const float* f, float* to_f, const double* d, double* to_d, index_t count) {
  { c.rank() } -> std::same_as<int>;
  { c.size() } -> std::same_as<int>;
  c.exchange(f, count, to_f);
  c.exchange(d, count, to_d);
  c.gather(to_f, count);
  c.gather(to_d, count);
};

/// Says which part of a communicator is missing.
template <class C> consteval bool check_communicator() {
  static_assert(Communicator<C>,
                "coldzoom: let your communicator be copied, and give it int rank() const, int size() const, "
                "exchange(const T* from, index_t count, T* to) const and gather(T* values, index_t count) "
                "const for float and double; see docs/concepts/communicator.md");
  return true;
}

/// The communicator of a run that is one process.
struct single_rank {
  int rank() const { return 0; }
  int size() const { return 1; }
  template <class T> void exchange(const T* from, index_t count, T* to) const {
    std::copy_n(from, count, to);
  }
  template <class T> void gather(T*, index_t) const {}
};
static_assert(Communicator<single_rank>);

}  // namespace coldzoom::inline COLDZOOM_ISA
