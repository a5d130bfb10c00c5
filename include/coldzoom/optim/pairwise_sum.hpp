/// Sums whose order of additions is a tree, on one rank or several.
#pragma once

#include <coldzoom/backend/backend.hpp>
#include <coldzoom/backend/generic/elementwise.hpp>
#include <coldzoom/core/communicator.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Adds up arrays in pairs: (a0 + a1) + (a2 + a3) and so on; an array without a partner waits for the next round.
template <Backend B> class pairwise_sum {
  using real = real_t<B>;

 public:
  /// Of up to `most` arrays of `count` numbers. Holds an array for each round.
  pairwise_sum(B& b, index_t count, index_t most) : count_(count) {
    for (index_t i = 1; i < most; i *= 2) waiting_.push_back(b.template allocate<real>(count));
  }

  /// Takes in the next array.
  void add(B& b, const real* values) {
    std::size_t pairs = added_++;
    if (pairs % 2 == 0) return b.copy(values, waiting_[used_++].data(), count_);
    add_to(b, values, used_ - 1);
    while ((pairs /= 2) % 2 == 1) merge(b);
  }

  /// to = the sum of the arrays since the last call, at least two.
  void finish(B& b, real* to) {
    while (used_ > 1) merge(b);
    b.copy(waiting_[0].data(), to, count_);
    used_ = added_ = 0;
  }

 private:
  void merge(B& b) {
    --used_;
    add_to(b, waiting_[used_].data(), used_ - 1);
  }
  void add_to(B& b, const real* values, std::size_t place) {
    b.for_each_index(count_, generic::add<real>{values, waiting_[place].data()});
  }

  index_t count_;
  std::size_t added_ = 0, used_ = 0;
  std::vector<buffer_t<B>> waiting_;
};

/// What the ranks of a run do together, on memory of a backend.
template <Backend B, Communicator C> class ranks_on {
  using real = real_t<B>;
  static constexpr bool on_host = std::same_as<typename B::space, host_space>;

 public:
  explicit ranks_on(C ranks = {}) : ranks_(std::move(ranks)) {}

  int rank() const { return ranks_.rank(); }
  int size() const { return ranks_.size(); }
  const C& communicator() const { return ranks_; }

  /// values = the sum of those of all ranks, in pairs of neighbours as pairwise_sum adds them: where each rank has a sum of
  /// as many arrays, a power of 2, that is the sum by one rank of all the arrays. The same bits on all ranks. Each rank sends and
  /// receives about twice `count` numbers, however many ranks there are, and adds up its part of the sums.
  void sum(B& b, real* values, index_t count) {
    if (size() == 1) return;
    const index_range own = part_of_rank(count, rank(), size());
    const index_t n = own.size();
    received_.resize(static_cast<std::size_t>(n * size()));
    at_hand(b, values, count, [&](real* v) {
      ranks_.exchange(v, count, received_.data());
      for (int step = 1; step < size(); step *= 2) {
        for (int r = 0; r + step < size(); r += 2 * step)
          add(b, n, received_.data() + (r + step) * n, received_.data() + r * n);
      }
      std::copy_n(received_.data(), n, v + own.first);
      ranks_.gather(v, count);
    });
  }

  /// Fills the parts of the other ranks, see Communicator.
  void gather(B& b, real* values, index_t count) {
    if (size() == 1) return;
    at_hand(b, values, count, [&](real* v) { ranks_.gather(v, count); });
  }

 private:
  /// use(the values in host memory).
  template <class Use> void at_hand(B& b, real* values, index_t count, const Use& use) {
    if constexpr (on_host) {
      use(values);
    } else {
      staged_.resize(static_cast<std::size_t>(count));
      b.download(values, staged_.data(), count);
      b.synchronize();
      use(staged_.data());
      b.upload(staged_.data(), values, count);
    }
  }
  void add(B& b, index_t n, const real* from, real* to) const {
    const generic::add<real> kernel{from, to};
    if constexpr (on_host) {
      b.for_each_index(n, kernel);
    } else {
      for (index_t i = 0; i < n; ++i) kernel(i);
    }
  }

  C ranks_;
  std::vector<real> received_, staged_;  // kept, so that an update allocates nothing
};

}  // namespace coldzoom::inline COLDZOOM_ISA
